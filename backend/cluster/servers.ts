// servers.ts: the servers of Redis, and which of them this node uses. On a Redis Cluster, what is published on one server is
// heard on all of them. So a node needs only one. It stays connected to all: to use another one at once where its own is
// lost, and to count the nodes that hear a channel there.

import { Cluster as RedisCluster, type Redis } from "ioredis";
import { plain } from "./errors";

const REFRESH_EVERY = 1000; // milliseconds: a Redis Cluster is asked which servers it has

/** A client of ioredis, for one Redis or for a Redis Cluster. */
export type Client = Redis | RedisCluster;

interface Listeners {
  /** Another server is used from now on, on which this node has no subscription yet. */
  onChosen: () => void;
  onMessage: (channel: Buffer, message: Buffer) => void;
  /** A server did not let this node in, or did not say which servers there are. */
  onFailed: (err: Error) => void;
}

/** One Redis, or all servers of a Redis Cluster: masters and replicas. */
export class Servers {
  /** The server on which this node publishes and hears; none while Redis is lost. */
  used: Redis | undefined;
  private isLost = false; // as it was logged
  private isOver = false;
  private readonly clock: NodeJS.Timeout | undefined;

  /** @param name - of Redis, for messages */
  constructor(
    private readonly client: Client,
    private readonly name: string,
    private readonly listeners: Listeners,
  ) {
    for (const server of this.all()) this.watch(server);
    client
      .on("+node", (server: Redis) => this.watch(server)) // a server that is new to ioredis
      .on("refresh", () => this.rememberAll()) // ioredis has heard which servers there are
      .on("node error", listeners.onFailed);
    this.rememberAll();
    // (Not the option `slotsRefreshInterval` of ioredis 6.0: its clock may go on after the end)
    if (client instanceof RedisCluster) this.clock = setInterval(() => client.refreshSlotsCache(), REFRESH_EVERY);
  }

  private all(): Redis[] {
    return this.client instanceof RedisCluster ? this.client.nodes() : [this.client];
  }

  private connected(): Redis[] {
    return this.all().filter(({ status }) => status === "ready");
  }

  /** The servers that are connected, without the one that is used. */
  others(): Redis[] {
    return this.connected().filter((server) => server !== this.used);
  }

  private watch(server: Redis): void {
    let reason: Error | undefined;
    server
      .on("ready", () => {
        reason = undefined;
        void this.choose();
      })
      .on("error", (err: Error) => {
        reason = err;
        this.listeners.onFailed(err);
      })
      .on("close", () => void this.onClosed(server, reason))
      .on("messageBuffer", this.listeners.onMessage); // only the server that is used has subscriptions
  }

  /** Where none is used: chooses the one that answers first. So it is none that hangs, and none that loads its data. */
  async choose(): Promise<void> {
    if (this.used) return;
    const answers = this.connected().map(async (server) => {
      await (this.client instanceof RedisCluster ? server.cluster("SLOTS") : server.call("HELLO", 3));
      return server;
    });
    const first = await Promise.any(answers).catch(() => undefined);
    if (!first || this.used || this.isOver) return;
    this.used = first;
    this.listeners.onChosen();
  }

  /** Also where ioredis has closed the connection, since the server has left the Redis Cluster, or has no slots any more. */
  private async onClosed(server: Redis, reason = new Error("the connection was closed")): Promise<void> {
    if (server !== this.used) return;
    this.used = undefined;
    await this.choose();
    if (this.used || this.isOver || this.isLost) return;
    this.isLost = true;
    console.error(`${this.name} is lost: ${plain(reason)}. Until it is back, each node is on its own.`);
  }

  /** Connects to the servers that are not connected, and asks the others for a sign of life. */
  keepAlive(): void {
    if (this.client instanceof RedisCluster && this.client.status !== "ready") return; // ioredis looks for its servers
    for (const server of this.all()) {
      if (server.status === "wait" || server.status === "end") server.connect().catch(() => {});
      // Where there is no answer in 3 s, ioredis closes the connection. HELLO needs no rights
      if (server.status === "ready") server.call("HELLO", 3).catch(() => {});
    }
    void this.choose();
  }

  /** Tells ioredis which servers to look for where all are lost at once. Otherwise it tries the address that was given. */
  private rememberAll(): void {
    if (!(this.client instanceof RedisCluster)) return;
    const [given] = this.client["startupNodes"]; // ioredis says to set it, in its text on `clusterRetryStrategy`
    const servers = this.all().map(({ options }) => options);
    if (servers.length > 0) this.client["startupNodes"] = [given!, ...servers];
  }

  /** Is called when this node hears all its channels. */
  logIfBack(): void {
    if (!this.isLost || !this.used) return;
    this.isLost = false;
    console.log(`${this.name} is back.`);
  }

  /** Resolves when the server has what was published, and ends the connection to it. */
  async quit(): Promise<void> {
    this.isOver = true;
    clearInterval(this.clock);
    await this.used?.quit(); // Redis answers in order
  }

  disconnect(): void {
    this.client.disconnect();
  }
}

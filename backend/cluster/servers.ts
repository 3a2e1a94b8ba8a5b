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
  private isLost = false; // whether the last line in the log said so
  private isOver = false;
  private readonly clock: NodeJS.Timeout | undefined;

  /** @param redisName - for the log */
  constructor(
    private readonly client: Client,
    private readonly redisName: string,
    private readonly listeners: Listeners,
  ) {
    for (const server of this.all()) this.watch(server);
    // Only a Redis Cluster emits these three. ioredis calls a server a "node"
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

  /**
   * If no server is used, uses the one that answers first. A server that hangs does not answer. One that still loads its
   * data does not hear the others yet: it refuses PING.
   */
  async choose(): Promise<void> {
    if (this.used) return;
    const answers = this.connected().map((server) => server.ping().then(() => server));
    const first = await Promise.any(answers).catch(() => undefined);
    if (!first || this.used || this.isOver) return;
    this.used = first;
    this.listeners.onChosen();
  }

  /**
   * If the server was used, chooses another one, or logs that Redis is lost. (ioredis closes connections too: to a server
   * that has left the Redis Cluster, or that has no slots any more.)
   */
  private async onClosed(server: Redis, reason = new Error("the connection was closed")): Promise<void> {
    if (server !== this.used) return;
    this.used = undefined;
    await this.choose();
    if (this.used || this.isOver || this.isLost) return;
    this.isLost = true;
    console.error(`${this.redisName} is lost: ${plain(reason)}. Until it is back, each node is on its own.`);
  }

  /** Connects to each server that is not connected. Sends PING to each that is: if it is silent for 3 s, ioredis hangs up. */
  keepAlive(): void {
    if (this.client instanceof RedisCluster && this.client.status !== "ready") return; // ioredis is looking for it
    for (const server of this.all()) {
      if (server.status === "wait" || server.status === "end") server.connect().catch(() => {});
      if (server.status === "ready") server.ping().catch(() => {});
    }
    void this.choose();
  }

  /** Tells ioredis which servers to look for if all are lost at once. Else it only tries the address that was given. */
  private rememberAll(): void {
    if (!(this.client instanceof RedisCluster)) return;
    const [given] = this.client["startupNodes"]; // ioredis says to set it, in its text on `clusterRetryStrategy`
    const servers = this.all().map(({ options }) => options);
    if (servers.length > 0) this.client["startupNodes"] = [given!, ...servers];
  }

  /** Logs that Redis is back, if it was lost. Is called when this node hears all its channels. */
  logIfBack(): void {
    if (!this.isLost || !this.used) return;
    this.isLost = false;
    console.log(`${this.redisName} is back.`);
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

// servers.ts: the servers of Redis, and which of them this node uses. On a Redis Cluster, what is published on one server is
// heard on all of them: so a node needs only one, and where it is lost, the next one will do.

import { Cluster as RedisCluster, type Redis } from "ioredis";
import { plain } from "./errors";

/** A client of ioredis, for one Redis or for a Redis Cluster. */
export type Client = Redis | RedisCluster;

/** What {@link Servers} tells. */
interface Listeners {
  /** Another server is used from now on, or none. It has no subscription of this node yet. */
  onChanged: () => void;
  onMessage: (channel: Buffer, message: Buffer) => void;
}

/** One Redis, or all servers of a Redis Cluster: masters and replicas. This node stays connected to each. */
export class Servers {
  /** The server on which this node publishes and hears; none while Redis is lost. */
  used: Redis | undefined;
  private isLost = false; // as the log tells it
  private isOver = false;

  /** @param name - of Redis in messages */
  constructor(
    private readonly client: Client,
    private readonly name: string,
    private readonly listeners: Listeners,
  ) {
    for (const server of this.all()) this.watch(server);
    client.on("+node", (server: Redis) => this.watch(server)); // ioredis has heard of one that is new
    client.on("refresh", () => this.rememberAll()); // it has been told which there are
    this.rememberAll();
    this.choose();
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
        this.choose();
      })
      .on("error", (err: Error) => (reason = err))
      .on("close", () => this.onClosed(server, reason))
      .on("messageBuffer", (channel: Buffer, message: Buffer) => {
        if (server === this.used) this.listeners.onMessage(channel, message);
      });
  }

  /** Where none is used: uses one of those that are connected. Which one, is left to chance, so that nodes spread. */
  private choose(): void {
    const servers = this.connected();
    if (this.used || this.isOver || servers.length === 0) return;
    this.used = servers[Math.floor(Math.random() * servers.length)];
    this.listeners.onChanged();
  }

  private onClosed(server: Redis, reason = new Error("the connection was closed")): void {
    if (server !== this.used || this.isOver) return;
    this.used = undefined;
    this.choose();
    if (this.used) return;
    this.listeners.onChanged();
    if (this.isLost) return;
    this.isLost = true;
    console.error(`${this.name} is lost: ${plain(reason)}. Until it is back, each node is on its own.`);
  }

  /** Called again and again: connects to the servers that are not connected, and asks the others for a sign of life. */
  check(): void {
    if (this.client.status !== "ready" && this.client instanceof RedisCluster) return; // it looks for its servers
    for (const server of this.all()) {
      if (server.status === "wait" || server.status === "end") server.connect().catch(() => {});
      // Where there is no answer in 3 s, ioredis ends the connection. HELLO needs no rights
      if (server.status === "ready") server.call("HELLO", 3).catch(() => {});
    }
  }

  /** Tells ioredis which servers to look for, should all be lost at once: otherwise it tries the address that was given. */
  private rememberAll(): void {
    if (!(this.client instanceof RedisCluster)) return;
    const [given] = this.client["startupNodes"]; // ioredis tells to set it, in its text on `clusterRetryStrategy`
    const servers = this.all().map(({ options }) => options);
    if (servers.length > 0) this.client["startupNodes"] = [given!, ...servers];
  }

  /** Called when this node hears all its channels. */
  tellIfBack(): void {
    if (!this.isLost || !this.used) return;
    this.isLost = false;
    console.log(`${this.name} is back.`);
  }

  /** Resolves when the server has what was published, and ends the connection to it. */
  async quit(): Promise<void> {
    this.isOver = true;
    await this.used?.quit(); // Redis keeps the order of what it is sent
  }

  disconnect(): void {
    this.client.disconnect();
  }
}

// channels.ts: why a Redis client is not enough for the adapter. Socket.IO's sharded adapter takes Redis for granted: it
// waits for Redis before it tells even this node's own peers, a command that fails would end the process, and it asks
// the other nodes before this node can hear their answers.

import { connect, countOf, type Client } from "./client";
import { Masters } from "./masters";
import { isRefusal, plain, within } from "./plain";
import { Subscriptions, type Listener } from "./subscriptions";

const SAID_WITHIN = 60_000; // milliseconds in which the same trouble is told once
const CLOSE_WITHIN = 250; // milliseconds that Redis gets to take the last messages of a node that leaves

/** The four methods of a client that `createShardedAdapter` calls, made safe, and two for a node of a cluster. */
export class Channels {
  private readonly subscriptions: Subscriptions;
  private readonly masters: Masters;
  private readonly said = new Map<string, number>(); // when each trouble was told

  private constructor(
    private readonly client: Client,
    private readonly name: string, // for messages: without user, password and options
  ) {
    this.subscriptions = new Subscriptions(client, (err) => this.onFailed(err));
    this.masters = new Masters(client, name, this.subscriptions);
  }

  /** See `Cluster.join`. */
  static async of(url: string): Promise<Channels> {
    const address = URL.canParse(url) ? new URL(url) : undefined;
    if (!address || !/^rediss?:$/.test(address.protocol) || !address.host) {
      throw new Error("REDIS_URL must be the address of a Redis server, such as redis://localhost:6379.");
    }
    const name = `REDIS_URL ${address.protocol}//${address.host}${address.pathname}`;
    const client = await connect(address).catch((err) => {
      throw new Error(`${name} cannot be used: ${plain(err)}.`);
    });
    return new Channels(client, name);
  }

  sSubscribe(channel: string, listener: Listener): void {
    this.subscriptions.wanted.set(channel, listener);
    if (!this.masters.isLost(channel)) this.subscriptions.update(channel);
  }

  sUnsubscribe(channel: string): void {
    this.subscriptions.wanted.delete(channel);
    if (!this.masters.isLost(channel)) this.subscriptions.update(channel);
  }

  /** Resolves when Redis has answered what is on its way for the channels that begin like this, or is lost. */
  async settled(channel: string): Promise<void> {
    await Promise.all(this.subscriptions.pending(channel));
  }

  /** Does not wait, since the adapter tells this node's peers after it. What cannot be sent is dropped. */
  async sPublish(channel: string, message: string | Buffer): Promise<void> {
    void this.publish(channel, message);
  }

  /** Publishes once this node hears the answers; resolves with how many other nodes have it, 0 where Redis is lost. */
  async publish(channel: string, message: string | Buffer): Promise<number> {
    const pending = this.subscriptions.pending(channel);
    if (pending.length > 0) await Promise.all(pending); // otherwise it is on its way before this function returns
    if (this.masters.isLost(channel)) return 0;
    const here = this.subscriptions.confirmed.has(channel) ? 1 : 0;
    try {
      return Number(await this.client.spublish(channel, message)) - here;
    } catch (err) {
      this.onFailed(err as Error);
      return 0;
    }
  }

  /** Here the adapter asks how many nodes have a namespace. A node that would not hear answers has itself alone. */
  async sendCommand([, , channel]: ["PUBSUB", "SHARDNUMSUB", string]): Promise<[string, number]> {
    await this.settled(channel);
    if (this.masters.isLost(channel) || !this.subscriptions.confirmed.has(channel)) return [channel, 1];
    try {
      return [channel, await countOf(this.client, channel)];
    } catch (err) {
      this.onFailed(err as Error);
      return [channel, 1];
    }
  }

  /** Leaves Redis, when it has what was published, after a quarter of a second at the latest. */
  async close(): Promise<void> {
    this.masters.stop();
    const published = this.settled("").then(() => this.client.quit()); // Redis keeps the order of what it is sent
    await within(CLOSE_WITHIN, published).catch(() => {});
    this.client.disconnect();
  }

  /** Tells of a refusal once a minute. Where there is no connection, the log has it. */
  private onFailed(err: Error): void {
    const reason = plain(err);
    if (!isRefusal(err) || Date.now() - (this.said.get(reason) ?? -Infinity) < SAID_WITHIN) return;
    this.said.set(reason, Date.now());
    console.error(`${this.name} refuses what this node needs: ${reason}. Some messages do not reach other nodes.`);
  }
}

// channels.ts: why a Redis client is not enough for the adapter. Socket.IO's sharded adapter takes Redis for granted: it
// waits for Redis before it tells even this node's own peers, a command that fails would end the process, and it asks
// the other nodes before this node can hear their answers.

import { connect } from "./connect";
import { isRefusal, plain, within } from "./errors";
import { Masters } from "./masters";
import { disconnect, isReady, masterOf, type Client } from "./servers";
import { Subscriptions, type Listener } from "./subscriptions";

const TELL_EVERY = 60_000; // milliseconds in which the same trouble is told once
const CLOSE_WITHIN = 250; // milliseconds that Redis gets to take the last messages of a node that leaves

/** The four methods of a client that `createShardedAdapter` calls, made safe, and what a node of a cluster needs. */
export class Channels {
  private readonly subscriptions: Subscriptions;
  private readonly masters: Masters;
  private readonly toldAt = new Map<string, number>(); // when each reason was logged last

  private constructor(
    private readonly client: Client,
    private readonly name: string, // for messages: without user, password and options
  ) {
    this.subscriptions = new Subscriptions(
      client,
      () => this.masters.slotsAreKnown(),
      (err) => this.onFailed(err),
    );
    this.masters = new Masters(client, name, this.subscriptions);
    client.on("node error", (err: Error) => this.onFailed(err)); // ioredis has asked a server for the slots, in vain
  }

  /** See `Cluster.join`. */
  static async of(url: string): Promise<Channels> {
    const address = URL.canParse(url) ? new URL(url) : undefined;
    if (!address || !/^rediss?:$/.test(address.protocol) || !address.host || !/^\/?\d*$/.test(address.pathname)) {
      throw new Error("REDIS_URL must be the address of a Redis server, such as redis://localhost:6379.");
    }
    address.search = ""; // ioredis would take options from it
    const name = `REDIS_URL ${address.protocol}//${address.host}${address.pathname}`;
    const client = await connect(address).catch((err) => {
      throw new Error(`${name} cannot be used: ${plain(err)}.`);
    });
    return new Channels(client, name);
  }

  sSubscribe(channel: string, listener: Listener): void {
    this.subscriptions.want(channel, listener);
  }

  sUnsubscribe(channel: string): void {
    this.subscriptions.drop(channel);
  }

  /**
   * Resolves when Redis has answered what is on its way now, or is lost.
   *
   * @param prefix - of the names of channels. The adapter hears answers on a second channel, whose name begins with that of
   *   the first: so this finds both
   */
  async settled(prefix: string): Promise<void> {
    await Promise.all(this.subscriptions.updatesOf(prefix));
  }

  /** Does not wait, since the adapter tells this node's peers after it. What cannot be sent is dropped. */
  async sPublish(channel: string, message: string | Buffer): Promise<void> {
    void this.publish(channel, message);
  }

  /**
   * Publishes a message. First it waits for the subscriptions that are being made now, to this channel and to that of the
   * answers, so that this node can hear the answers. It waits for them once only: so messages keep their order. Resolves
   * with the number of other nodes that hear the message: 0 where Redis is lost, or where this node does not hear the channel.
   */
  async publish(channel: string, message: string | Buffer): Promise<number> {
    await this.settled(channel);
    const master = masterOf(this.client, channel);
    if (!master || !isReady(master)) return 0; // it would wait, and arrive late
    const isHeard = this.subscriptions.isHeardOn(master, channel);
    try {
      const nodes = Number(await master.spublish(channel, message));
      // `nodes` counts this one too, unless Redis has just ended its subscription
      return isHeard ? Math.max(0, nodes - 1) : 0;
    } catch (err) {
      this.onFailed(err as Error);
      return 0;
    }
  }

  /**
   * The adapter asks how many nodes will answer a question, this one included. To count them, an empty message is
   * published: Redis says how many have heard it, and none of them hands it on. The answers come on another channel, whose
   * name begins with this one. Where this node does not hear both, it could not hear an answer: then it is alone, 1.
   */
  async sendCommand([, , channel]: ["PUBSUB", "SHARDNUMSUB", string]): Promise<[string, number]> {
    const others = await this.publish(channel, "");
    return [channel, this.subscriptions.hearsAll((name) => name.startsWith(channel)) ? 1 + others : 1];
  }

  /** Leaves Redis, when it has what was published, after a quarter of a second at the latest. */
  async close(): Promise<void> {
    this.masters.stop();
    // "": what is on its way for all channels
    const published = this.settled("").then(() => this.client.quit()); // Redis keeps the order of what it is sent
    await within(CLOSE_WITHIN, published).catch(() => {});
    disconnect(this.client);
  }

  /** Tells of a refusal, once a minute for each reason. masters.ts tells of lost connections. */
  private onFailed(err: Error): void {
    const reason = plain(err);
    if (!isRefusal(err) || Date.now() - (this.toldAt.get(reason) ?? -Infinity) < TELL_EVERY) return;
    this.toldAt.set(reason, Date.now());
    console.error(`${this.name} refuses what this node needs: ${reason}. Some messages do not reach other nodes.`);
  }
}

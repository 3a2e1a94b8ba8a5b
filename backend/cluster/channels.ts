// channels.ts: why a Redis client is not enough for the adapter. Socket.IO's sharded adapter takes Redis for granted: it
// waits for Redis before it tells even this node's own peers, a command that fails would end the process, and it asks
// the other nodes before this node can hear their answers.

import { ErrorReply } from "redis";
import { Masters } from "./masters";
import { plain } from "./plain";
import type { Listener } from "./subscriptions";

const SAID_WITHIN = 60_000; // milliseconds in which the same trouble is told once

/** The four methods of node-redis that `createShardedAdapter` calls, made safe, and two for a node of a cluster. */
export class Channels {
  private readonly masters: Masters;
  private readonly said = new Map<string, number>(); // when each trouble was told

  private constructor(
    url: URL,
    private readonly name: string, // for messages: without user, password and options
  ) {
    this.masters = new Masters(url, name, (err) => this.onRefused(err));
  }

  /**
   * @param url - the address of a Redis server, or of any node of a Redis Cluster: `redis://[[user]:password@]host[:port]`
   * @throws Error whose message is one plain sentence, without the password, where it cannot be used
   */
  static async of(url: string): Promise<Channels> {
    const address = URL.canParse(url) ? new URL(url) : undefined;
    if (!address || !/^rediss?:$/.test(address.protocol) || !address.host) {
      throw new Error("REDIS_URL must be the address of a Redis server, such as redis://localhost:6379.");
    }
    const channels = new Channels(address, `REDIS_URL ${address.protocol}//${address.host}${address.pathname}`);
    try {
      await channels.masters.start();
    } catch (err) {
      await channels.close();
      throw new Error(`${channels.name} cannot be used: ${plain(err)}.`);
    }
    return channels;
  }

  sSubscribe(channel: string, listener: Listener): void {
    this.masters.subscribe(channel, listener);
  }

  sUnsubscribe(channel: string): void {
    this.masters.unsubscribe(channel);
  }

  /** Resolves when Redis has answered what is on its way for the channels that begin like this, or is lost. */
  async settled(channel: string): Promise<void> {
    await Promise.all(this.masters.pending(channel));
  }

  /** Does not wait, since the adapter tells this node's peers after it. What cannot be sent is dropped. */
  async sPublish(channel: string, message: string | Buffer): Promise<void> {
    void this.publish(channel, message);
  }

  /**
   * Publishes once this node hears the answers: a namespace that is new may ask before its subscriptions are there.
   *
   * @returns how many other nodes have received it; 0 where Redis is lost
   */
  async publish(channel: string, message: string | Buffer): Promise<number> {
    const pending = this.masters.pending(channel);
    if (pending.length > 0) await Promise.all(pending); // otherwise it is on its way before this function returns
    const send = async () => {
      const { client, subscriptions } = this.masters.of(channel);
      const here = subscriptions.has(channel) ? 1 : 0; // as Redis will see it: commands keep their order
      return (await client.sPublish(channel, message)) - here;
    };
    try {
      return await send().catch(async (err) => {
        if (!isMoved(err)) throw err;
        await this.masters.follow(this.masters.of(channel));
        return send();
      });
    } catch (err) {
      this.onRefused(err);
      return 0;
    }
  }

  /** Here the adapter asks how many nodes have a namespace. It catches no error; without Redis there is this one. */
  async sendCommand([, , channel]: ["PUBSUB", "SHARDNUMSUB", string]): Promise<[string, number]> {
    await this.settled(channel);
    try {
      return [channel, await this.masters.of(channel).count(channel)];
    } catch (err) {
      this.onRefused(err);
      return [channel, 1];
    }
  }

  /** Leaves Redis, when it has what was published, after a quarter of a second at the latest. */
  async close(): Promise<void> {
    await this.masters.close();
  }

  /** Tells of a trouble once a minute. Where there is no connection the log has it, and a channel that moves is found. */
  private onRefused(err: unknown): void {
    if (!(err instanceof ErrorReply) || isMoved(err)) return;
    const reason = plain(err);
    if (Date.now() - (this.said.get(reason) ?? -Infinity) < SAID_WITHIN) return;
    this.said.set(reason, Date.now());
    console.error(`${this.name} refuses what this node needs: ${reason}. Some messages do not reach other nodes.`);
  }
}

function isMoved(err: unknown): boolean {
  return err instanceof ErrorReply && err.message.startsWith("MOVED");
}

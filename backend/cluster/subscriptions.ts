// subscriptions.ts: the channels of one connection. node-redis repeats its subscriptions when it has found a lost Redis
// again. It forgets those that were on their way, and loses count where Redis itself ends one because its slot moves.

import { ErrorReply } from "redis";
import type { Link } from "./link";

/** What is called with each message of a channel. */
export type Listener = (message: Buffer, channel: Buffer) => void;

/** What one connection is to be subscribed to, and what it is. */
export class Subscriptions {
  private readonly wanted = new Map<string, Listener>();
  private readonly subscribed = new Set<string>(); // node-redis' own list is not exact, see `adjust`
  private readonly refused = new Set<string>();
  private readonly updates = new Map<string, Promise<void>>();

  /**
   * @param onRefused - called when Redis has refused a subscription, which is tried again with {@link retry}
   * @param onMoved - called when some channels belong to another server of the Redis Cluster now
   */
  constructor(
    private readonly client: Link["client"],
    private readonly onRefused: (err: ErrorReply) => void,
    private readonly onMoved: () => void,
  ) {
    client.on("sharded-channel-moved", (channel: string) => {
      this.subscribed.delete(channel);
      if (this.wanted.has(channel)) this.refused.add(channel);
      onMoved();
    });
  }

  add(channel: string, listener: Listener): void {
    this.wanted.set(channel, listener);
    this.update(channel);
  }

  remove(channel: string): void {
    this.wanted.delete(channel);
    this.update(channel);
  }

  has(channel: string): boolean {
    return this.subscribed.has(channel);
  }

  /** The subscriptions on their way, of channels that begin like this. Each ends when Redis has answered, or is lost. */
  pending(channel: string): Promise<void>[] {
    const names = [...this.updates.keys()].filter((name) => name.startsWith(channel) && this.wanted.has(name));
    return names.map((name) => this.updates.get(name)!);
  }

  /** Tries again what Redis has refused. */
  retry(): void {
    for (const channel of this.refused) this.update(channel);
    this.refused.clear();
  }

  /** node-redis has repeated its subscriptions; now for what came and went while Redis was lost. */
  async restore(): Promise<void> {
    this.subscribed.clear();
    for (const channel of this.client.getPubSubListeners("SHARDED").keys()) this.subscribed.add(channel);
    for (const channel of new Set([...this.wanted.keys(), ...this.subscribed])) this.update(channel);
    await Promise.all(this.updates.values());
  }

  private update(channel: string): void {
    // one at a time: node-redis forgets who listens where a subscription comes soon after its unsubscription
    const update: Promise<void> = Promise.resolve(this.updates.get(channel))
      .then(() => this.adjust(channel))
      .catch((err) => this.onFailed(channel, err))
      .finally(() => this.updates.get(channel) === update && this.updates.delete(channel));
    this.updates.set(channel, update);
  }

  /** Subscribes or unsubscribes, as is wanted. */
  private async adjust(channel: string): Promise<void> {
    const { client, wanted, subscribed } = this;
    if (!client.isReady || wanted.has(channel) === subscribed.has(channel)) return;
    subscribed.delete(channel);
    // also where Redis has ended the subscription itself: node-redis takes that for the answer to the command on its way
    if (client.getPubSubListeners("SHARDED").has(channel)) await client.sUnsubscribe(channel);
    if (!wanted.has(channel)) return;
    await client.sSubscribe(channel, (message, from) => wanted.get(channel)?.(message, from), true);
    subscribed.add(channel);
  }

  private onFailed(channel: string, err: unknown): void {
    if (!(err instanceof ErrorReply) || !this.wanted.has(channel)) return; // without a connection, `restore` does it again
    this.refused.add(channel);
    if (err.message.startsWith("MOVED")) this.onMoved();
    else this.onRefused(err);
  }
}

// subscriptions.ts: the channels of one connection. node-redis forgets those that were on their way when Redis was lost,
// and loses count where Redis itself ends one because its slot moves.

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
    this.refused.delete(channel);
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

  /** Whether Redis has refused some. */
  get areRefused(): boolean {
    return this.refused.size > 0;
  }

  /** Tries again what Redis has refused; resolves when it has answered. */
  async retry(): Promise<void> {
    const refused = [...this.refused];
    this.refused.clear();
    await this.subscribeTo(refused);
  }

  /** Subscribes to all that is wanted, on a new connection; resolves when Redis has answered, or is lost. */
  async restore(): Promise<void> {
    this.subscribed.clear();
    this.refused.clear();
    await this.subscribeTo(this.wanted.keys());
  }

  private async subscribeTo(channels: Iterable<string>): Promise<void> {
    for (const channel of channels) this.update(channel);
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

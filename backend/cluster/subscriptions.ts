// subscriptions.ts: which channels this node is to hear. ioredis remembers them too, and subscribes again by itself where a
// slot moves; but it does not say how that went, and it forgets what was on its way when Redis was lost.

import { masterOf, type Client } from "./client";

/** What is called with each message of a channel. */
export type Listener = (message: Buffer, channel: Buffer) => void;

/** The channels of a node. */
export class Subscriptions {
  /** What this node is to hear. A change is told to Redis with {@link update}. */
  readonly wanted = new Map<string, Listener>();
  /** What Redis has confirmed, each with the master that it belonged to. */
  readonly confirmed = new Map<string, string>();
  private readonly told = new Set<string>(); // what ioredis knows
  private readonly updates = new Map<string, Promise<void>>(); // on their way

  /** @param onFailed - called with the reason where Redis has not done what it was told */
  constructor(
    private readonly client: Client,
    private readonly onFailed: (err: Error) => void,
  ) {
    client.on("smessageBuffer", (channel: Buffer, message: Buffer) => {
      try {
        this.wanted.get(String(channel))?.(message, channel);
      } catch (err) {
        console.error(`The application failed on a message of another node: ${err}`); // it would end the process
      }
    });
  }

  /** Whether Redis has confirmed it at the master that the channel has now, or will say so. */
  isSettled(channel: string): boolean {
    return this.updates.has(channel) || this.confirmed.get(channel) === masterOf(this.client, channel);
  }

  /** The subscriptions on their way, of channels that begin like this. Each ends when Redis has answered, or is lost. */
  pending(channel: string): Promise<void>[] {
    const isPending = ([name]: [string, Promise<void>]) => name.startsWith(channel) && this.wanted.has(name);
    return [...this.updates].filter(isPending).map(([, update]) => update);
  }

  /** Tells Redis whether a channel is wanted: one command at a time. */
  update(channel: string): void {
    const update = Promise.resolve(this.updates.get(channel))
      .then(() => this.tell(channel))
      .catch(this.onFailed)
      .finally(() => this.updates.get(channel) === update && this.updates.delete(channel));
    this.updates.set(channel, update);
  }

  /** Does so again for all of these channels; resolves with whether Redis has confirmed every one. */
  async renew(isConcerned: (channel: string) => boolean): Promise<boolean> {
    const channels = [...new Set([...this.wanted.keys(), ...this.told])].filter(isConcerned);
    for (const channel of channels) this.update(channel);
    await Promise.all(channels.map((channel) => this.updates.get(channel)));
    return channels.every((channel) => this.wanted.has(channel) === this.confirmed.has(channel));
  }

  private async tell(channel: string): Promise<void> {
    const { client, told, confirmed } = this;
    const master = masterOf(client, channel);
    confirmed.delete(channel);
    // ioredis keeps a channel as often as it is told to. Redis reads both commands in one go: nothing is lost in between.
    const left = told.has(channel) ? client.sunsubscribe(channel) : undefined;
    if (this.wanted.has(channel)) {
      told.add(channel);
      await Promise.all([left, client.ssubscribe(channel)]);
      confirmed.set(channel, master);
    } else {
      await left;
      told.delete(channel);
    }
  }
}

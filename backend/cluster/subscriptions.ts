// subscriptions.ts: which channels this node is to hear, and on which master it hears each. A lost master forgets all its
// channels. A master whose slots move forgets some. So Redis is asked again, until each is confirmed.

import type { Redis } from "ioredis";
import { isMoved, isRefusal } from "./errors";
import { channelsOn, masterOf, subscriberOf, type Client } from "./servers";

const ATTEMPTS = 5; // to subscribe while the slot moves; few, because peers wait for all of them

/** What is called with each message of a channel, as the adapter wants it. */
export type Listener = (message: Buffer, channel: Buffer) => void;

/** The channels of a node. */
export class Subscriptions {
  private readonly wanted = new Set<string>();
  private readonly listeners = new Map<string, Listener>(); // also of channels that Redis has not ended yet
  private readonly confirmed = new Map<string, Redis>(); // the master on which a channel is heard, as Redis has said
  private readonly updates = new Map<string, Promise<void>>(); // what Redis is being asked now

  /**
   * @param slotsAreKnown - resolves when the client has been told anew which masters have the slots
   * @param onFailed - called with the reason where Redis has not done what it was asked for
   */
  constructor(
    private readonly client: Client,
    private readonly slotsAreKnown: () => Promise<void>,
    private readonly onFailed: (err: Error) => void,
  ) {}

  /** From now on the node is to hear a channel. */
  want(channel: string, listener: Listener): void {
    this.wanted.add(channel);
    this.listeners.set(channel, listener);
    this.update(channel);
  }

  /** The node is to hear a channel no longer. Until Redis has ended it, others count on an answer, and get one. */
  drop(channel: string): void {
    this.wanted.delete(channel);
    this.update(channel);
  }

  /** Hands a message to its listener. An error in the application would end the process. */
  onMessage(message: Buffer, channel: Buffer): void {
    try {
      if (message.length > 0) this.listeners.get(String(channel))?.(message, channel); // an empty one counts the nodes
    } catch (err) {
      console.error(`The application failed on a message of another node: ${err}`);
    }
  }

  /** Whether this node hears a channel on this master. */
  isHeardOn(master: Redis | undefined, channel: string): boolean {
    return master !== undefined && this.confirmed.get(channel) === master;
  }

  /** Whether this node hears all of these channels that it is to hear, each on the master that has it now. */
  hearsAll(which: (channel: string) => boolean): boolean {
    return [...this.wanted].filter(which).every((channel) => this.isHeardOn(masterOf(this.client, channel), channel));
  }

  /** What is on its way for the channels whose names begin like this: each ends when Redis has answered, or is lost. */
  updatesOf(prefix: string): Promise<void>[] {
    return [...this.updates].filter(([channel]) => channel.startsWith(prefix)).map(([, update]) => update);
  }

  /**
   * A master has ended subscriptions by itself, since their slots have moved. They are made anew when the slots are known.
   * (Not at once, even if this node knows already: the new master may still send what has come from the former one.)
   */
  followSlots(master: Redis): void {
    for (const channel of this.forgetEnded(master)) this.update(channel, this.slotsAreKnown());
  }

  /** Forgets the channels that a master does not send any more, and returns them. */
  private forgetEnded(master: Redis): string[] {
    const stillSent = channelsOn(master);
    const ended: string[] = [];
    for (const [channel, at] of this.confirmed) {
      if (at !== master || stillSent.has(channel)) continue;
      this.confirmed.delete(channel);
      ended.push(channel);
    }
    return ended;
  }

  /** Asks Redis again for each channel that is not as it is wanted; resolves when it has answered. */
  async renew(): Promise<void> {
    for (const master of new Set(this.confirmed.values())) this.forgetEnded(master);
    for (const channel of this.listeners.keys()) {
      if (!this.isAsWanted(channel) && !this.updates.has(channel)) this.update(channel);
    }
    await Promise.all(this.updates.values());
  }

  /** Also true where no master has the channel now: there is nobody to ask. */
  private isAsWanted(channel: string): boolean {
    const master = masterOf(this.client, channel);
    return this.wanted.has(channel) && (!master || this.isHeardOn(master, channel));
  }

  /** Brings a channel to what is wanted now, after what is on its way for it. */
  private update(channel: string, after?: Promise<void>): void {
    const update = Promise.all([this.updates.get(channel), after])
      .then(() => (this.wanted.has(channel) ? this.subscribe(channel) : this.unsubscribe(channel)))
      .catch(this.onFailed)
      .finally(() => {
        if (this.updates.get(channel) === update) this.updates.delete(channel); // else another one follows
      });
    this.updates.set(channel, update);
  }

  private async subscribe(channel: string): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const master = masterOf(this.client, channel);
      if (!master) return; // masters.ts calls `renew` when there is one
      try {
        await subscriberOf(master).ssubscribe(channel); // where that is so already, it does no harm
        this.confirmed.set(channel, master);
        return;
      } catch (err) {
        if (!isMoved(err as Error) || attempt === ATTEMPTS) throw err;
        await this.slotsAreKnown();
      }
    }
  }

  private async unsubscribe(channel: string): Promise<void> {
    const master = this.confirmed.get(channel);
    try {
      if (master) await subscriberOf(master).sunsubscribe(channel);
    } catch (err) {
      if (isRefusal(err as Error)) throw err; // it is still confirmed, and this is tried again
    }
    this.confirmed.delete(channel);
    if (!this.wanted.has(channel)) this.listeners.delete(channel); // it may be wanted again by now
  }
}

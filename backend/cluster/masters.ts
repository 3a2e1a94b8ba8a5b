// masters.ts: which masters are lost, as the log tells it; one Redis is a master too. ioredis connects again by itself. It
// does not notice that a master is frozen, and does not know when all channels are there again.

import { Cluster } from "ioredis";
import { channelAt, masterOf, mastersOf, type Client } from "./client";
import { isRefusal, plain } from "./plain";
import type { Subscriptions } from "./subscriptions";

const EVERY = 1000; // milliseconds from one question to a master to the next

/** The masters of a Redis Cluster, or one Redis. */
export class Masters {
  private readonly lost = new Set<string>();
  private readonly asked = new Set<string>(); // those whose answer is to come
  private readonly reasons = new Map<string, Error>();
  private readonly clock = setInterval(() => this.check(), EVERY);

  /** @param name - of the server in messages */
  constructor(
    private readonly client: Client,
    private readonly name: string,
    private readonly subscriptions: Subscriptions,
  ) {
    client
      .on("error", (err: Error) => this.reasons.set("", err))
      .on("nodeError", (err: Error, master: string) => this.reasons.set(master, err))
      .on("close", () => mastersOf(client).forEach((master) => this.onLost(master)))
      .on("-node", (_redis, master?: string) => master && this.onLost(master)) // its connection for subscriptions
      .on("ready", () => this.check())
      .on("subscribersReady", () => mastersOf(client).forEach((master) => this.lost.has(master) && this.ask(master)));
  }

  /** Whether the master of a channel is lost: then nothing is sent, for it could arrive late. */
  isLost(channel: string): boolean {
    return this.client.status !== "ready" || (this.lost.size > 0 && this.lost.has(masterOf(this.client, channel)));
  }

  /** From now on nothing is watched. */
  stop(): void {
    clearInterval(this.clock);
    this.client.removeAllListeners("close").removeAllListeners("-node");
  }

  private check(): void {
    const { client, lost, subscriptions } = this;
    if (client instanceof Cluster) client.refreshSlotsCache();
    const masters = mastersOf(client);
    for (const master of masters) void this.ask(master);
    for (const master of lost) {
      if (!masters.has(master) && lost.delete(master)) console.log(`${this.nameOf(master)} is replaced.`);
    }
    // once a minute, each channel of a Redis Cluster has its turn, in case ioredis has lost it where a slot moved
    const inTurn = client instanceof Cluster ? EVERY / 60_000 : 0;
    const isDue = (channel: string) => !subscriptions.isSettled(channel) || Math.random() < inTurn;
    void subscriptions.renew((channel) => !this.isLost(channel) && isDue(channel));
  }

  /** Asks a master for a sign of life: where there is none in 3 s, ioredis ends the connection. */
  private async ask(master: string): Promise<void> {
    const { client, asked, lost } = this;
    if (asked.has(master)) return;
    asked.add(master);
    const question = async () => client.sunsubscribe(channelAt(client, master));
    const answered = await question().then(() => true, isRefusal);
    if (answered && lost.has(master)) {
      const isBack = await this.subscriptions.renew((channel) => masterOf(client, channel) === master);
      if (isBack && lost.delete(master)) console.log(`${this.nameOf(master)} is back.`);
    }
    asked.delete(master);
  }

  private onLost(master: string): void {
    if (this.lost.has(master) || !mastersOf(this.client).has(master)) return;
    this.lost.add(master);
    const reason = plain(this.reasons.get(master) ?? new Error("the connection was closed"));
    this.reasons.delete(master);
    const meanwhile = "each node is on its own in the namespaces that it carries";
    console.error(`${this.nameOf(master)} is lost: ${reason}. Until it is back or replaced, ${meanwhile}.`);
  }

  private nameOf(master: string): string {
    return master ? `The master ${master} of ${this.name}` : this.name;
  }
}

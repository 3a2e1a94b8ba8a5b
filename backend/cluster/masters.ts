// masters.ts: which masters there are, and which are lost, as the log tells it. One Redis counts as a master. ioredis does
// not restore the connections of a Redis Cluster that publish: this file does. And ioredis notices a frozen master only
// while a command waits for an answer: so this file sends one each second.

import { setTimeout as pause } from "node:timers/promises";
import type { Redis } from "ioredis";
import { plain } from "./errors";
import {
  addressOf,
  askForSlots,
  connectionsOf,
  isReady,
  isReplaced,
  masterOf,
  mastersOf,
  rememberMasters,
  serversOf,
  subscriberOf,
  type Client,
} from "./servers";
import type { Subscriptions } from "./subscriptions";

const CHECK_EVERY = 1000; // milliseconds
const CHECK_EVERY_WHILE_LOST = 250; // the same while a master is lost: its replica may take over at any moment
const ASK_AFTER_MOVE = 100; // milliseconds until a Redis Cluster is asked for the slots: once for all that move meanwhile

/** The masters of a Redis Cluster, or one Redis. */
export class Masters {
  private known: Redis[] = []; // the masters that were told of last
  private readonly lost = new Set<string>(); // the addresses of those that the log calls lost
  private clock: NodeJS.Timeout | undefined;
  private asking: Promise<void> | undefined; // the question for the slots, while it is open
  private isOver = false;

  /** @param name - of the server in messages */
  constructor(
    private readonly client: Client,
    private readonly name: string,
    private readonly subscriptions: Subscriptions,
  ) {
    this.remember(mastersOf(client));
    const begin = (server: Redis) => {
      this.watch(server);
      this.listen(server);
    };
    serversOf(client).forEach(begin); // replicas too: one may become a master
    client.on("+node", begin); // a server that is new in the Redis Cluster
    this.checkAfter(CHECK_EVERY);
  }

  /** From now on nothing is watched. */
  stop(): void {
    clearTimeout(this.clock);
    this.isOver = true;
  }

  private checkAfter(milliseconds: number): void {
    clearTimeout(this.clock);
    this.clock = setTimeout(() => this.tick(), milliseconds);
  }

  private tick(): void {
    this.checkAfter(this.lost.size > 0 ? CHECK_EVERY_WHILE_LOST : CHECK_EVERY);
    // Where there is no answer in 3 s, ioredis ends the connection. HELLO needs no rights
    for (const connection of mastersOf(this.client).flatMap(connectionsOf)) connection.call("HELLO").catch(() => {});
    void this.check();
  }

  /** Notices when a connection to a server comes, and when it is lost. */
  private watch(server: Redis): void {
    for (const connection of connectionsOf(server)) {
      let reason: Error | undefined;
      connection
        .on("ready", () => {
          reason = undefined;
          void this.check();
        })
        .on("error", (err: Error) => (reason = err))
        .on("close", () => this.onClosed(server, reason));
    }
  }

  /** Passes on what a server says on the connection that hears. */
  private listen(server: Redis): void {
    let isQueued = false;
    subscriberOf(server)
      .on("ready", () => void this.subscriptions.renew()) // at once: Redis has forgotten what this connection has heard
      // Redis has ended a subscription by itself, since the slot has moved. All that it has ended in one go is looked at once
      .on("moved", () => {
        if (isQueued) return;
        isQueued = true;
        queueMicrotask(() => {
          isQueued = false;
          this.subscriptions.followSlots(server);
        });
      })
      .on("smessageBuffer", (channel: Buffer, message: Buffer) => {
        // a master that was frozen wakes up, and counts as lost on the other connection already: this comes too late
        if (isReady(server)) this.subscriptions.onMessage(message, channel);
      });
  }

  private onClosed(server: Redis, reason = new Error("the connection was closed")): void {
    const address = addressOf(server);
    if (this.isOver || this.lost.has(address) || !this.known.includes(server)) return;
    this.lost.add(address);
    this.checkAfter(CHECK_EVERY_WHILE_LOST);
    const meanwhile = "each node is on its own in the namespaces that it carries";
    console.error(`${this.nameOf(address)} is lost: ${plain(reason)}. Until it is back or replaced, ${meanwhile}.`);
  }

  /** Resolves when a Redis Cluster has been asked anew who has the slots. */
  slotsAreKnown(): Promise<void> {
    this.asking ??= pause(ASK_AFTER_MOVE).then(() => {
      this.asking = undefined; // what moves from now on is asked for once more
      return this.findMasters();
    });
    return this.asking;
  }

  private remember(masters: Redis[]): void {
    this.known = masters;
    rememberMasters(this.client, masters);
  }

  /** Asks a Redis Cluster who its masters are; connects to all of them, and hears no replica. */
  private async findMasters(): Promise<void> {
    await askForSlots(this.client);
    if (this.client.status !== "ready") return; // lost, or over: ioredis does not know yet which of the servers are masters
    const masters = mastersOf(this.client);
    if (masters.length > 0) this.remember(masters); // none: the server that was asked is in no Redis Cluster now
    for (const connection of masters.flatMap(connectionsOf)) {
      // "wait": it was never needed. "end": it is closed, since it was lost, or since its server was a replica
      if (connection.status === "wait" || connection.status === "end") connection.connect().catch(() => {});
    }
    // A master that was frozen and is a replica now sends what its successor sends too: it must not be heard on both
    for (const replica of serversOf(this.client).filter((server) => !masters.includes(server))) {
      if (subscriberOf(replica).status === "ready") subscriberOf(replica).disconnect();
    }
  }

  /** Looks after all that may have changed. */
  private async check(): Promise<void> {
    await this.findMasters();
    if (this.isOver) return;
    await this.subscriptions.renew();
    this.tellWhatIsBack();
  }

  private tellWhatIsBack(): void {
    for (const address of this.lost) {
      const fate = this.fateOf(address);
      if (!fate) continue;
      this.lost.delete(address);
      console.log(`${this.nameOf(address)} is ${fate}.`);
    }
  }

  /** What has become of a lost master; nothing, as long as there are channels that this node does not hear because of it. */
  private fateOf(address: string): "back" | "replaced" | undefined {
    const { client, subscriptions } = this;
    if (isReplaced(client, address)) return subscriptions.hearsAll(() => true) ? "replaced" : undefined;
    const master = mastersOf(client).find((master) => addressOf(master) === address);
    if (!master || !isReady(master)) return undefined;
    return subscriptions.hearsAll((channel) => masterOf(client, channel) === master) ? "back" : undefined;
  }

  private nameOf(address: string): string {
    return this.client.isCluster ? `The master ${address} of ${this.name}` : this.name;
  }
}

// link.ts: a connection to one Redis server. node-redis finds a lost Redis again. It does not notice a frozen one, and it
// never comes to an end where it has many channels to subscribe to again.

import { createClient, ErrorReply } from "redis";
import { plain, within } from "./plain";
import { Subscriptions } from "./subscriptions";

/** Milliseconds from one ping to the next, and from one attempt to reach a lost Redis to the next. */
export const EVERY = 1000;
const SOON = 50; // milliseconds to the first attempts, for what is over in a moment
const PINGS = 3; // that go without an answer before Redis counts as lost
const START_WITHIN = 3000; // milliseconds that Redis gets to let this node in
const CLOSE_WITHIN = 250; // milliseconds that Redis gets to take the last messages of a node that leaves

// node-redis takes 40 ms to make a client, in which nobody is served; a copy of this one takes none.
// RESP 3: in the older protocol, a connection that is subscribed may not publish
const model = createClient({ RESP: 3, disableOfflineQueue: true });

/** What a {@link Link} tells. */
export interface Reports {
  /** The link is lost: why. */
  onLost: (reason: string) => void;
  /** The link is back, and with it all subscriptions. */
  onBack: () => void;
  /** Redis has refused a subscription; the link tries again. */
  onRefused: (err: ErrorReply) => void;
  /** Some channels belong to another server of the Redis Cluster now. */
  onMoved: () => void;
}

/** A connection to one Redis server. */
export class Link {
  readonly client;
  readonly subscriptions: Subscriptions;
  private clock: NodeJS.Timeout | undefined;
  private unanswered = 0;
  private state: "starting" | "connected" | "lost" | "closed" = "starting";

  /** @throws Error where the package `redis` is too old */
  constructor(
    readonly url: URL,
    private readonly reports: Reports,
  ) {
    // at the start there is one attempt
    const reconnectStrategy = (retries: number) => this.state !== "starting" && (retries < 3 ? SOON : EVERY);
    const socketTimeout = 10_000; // ms, for a handshake that is never answered; pings keep it from running out later
    const socket = { reconnectStrategy, socketTimeout };
    this.client = model.duplicate({ url: url.href, socket });
    if (!this.client.destroy) throw new Error("the package redis is older than version 5; 5 and 6 work");
    this.client
      .on("error", (err) => this.onError(err))
      .on("connect", () => this.onConnect())
      .on("ready", () => void this.onReady());
    this.subscriptions = new Subscriptions(this.client, reports.onRefused, reports.onMoved);
  }

  get isLost(): boolean {
    return this.state === "lost";
  }

  /** Connects; rejects with the first error, or after 3 s. */
  async start(): Promise<void> {
    const failed = new Promise<never>((_, reject) => this.client.once("error", reject));
    await within(START_WITHIN, Promise.race([failed, this.client.connect()]));
  }

  /** Proves that this node may do all that it will have to, and hears what it says; rejects if not, or after 3 s. */
  async prove(channel: string): Promise<void> {
    const { client } = this;
    const proof = async () => {
      let onHeard = () => {};
      const heard = new Promise<void>((resolve) => (onHeard = resolve));
      await client.sSubscribe(channel, onHeard);
      await client.sPublish(channel, "");
      await heard;
      await this.count(channel);
      await client.sUnsubscribe(channel);
    };
    await within(START_WITHIN, proof());
  }

  /** From now on the link finds Redis again where that is lost, or is not there yet. */
  stay(): void {
    this.state = "connected";
    this.clock = setInterval(() => this.onTick(), EVERY).unref();
    this.client.unref(); // a server that cannot listen ends by itself
    if (!this.client.isOpen) this.client.connect().catch(() => {});
  }

  /** How many nodes have a channel, with this one in any case; it does not wait for what is pending. */
  async count(channel: string): Promise<number> {
    const [, count] = await this.client.sendCommand<[string, number]>(["PUBSUB", "SHARDNUMSUB", channel]);
    return this.subscriptions.has(channel) ? count : count + 1;
  }

  /** Ends the connection when `last` is done and Redis has what was published, or after a quarter of a second. */
  async close(last: Promise<void> = Promise.resolve()): Promise<void> {
    this.state = "closed";
    clearInterval(this.clock);
    const { client } = this;
    if (client.isReady)
      await within(
        CLOSE_WITHIN,
        last.then(() => client.ping()), // `client.close` would wait for a frozen Redis, and could not be cut short
      ).catch(() => {});
    if (client.isOpen) client.destroy();
  }

  private onTick(): void {
    if (!this.client.isReady) return;
    void this.subscriptions.retry().then(() => this.onSubscribed());
    void this.ping();
  }

  // A frozen Redis keeps its connections open, and node-redis' own timeout begins anew with all that is written. Pings
  // are counted, and not the time: a process that was busy reads the answers before it sends the next one.
  private async ping(): Promise<void> {
    if (this.unanswered++ === PINGS) return this.onError(new Error(`no answer for ${(PINGS * EVERY) / 1000} s`));
    const answered = await this.client.ping().catch((err) => err instanceof ErrorReply); // a refusal is an answer too
    if (answered) this.unanswered = 0;
  }

  private onError(reason: unknown): void {
    if (this.state === "connected") {
      this.state = "lost";
      this.reports.onLost(plain(reason));
    } else if (this.isLost && reason instanceof ErrorReply) this.reports.onRefused(reason);
    if (!this.client.isReady || this.state === "closed") return; // node-redis connects again by itself
    this.client.destroy();
    this.client.connect().catch(() => {});
  }

  private onConnect(): void {
    // From 255 channels or so, node-redis cannot write all subscriptions of its handshake, and waits forever. Those that
    // it does not know are made when it is ready.
    this.client.getPubSubListeners("SHARDED").clear();
    if (this.state === "closed") this.client.destroy(); // which misses a connection that is just being made
  }

  private async onReady(): Promise<void> {
    this.unanswered = 0;
    await this.subscriptions.restore();
    this.onSubscribed();
  }

  private onSubscribed(): void {
    if (!this.isLost || !this.client.isReady || this.subscriptions.areRefused) return; // closed, or lost again, or not yet
    this.state = "connected";
    this.reports.onBack();
  }
}

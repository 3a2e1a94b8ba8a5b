// link.ts: why a Redis client is not enough for the adapter. Socket.IO's sharded adapter takes Redis for granted: it waits
// for Redis before it tells even this node's own peers, and a command that fails would end the process. node-redis finds
// a lost Redis again and repeats its subscriptions, but forgets those on the way. A link adds what the two of them need.

import { createClient } from "redis";

const EVERY = 1000; // milliseconds from one ping to the next, and from one attempt to reach a lost Redis to the next
const PINGS = 3; // that go without an answer before Redis counts as lost
const START_WITHIN = 3000; // milliseconds that Redis gets to let this node in
const CLOSE_WITHIN = 250; // milliseconds that Redis gets to take the last messages of a node that leaves
type Listener = (message: Buffer, channel: Buffer) => void;

/** A connection to Redis for `createShardedAdapter`, with the four methods of node-redis that the adapter calls. */
export class Link {
  private readonly name: string; // for messages: without user, password and options
  private readonly client: ReturnType<typeof createClient>;
  private readonly wanted = new Map<string, Listener>(); // node-redis forgets a command that is on its way
  private readonly updates = new Map<string, Promise<void>>();
  private readonly clock: NodeJS.Timeout;
  private unanswered = 0;
  private state: "starting" | "connected" | "lost" | "closed" = "starting";

  private constructor(url: string) {
    const { protocol, host, pathname } = new URL(url);
    const reconnectStrategy = () => this.state !== "starting" && EVERY; // at the start there is one attempt
    const socketTimeout = 10_000; // ms, for a handshake that is never answered; pings keep it from running out later
    this.name = `REDIS_URL ${protocol}//${host}${pathname}`;
    this.client = createClient({ url, socket: { reconnectStrategy, socketTimeout }, disableOfflineQueue: true });
    this.client.on("error", (err) => this.onLost(err)).on("ready", () => void this.onReady());
    this.clock = setInterval(() => void this.ping(), EVERY).unref();
  }

  /**
   * @param url - the address of a Redis server, `redis://[[user]:password@]host[:port]`
   * @throws Error whose message is one plain sentence, without the password, where that server cannot be used
   */
  static async to(url: string): Promise<Link> {
    let link: Link;
    try {
      link = new Link(url);
    } catch {
      throw new Error("REDIS_URL must be the address of a Redis server, such as redis://localhost:6379.");
    }
    try {
      await within(START_WITHIN, link.client.connect());
      await within(START_WITHIN, link.client.sPublish("socket.io#", "")); // for nobody: to see whether this user may
    } catch (err) {
      await link.close();
      throw new Error(`${link.name} cannot be used: ${reasonOf(err)}.`);
    }
    link.state = "connected";
    link.client.unref(); // a server that cannot listen ends by itself
    return link;
  }

  sSubscribe(channel: string, listener: Listener): void {
    this.wanted.set(channel, listener);
    void this.update(channel);
  }

  sUnsubscribe(channel: string): void {
    this.wanted.delete(channel);
    void this.update(channel);
  }

  /** Subscribes or unsubscribes, as is wanted; resolves when Redis has confirmed it, or is lost. */
  update(channel: string): Promise<void> {
    const { client, wanted, updates } = this;
    // one at a time: node-redis forgets who listens where a subscription comes soon after its unsubscription
    const update: Promise<void> = Promise.resolve(updates.get(channel))
      .then(() => {
        const subscribed = client.getPubSubListeners("SHARDED").has(channel);
        if (!client.isReady || wanted.has(channel) === subscribed) return;
        if (subscribed) return client.sUnsubscribe(channel);
        return client.sSubscribe(channel, (message, from) => wanted.get(channel)?.(message, from), true);
      })
      .catch(() => {}) // the connection is lost; `onReady` does it again
      .finally(() => updates.get(channel) === update && updates.delete(channel));
    updates.set(channel, update);
    return update;
  }

  /** Does not wait, since the adapter tells this node's peers after it. What cannot be sent at once is dropped. */
  async sPublish(channel: string, message: string | Buffer): Promise<void> {
    this.client.sPublish(channel, message).catch(() => {}); // the log has the reason
  }

  /** Here the adapter asks how many nodes have a namespace. It catches no error; without Redis there is this one. */
  async sendCommand(command: ["PUBSUB", "SHARDNUMSUB", string]): Promise<unknown> {
    return this.client.sendCommand(command).catch(() => [command[2], 1]);
  }

  /** Ends the connection when Redis has what was published, after a quarter of a second at the latest. */
  async close(): Promise<void> {
    this.state = "closed";
    clearInterval(this.clock);
    if (this.client.isReady) await within(CLOSE_WITHIN, this.client.close()).catch(() => {});
    this.client.destroy();
  }

  // A frozen Redis keeps its connections open, and node-redis' own timeout begins anew with all that is written. Pings
  // are counted, and not the time: a process that was busy reads the answers before it sends the next one.
  private async ping(): Promise<void> {
    if (!this.client.isReady) return;
    if (this.unanswered++ === PINGS) return this.onLost(new Error(`no answer for ${(PINGS * EVERY) / 1000} s`));
    if (await this.client.ping().catch(() => "")) this.unanswered = 0;
  }

  private onLost(reason: unknown): void {
    if (this.state === "connected") {
      console.error(`${this.name} is lost: ${reasonOf(reason)}. Until it is back, this node is on its own.`);
      this.state = "lost";
    }
    if (!this.client.isReady || this.state === "closed") return; // node-redis connects again by itself
    this.client.destroy();
    this.client.connect().catch(() => {});
  }

  /** node-redis has repeated its subscriptions; now for what came and went while Redis was lost. */
  private async onReady(): Promise<void> {
    const { client, wanted } = this;
    this.unanswered = 0;
    const channels = new Set([...wanted.keys(), ...client.getPubSubListeners("SHARDED").keys()]);
    await Promise.all([...channels].map((channel) => this.update(channel)));
    if (this.state !== "lost" || !client.isReady) return; // closed, or lost again
    this.state = "connected";
    console.log(`${this.name} is back.`);
  }
}

/** Without the full stop, and in plain words where those of Redis are not. */
function reasonOf(err: unknown): string {
  const { message, code } = err as NodeJS.ErrnoException; // a name with several addresses fails without a message
  if (message.startsWith("NOAUTH")) return "it wants a password";
  if (message.startsWith("WRONGPASS")) return "it wants another user name or password";
  if (message.startsWith("NOPERM")) return "it does not let this user publish";
  if (message.includes("unknown command")) return "it is older than version 7"; // the first with sharded channels
  if (message.startsWith("Socket timeout")) return "no answer";
  return message.split(/\.(?:\s|$)/)[0] || code || "no reason given";
}

/** Rejects when a promise takes longer than this many milliseconds. */
export function within<T>(milliseconds: number, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = new Error(`no answer within ${milliseconds / 1000} s`);
    const timer = setTimeout(() => setImmediate(reject, late), milliseconds); // an answer that has come is read first
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

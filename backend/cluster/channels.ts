// channels.ts: the client that Socket.IO's sharded adapter gets in place of a real one. The adapter calls the methods of the
// package `redis` for sharded channels: `sSubscribe`, `sUnsubscribe`, `sPublish`, `sendCommand`. Here they do three things
// in another way. They use plain channels, which are the same on every server of a Redis Cluster. They do not wait for
// Redis, so that this node's own peers have each other while it is away. And nothing that Redis refuses ends the process.

import { connect } from "./connect";
import { isRefusal, plain } from "./errors";
import { Servers, type Client } from "./servers";
import { upTo, within } from "./time";

const CHECK_EVERY = 500; // milliseconds
const LOG_EVERY = 60_000; // milliseconds in which the same refusal is logged once
const COUNT_WITHIN = 1000; // milliseconds that Redis gets to say how many nodes hear a channel
const CLOSE_WITHIN = 250; // milliseconds that Redis gets to take the last messages of a node that leaves

/** What is called with each message of a channel, as the adapter wants it. */
type Listener = (message: Buffer, channel: Buffer) => void;

/** A channel that this node wants to hear, or whose subscription Redis has not ended yet. */
interface Channel {
  listener: Listener;
  isWanted: boolean;
  isHeard: boolean; // as Redis has confirmed
  requests: number; // that are not answered yet
  answered: Promise<void>; // resolves when Redis has answered the last request, or is lost
}

/** The channels of a node. */
export class Channels {
  private readonly channels = new Map<string, Channel>();
  private readonly servers: Servers;
  private readonly clock = setInterval(() => this.check(), CHECK_EVERY);
  private readonly loggedAt = new Map<string, number>(); // when each refusal was logged last

  private constructor(
    client: Client,
    private readonly redisName: string, // for the log
  ) {
    this.servers = new Servers(client, redisName, {
      onChosen: () => this.subscribeAnew(),
      onMessage: (channel, message) => this.onMessage(channel, message),
      onFailed: (err) => this.onFailed(err),
    });
  }

  /** See `Cluster.join`. */
  static async of(url: string): Promise<Channels> {
    const { client, redisName } = await connect(url);
    const channels = new Channels(client, redisName);
    await channels.servers.choose();
    return channels;
  }

  sSubscribe(name: string, listener: Listener): void {
    const known = this.channels.get(name);
    const channel = known ?? { listener, isWanted: true, isHeard: false, requests: 0, answered: Promise.resolve() };
    channel.listener = listener;
    channel.isWanted = true;
    this.channels.set(name, channel);
    this.request(name, channel);
  }

  /**
   * Until Redis has ended the subscription, it still counts this node, and other nodes wait for an answer of this node. So
   * the listener stays until then.
   */
  sUnsubscribe(name: string): void {
    const channel = this.channels.get(name);
    if (!channel) return;
    channel.isWanted = false;
    this.request(name, channel);
  }

  /** Asks Redis to begin or to end a subscription. */
  private request(name: string, channel: Channel): void {
    const { used } = this.servers;
    if (!used) return; // `subscribeAnew` does it when a server is chosen
    const { isWanted } = channel;
    channel.requests++;
    channel.answered = (isWanted ? used.subscribe(name) : used.unsubscribe(name))
      .then(() => {
        channel.isHeard = isWanted;
      })
      .catch((err) => this.onFailed(err))
      .finally(() => channel.requests--);
  }

  /** A server has been chosen. This node has no subscription there yet. */
  private subscribeAnew(): void {
    for (const channel of this.channels.values()) channel.isHeard = false;
    this.requestMissing();
  }

  /** Requests what Redis has not done, and is not doing now. Forgets the channels whose subscriptions have ended. */
  private requestMissing(): void {
    for (const [name, channel] of this.channels) {
      if (channel.requests > 0) continue;
      if (channel.isWanted !== channel.isHeard) this.request(name, channel);
      else if (!channel.isWanted) this.channels.delete(name);
    }
  }

  /** Twice a second: looks after the servers, and after the channels that are not as they are wanted. */
  private check(): void {
    this.servers.keepAlive();
    this.requestMissing();
    if ([...this.channels.values()].every(({ isHeard }) => isHeard)) this.servers.logIfBack();
  }

  /** Resolves when Redis has answered whether this node hears a channel, or is lost. */
  async settled(name: string): Promise<void> {
    await this.channels.get(name)?.answered;
  }

  private onMessage(channel: Buffer, message: Buffer): void {
    if (message.length === 0) return; // it was published to count the nodes
    try {
      this.channels.get(String(channel))?.listener(message, channel);
    } catch (err) {
      // it would end the process
      console.error(`The application failed on a message of another node: ${err}`);
    }
  }

  /**
   * Resolves at once: the adapter sends the message to this node's own peers only when this has resolved. If Redis is
   * lost, the message is dropped.
   */
  async sPublish(name: string, message: string | Buffer): Promise<void> {
    this.servers.used?.publish(name, message).catch((err) => this.onFailed(err));
  }

  /**
   * Publishes a question; resolves with the number of other nodes that hear it. It is 0 where this node does not hear the
   * channel itself: then it would not hear their answers.
   */
  async ask(name: string, question: string): Promise<number> {
    const { used } = this.servers;
    if (!used) return 0;
    // PUBLISH says how many nodes hear the channel on this server. The other servers have to be asked
    const others = this.servers.others().map(async (server) => Number((await server.pubsub("NUMSUB", name))[1]));
    const counts = [used.publish(name, question), ...others].map((count) => within(COUNT_WITHIN, count));
    let nodes = 0;
    for (const count of await Promise.allSettled(counts)) {
      if (count.status === "fulfilled") nodes += count.value;
      else this.onFailed(count.reason as Error);
    }
    // Redis answers in order: so it has answered by now, if this node has just asked for a subscription
    return this.channels.get(name)?.isHeard ? Math.max(0, nodes - 1) : 0;
  }

  /**
   * The adapter wants to know how many nodes hear a channel, this one included. An empty message is published to count
   * them: PUBSUB NUMSUB would need one more right on one Redis.
   */
  async sendCommand([, , name]: ["PUBSUB", "SHARDNUMSUB", string]): Promise<[string, number]> {
    return [name, 1 + (await this.ask(name, ""))];
  }

  /** Leaves Redis, when it has what was published, after a quarter of a second at the latest. */
  async close(): Promise<void> {
    clearInterval(this.clock);
    await upTo(CLOSE_WITHIN, this.servers.quit());
    this.servers.disconnect();
  }

  /** Logs a refusal, once a minute. servers.ts logs that Redis is lost. */
  private onFailed(err: Error): void {
    const reason = plain(err);
    if (!isRefusal(err) || Date.now() - (this.loggedAt.get(reason) ?? -Infinity) < LOG_EVERY) return;
    this.loggedAt.set(reason, Date.now());
    console.error(
      `${this.redisName} refuses what this node needs: ${reason}. The nodes may miss messages of each other.`,
    );
  }
}

// channels.ts: why a Redis client is not enough for the adapter. Socket.IO's sharded adapter takes Redis for granted: it
// waits for Redis before it tells even this node's own peers, and a command that fails would end the process. Its channels
// are sharded ones, each of which belongs to one master of a Redis Cluster. Here they are plain ones: nobody has to know
// which master has which.

import { connect } from "./connect";
import { isRefusal, plain, within } from "./errors";
import { Servers, type Client } from "./servers";

const CHECK_EVERY = 500; // milliseconds
const TELL_EVERY = 60_000; // milliseconds in which the same trouble is told once
const CLOSE_WITHIN = 250; // milliseconds that Redis gets to take the last messages of a node that leaves

/** What is called with each message of a channel, as the adapter wants it. */
type Listener = (message: Buffer, channel: Buffer) => void;

/** A channel that this node is to hear, or has not left yet. */
interface Channel {
  listener: Listener;
  isWanted: boolean;
  isHeard: boolean; // as Redis has said
  answered: Promise<void>; // when Redis has answered what it was told last, or is lost
}

/** The four methods of a client that `createShardedAdapter` calls, made safe, and what a node of a cluster needs. */
export class Channels {
  private readonly channels = new Map<string, Channel>();
  private readonly servers: Servers;
  private readonly clock = setInterval(() => this.check(), CHECK_EVERY);
  private readonly toldAt = new Map<string, number>(); // when each reason was logged last

  private constructor(
    client: Client,
    private readonly name: string, // for messages: without user, password and options
  ) {
    this.servers = new Servers(client, name, {
      onChanged: () => this.subscribeAnew(),
      onMessage: (channel, message) => this.onMessage(channel, message),
    });
    client.on("node error", (err: Error) => this.onFailed(err)); // ioredis has asked in vain which servers there are
  }

  /** See `Cluster.join`. */
  static async of(url: string): Promise<Channels> {
    const { client, name } = await connect(url);
    return new Channels(client, name);
  }

  sSubscribe(name: string, listener: Listener): void {
    const channel = this.channels.get(name) ?? { isHeard: false, answered: Promise.resolve() };
    const wanted = Object.assign(channel, { listener, isWanted: true });
    this.channels.set(name, wanted);
    this.tell(name, wanted);
  }

  /** Until Redis has ended the subscription, other nodes count on an answer: so the listener stays until then. */
  sUnsubscribe(name: string): void {
    const channel = this.channels.get(name);
    if (!channel) return;
    channel.isWanted = false;
    this.tell(name, channel);
  }

  /** Tells Redis whether this node wants a channel. */
  private tell(name: string, channel: Channel): void {
    const { used } = this.servers;
    if (!used) return; // `subscribeAnew` is called when there is a server again
    const { isWanted } = channel;
    channel.answered = (isWanted ? used.subscribe(name) : used.unsubscribe(name))
      .then(() => {
        if (used === this.servers.used) channel.isHeard = isWanted; // else it is lost, and with it what it has heard
      })
      .catch((err) => this.onFailed(err));
  }

  /** Another server knows nothing of this node's channels. */
  private subscribeAnew(): void {
    for (const channel of this.channels.values()) channel.isHeard = false;
    this.renew();
  }

  /** Tells Redis what it has not been told, or has refused; forgets the channels that it has ended. */
  private renew(): void {
    for (const [name, channel] of this.channels) {
      if (channel.isWanted !== channel.isHeard) this.tell(name, channel);
      else if (!channel.isWanted) this.channels.delete(name);
    }
  }

  /** Called again and again. */
  private check(): void {
    this.servers.check();
    this.renew();
    if ([...this.channels.values()].every(({ isHeard }) => isHeard)) this.servers.tellIfBack();
  }

  /** Resolves when Redis has answered whether this node hears a channel, or is lost. */
  async settled(name: string): Promise<void> {
    await this.channels.get(name)?.answered;
  }

  private onMessage(channel: Buffer, message: Buffer): void {
    if (message.length === 0) return; // see `sendCommand`
    try {
      this.channels.get(String(channel))?.listener(message, channel);
    } catch (err) {
      // it would end the process
      console.error(`The application failed on a message of another node: ${err}`);
    }
  }

  /** Does not wait, since the adapter tells this node's peers after it. Where Redis is lost, the message is dropped. */
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
    // PUBLISH says how many nodes hear the channel on this server. The others have to be asked
    const others = this.servers.others().map(async (server) => Number((await server.pubsub("NUMSUB", name))[1]));
    let nodes = 0;
    for (const count of await Promise.allSettled([used.publish(name, question), ...others])) {
      if (count.status === "fulfilled") nodes += count.value;
      else this.onFailed(count.reason as Error);
    }
    // A subscription that this node has told Redis before is answered by now: Redis keeps the order
    return this.channels.get(name)?.isHeard ? Math.max(0, nodes - 1) : 0;
  }

  /** The adapter wants to know how many nodes will answer, this one included. To count them, an empty message is published. */
  async sendCommand([, , name]: ["PUBSUB", "SHARDNUMSUB", string]): Promise<[string, number]> {
    return [name, 1 + (await this.ask(name, ""))];
  }

  /** Leaves Redis, when it has what was published, after a quarter of a second at the latest. */
  async close(): Promise<void> {
    clearInterval(this.clock);
    await within(CLOSE_WITHIN, this.servers.quit()).catch(() => {});
    this.servers.disconnect();
  }

  /** Tells of a refusal, once a minute for each reason. servers.ts tells of lost connections. */
  private onFailed(err: Error): void {
    const reason = plain(err);
    if (!isRefusal(err) || Date.now() - (this.toldAt.get(reason) ?? -Infinity) < TELL_EVERY) return;
    this.toldAt.set(reason, Date.now());
    console.error(`${this.name} refuses what this node needs: ${reason}. Some messages do not reach other nodes.`);
  }
}

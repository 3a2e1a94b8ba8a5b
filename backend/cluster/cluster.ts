// adapter.ts: one node of a cluster. It is loaded only where REDIS_URL is set.
//
// Socket.IO's sharded Redis adapter carries what is emitted in a namespace to the other nodes that have it. It takes
// Redis for granted: it waits for Redis before it tells even its own peers, and an error of Redis would end the process.
// So it is given a `Link` in place of a Redis client: one that neither waits nor fails, and that mends itself.

import { randomUUID } from "node:crypto";
import type { EventEmitter } from "node:events";
import { setImmediate as tick, setTimeout as pause } from "node:timers/promises";
import { createShardedAdapter } from "@socket.io/redis-adapter";
import { createClient } from "redis";
import type { Namespace, Server } from "socket.io";
import { namespacesOf } from "../namespaces/internals";
import type { RouteEvents } from "../io-handler";

/** Milliseconds from one look whether Redis is still there to the next, and from one attempt to find it again. */
const LOOK_EVERY = 1000;

/** How many looks in a row may go without an answer before Redis counts as lost. */
const LOOKS = 3;

/** Milliseconds that Redis gets to let this node in. */
const ANSWER_WITHIN = 3000;

/** Milliseconds that a peer waits for the other nodes, at most: to join, or to be counted. */
const PATIENCE = 1000;

const OLDEST_REDIS = 7; // the first with sharded channels

// The adapter's channels are `socket.io#<namespace>#`, and `socket.io#<namespace>#<node>#` for answers. These are ours:
const QUESTIONS = "socket.io-first-peer#questions";
const answersTo = (node: string) => `socket.io-first-peer#answers#${node}`;

type Listener = (message: Buffer, channel: Buffer) => void;
type Client = ReturnType<typeof clientOf>;

/**
 * This process as a node of a cluster: everything that is emitted in a namespace reaches its peers on every node.
 *
 * While Redis is away, each node's peers have each other; what the other nodes miss in the meantime is not made up for.
 */
export class Cluster {
  private readonly id = randomUUID();
  private readonly counts = new Set<Promise<number>>();
  private readonly open = new Map<number, (peers: number) => void>();
  private questions = 0;

  private constructor(private readonly link: Link) {}

  /**
   * @param url - the address of a Redis server, `redis://[[user]:password@]host[:port]`
   * @throws Error whose message is one plain sentence, without the password, where that server cannot be used
   */
  static async join(url: string): Promise<Cluster> {
    return new Cluster(await Link.to(url));
  }

  /**
   * Makes a server part of the cluster, before it listens.
   *
   * @param io - the server, without connection state recovery, which the sharded adapter does not support
   * @param ee - what `ioHandler` returned for it
   */
  serve<Route extends string>(io: Server, ee: EventEmitter<RouteEvents<Route>>): void {
    // "static": two channels for each namespace. The other modes add one for each room, and this project has no rooms.
    io.adapter(createShardedAdapter(this.link, this.link, { subscriptionMode: "static" }));

    // Whoever is in a namespace hears everything: nobody is let in before Redis knows that this node listens.
    (ee as EventEmitter<RouteEvents<string>>).on("namespace.created", (namespace) => {
      const heard = `socket.io#${namespace.name}#`;
      namespace.use((_socket, next) => void this.link.settled(heard).then(() => next()));
    });

    this.link.sSubscribe(QUESTIONS, (message) => {
      const { node, question, name } = JSON.parse(message.toString()) as {
        node: string;
        question: number;
        name: string;
      };
      if (node !== this.id)
        this.link.sPublish(answersTo(node), JSON.stringify({ question, peers: peersHere(io, name) }));
    });
    this.link.sSubscribe(answersTo(this.id), (message) => {
      const { question, peers } = JSON.parse(message.toString()) as { question: number; peers: number };
      this.open.get(question)?.(peers);
    });
  }

  /**
   * Counts the peers of a namespace on all nodes. It never fails: a node that does not answer within a second counts
   * as empty, and without Redis the peers of this node are all there are.
   */
  readonly countPeers = async ({ name, server }: Namespace): Promise<number> => {
    const others = this.countElsewhere(name).finally(() => this.counts.delete(others));
    this.counts.add(others);
    return (await others) + peersHere(server, name);
  };

  /** Leaves the cluster, once the counts in progress are done and what followed from them is sent. */
  async close(): Promise<void> {
    await Promise.all(this.counts);
    await tick();
    await this.link.close();
  }

  // The adapter could ask the other nodes too, but only for a namespace that lives here already, and still does when
  // the answers come. A count is wanted at just these moments: when the first peer has come, and when the last has left.
  private async countElsewhere(name: string): Promise<number> {
    const question = this.questions++;
    let peers = 0;
    let answers = 0;
    let expected = Infinity;
    try {
      await within(
        PATIENCE,
        new Promise<void>((resolve, reject) => {
          const check = () => void (answers >= expected && resolve());
          this.open.set(question, (more) => {
            peers += more;
            answers++;
            check();
          });
          this.link.publish(QUESTIONS, JSON.stringify({ node: this.id, question, name })).then((nodes) => {
            expected = nodes - 1; // Redis says how many have heard the question, and this node is one of them
            check();
          }, reject);
        }),
      );
    } catch {
      // Those who answered are counted.
    }
    this.open.delete(question);
    return peers;
  }
}

/**
 * The connection of this node to Redis, and a new one whenever the old one is lost; with the four commands of
 * node-redis that the adapter uses.
 *
 * What cannot be sent at once is dropped: a message that arrives minutes late is worse than none, and a queue that waits
 * for Redis has no end. Subscriptions are remembered, and made anew on each connection.
 */
class Link {
  private client: Client;
  private closed = false;
  private readonly wanted = new Map<string, Listener>();
  private readonly settling = new Map<string, Promise<void>>();

  private constructor(
    private readonly url: string,
    private readonly name: string,
    client: Client,
  ) {
    this.client = client;
    void this.mend();
  }

  static async to(url: string): Promise<Link> {
    const name = nameOf(url);
    const client = await connect(url).catch((err: unknown) => {
      throw new Error(`${name} cannot be used: ${reasonOf(err)}.`);
    });
    return new Link(url, name, client);
  }

  sSubscribe(channel: string, listener: Listener): void {
    this.wanted.set(channel, listener);
    this.settle(channel);
  }

  sUnsubscribe(channel: string): void {
    this.wanted.delete(channel);
    this.settle(channel);
  }

  /** Does not wait for Redis: the adapter tells the peers of this node only after this. */
  async sPublish(channel: string, message: string | Buffer): Promise<void> {
    this.publish(channel, message).catch(() => {}); // the loss is logged once, by `mend`
  }

  /** How the adapter asks how many nodes have a namespace; without Redis, this one alone. */
  async sendCommand(command: [string, "SHARDNUMSUB", string]): Promise<unknown> {
    return within(PATIENCE, this.client.sendCommand(command)).catch(() => [command[2], 1]);
  }

  /** Resolves with the number of nodes that have heard the message; rejects without Redis. */
  publish(channel: string, message: string | Buffer): Promise<number> {
    return this.client.sPublish(channel, message);
  }

  /** Resolves when Redis knows whether this node wants a channel, or makes nobody wait for it any longer. */
  async settled(channel: string): Promise<void> {
    await within(PATIENCE, Promise.resolve(this.settling.get(channel))).catch(() => {});
  }

  async close(): Promise<void> {
    this.closed = true;
    if (this.client.isReady) await within(PATIENCE, this.client.close()).catch(() => {}); // what is on its way is sent
    this.client.destroy();
  }

  // One command at a time for each channel: node-redis loses the listeners of a channel that is subscribed to again
  // before Redis has confirmed the unsubscription.
  private settle(channel: string): void {
    const turn: Promise<void> = Promise.resolve(this.settling.get(channel))
      .then(() => this.adjust(channel))
      .catch(() => {}) // the connection is lost; the next one begins with all that is wanted
      .then(() => {
        if (this.settling.get(channel) === turn) this.settling.delete(channel);
      });
    this.settling.set(channel, turn);
  }

  private async adjust(channel: string): Promise<void> {
    const { client, wanted } = this;
    const subscribed = client.getPubSubListeners("SHARDED").has(channel);

    if (!client.isReady || wanted.has(channel) === subscribed) return;
    if (subscribed) await client.sUnsubscribe(channel);
    else await client.sSubscribe(channel, (message, from) => wanted.get(channel)?.(message, from), true);
  }

  /** Finds Redis again whenever it is lost; says so once each time. */
  private async mend(): Promise<void> {
    for (;;) {
      const reason = await loss(this.client);
      this.client.destroy();
      if (this.closed) return;
      console.error(`${this.name} is lost: ${reasonOf(reason)}. Until it is back, this node is on its own.`);

      for (let next; !next;) {
        await pause(LOOK_EVERY, undefined, { ref: false });
        if (this.closed) return;
        next = await connect(this.url).catch(() => undefined);
        this.client = next ?? this.client;
      }
      if (this.closed) return this.client.destroy();
      for (const channel of this.wanted.keys()) this.settle(channel);
      console.log(`${this.name} is back.`);
    }
  }
}

/** A connection to a Redis that is new enough; it does not keep the process alive. */
async function connect(url: string): Promise<Client> {
  const client = clientOf(url);
  client.on("error", () => {}); // whoever waits for something hears of it
  try {
    await within(ANSWER_WITHIN, client.connect());
    const version = /^redis_version:(\S+)/m.exec(await within(ANSWER_WITHIN, client.info("server")))?.[1] ?? "";
    if (parseInt(version) < OLDEST_REDIS) throw new Error(`it is version ${version}, and not ${OLDEST_REDIS} or later`);
  } catch (err) {
    client.destroy();
    throw err;
  }
  client.unref();
  return client;
}

function clientOf(url: string) {
  return createClient({
    url,
    disableOfflineQueue: true,
    socket: { connectTimeout: ANSWER_WITHIN, reconnectStrategy: false },
  });
}

/** Resolves with the reason when a connection is lost: it has ended, or Redis does not answer any more. */
async function loss(client: Client): Promise<unknown> {
  let unanswered = 0;
  let clock: NodeJS.Timeout | undefined;
  const reason = await new Promise<unknown>((resolve) => {
    client.once("error", resolve);
    // Looks are counted, and not the time: a process that was busy for long reads the answer before the next look.
    clock = setInterval(() => {
      if (unanswered++ === LOOKS) resolve(new Error(`no answer for ${(LOOKS * LOOK_EVERY) / 1000} s`));
      client.ping().then(() => (unanswered = 0), resolve);
    }, LOOK_EVERY).unref();
  });
  clearInterval(clock);
  return reason;
}

function peersHere(io: Server, name: string): number {
  return namespacesOf(io).has(name) ? io.of(name).sockets.size : 0;
}

/** `REDIS_URL redis://host:port`: the address without user, password and options. */
function nameOf(url: string): string {
  try {
    clientOf(url); // node-redis is stricter than the URL of the platform
    const { protocol, host, pathname } = new URL(url);
    return `REDIS_URL ${protocol}//${host}${pathname}`;
  } catch {
    throw new Error("REDIS_URL must be the address of a Redis server, such as redis://localhost:6379.");
  }
}

function reasonOf(err: unknown): string {
  const { message, code } = err as NodeJS.ErrnoException;
  return message || code || "no reason given"; // a name with several addresses fails without a message
}

/** Rejects when a promise takes longer than this many milliseconds. */
function within<T>(milliseconds: number, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = new Error(`no answer within ${milliseconds / 1000} s`);
    const timer = setTimeout(() => setImmediate(reject, late), milliseconds); // an answer that has come is read first
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

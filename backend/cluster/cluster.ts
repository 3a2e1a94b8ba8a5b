// cluster.ts: what it means for a server to be a node of a cluster. It is loaded only where REDIS_URL is set.

import { randomBytes } from "node:crypto";
import type { EventEmitter } from "node:events";
import { setImmediate as tick } from "node:timers/promises";
import { createShardedAdapter } from "@socket.io/redis-adapter";
import type { Namespace, Server } from "socket.io";
import type { RouteEvents } from "../io-handler";
import { Channels } from "./channels";
import { within } from "./plain";

/** Milliseconds that a peer waits at most: for Redis on its way into a namespace, and for what the other nodes say. */
const WAIT = 1000;

const channelOf = (name: string) => `socket.io#${name}#`; // as the sharded adapter calls it

/**
 * This process as a node of a cluster: everything that is emitted in a namespace reaches its peers on every node. While
 * Redis is away, each node's peers have each other; what the others miss in the meantime is not made up for.
 *
 * @typeParam T - what a node says about a namespace when it is asked, as JSON
 */
export class Cluster<T = unknown> {
  private readonly here = new Map<string, Namespace>();
  private readonly asking = new Set<Promise<T[]>>();
  private readonly questions = new Map<number, (answer: T) => void>();
  private readonly id = randomBytes(6).toString("hex");
  private asked = 0;
  private answer: ((namespace: Namespace) => T) | undefined;

  private constructor(private readonly channels: Channels) {}

  /**
   * @param url - the address of a Redis server, or of any node of a Redis Cluster: `redis://[[user]:password@]host[:port]`
   * @throws Error whose message is one plain sentence, without the password, where it cannot be used
   */
  static async join<T>(url: string): Promise<Cluster<T>> {
    return new Cluster<T>(await Channels.of(url));
  }

  /**
   * Makes a server part of the cluster, before it listens. Call it for one server.
   *
   * @param io - the server, without connection state recovery, which the sharded adapter does not support
   * @param ee - what `ioHandler` returned for it, with a `retireAfter` in which answers of other nodes can arrive
   * @param answer - what this node says about one of its namespaces when {@link askAll} asks
   */
  serve<Route extends string>(
    io: Server,
    ee: EventEmitter<RouteEvents<Route>>,
    answer: (namespace: Namespace) => T,
  ): void {
    // "static": in the other modes each room has a channel of its own, to which nobody's way in waits for a subscription
    io.adapter(createShardedAdapter(this.channels, this.channels, { subscriptionMode: "static" }));
    this.answer = answer;

    (ee as EventEmitter<RouteEvents<string>>)
      .on("namespace.created", (namespace) => {
        const { name } = namespace;
        this.here.set(name, namespace);
        this.channels.sSubscribe(questionsIn(name), (message) => this.onMessage(namespace, String(message)));
        // A peer that is in a namespace hears everything: nobody is let in before Redis knows that this node listens.
        namespace.use(async (_socket, next) => {
          const listening = [channelOf(name), questionsIn(name)].map((channel) => this.channels.settled(channel));
          await within(WAIT, Promise.all(listening)).catch(() => {});
          next();
        });
      })
      .on("namespace.retired", ({ name }) => {
        this.here.delete(name);
        this.channels.sUnsubscribe(questionsIn(name));
      });
  }

  /**
   * Asks all nodes that have a namespace what they say about it: the answer of this node comes first, then those that the
   * others give within a second. It never fails. Nobody is asked about a namespace that `namespace.created` did not tell of.
   */
  readonly askAll = (namespace: Namespace): Promise<T[]> => {
    const { name } = namespace;
    const id = this.asked++;
    const answers = [this.answer!(this.here.get(name) ?? namespace)]; // it may have been created anew
    const all = new Promise<void>((resolve) => {
      let missing = 0; // it is below zero where answers are faster than the word of how many will come
      const count = (more: number) => (missing += more) === 0 && resolve();
      this.questions.set(id, (answer) => {
        answers.push(answer);
        count(-1);
      });
      void this.channels.publish(questionsIn(name), JSON.stringify([this.id, id])).then(count);
    });
    const asked = within(WAIT, all)
      .catch(() => {}) // a node hangs
      .then(() => answers)
      .finally(() => this.questions.delete(id) && this.asking.delete(asked));
    this.asking.add(asked);
    return asked;
  };

  /** Leaves the cluster, once what was asked is answered and what followed from it is sent, or after 1.25 s. */
  async close(): Promise<void> {
    const answered = async () => {
      for (; this.asking.size > 0; await tick()) await Promise.all(this.asking);
    };
    await within(WAIT, answered()).catch(() => {});
    await this.channels.close();
  }

  // Not `serverSideEmitWithAck`: it waits for processes that have the namespace and do not answer, such as a job that only
  // emits, and its answers come all or not at all. Questions and answers share a channel, which is lost or there as one.
  private onMessage(namespace: Namespace, message: string): void {
    const [asker, id, ...answers] = JSON.parse(message) as [asker: string, id: number, answer?: T];
    if (asker === this.id) for (const answer of answers) this.questions.get(id)?.(answer as T);
    else if (answers.length === 0)
      void this.channels.publish(questionsIn(namespace.name), JSON.stringify([asker, id, this.answer!(namespace)]));
  }
}

/** In Redis, it is in the same slot as the channel of the messages: that has the part in braces as its name. */
const questionsIn = (name: string) => `socket.io#{${channelOf(name)}}`;

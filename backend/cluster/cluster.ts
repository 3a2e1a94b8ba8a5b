// cluster.ts: what it means for a server to be a node of a cluster. It is loaded only where REDIS_URL is set.

import { randomBytes } from "node:crypto";
import type { EventEmitter } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import { createShardedAdapter } from "@socket.io/redis-adapter";
import type { Namespace, Server } from "socket.io";
import type { RouteEvents } from "../io-handler";
import { Channels } from "./channels";
import { within } from "./errors";

/** Milliseconds that a peer waits at most: for Redis on its way into a namespace, and for what the other nodes say. */
const WAIT = 1000;

/** The channel of questions and answers. The adapter's own begin with `socket.io#/`, as the name of a namespace does. */
const questionsIn = (name: string) => `socket.io#questions${name}`;

/**
 * This process as a node of a cluster: everything that is emitted in a namespace reaches its peers on every node. While
 * Redis is away, each node's peers have each other; what the others miss in the meantime is not made up for.
 *
 * @typeParam T - what a node says about a namespace when it is asked, as JSON
 */
export class Cluster<T = unknown> {
  private readonly here = new Map<string, Namespace>();
  private readonly questions = new Map<string, (answer: T) => void>(); // this node's own that are open, by their ids
  private readonly id = randomBytes(9).toString("base64"); // the ids of its questions begin with it
  private nextQuestion = 0;
  private describe: ((namespace: Namespace) => T) | undefined;

  private constructor(private readonly channels: Channels) {}

  /**
   * @param url - the address of a Redis server, or of any server of a Redis Cluster: `redis://[[user]:password@]host[:port]`
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
   * @param describe - what this node says about one of its namespaces when {@link askAll} asks
   */
  serve<Route extends string>(
    io: Server,
    ee: EventEmitter<RouteEvents<Route>>,
    describe: (namespace: Namespace) => T,
  ): void {
    // "static": in the other modes each room has a channel of its own, and nobody waits until that is subscribed
    io.adapter(createShardedAdapter(this.channels, this.channels, { subscriptionMode: "static" }));
    this.describe = describe;

    (ee as EventEmitter<RouteEvents<string>>)
      .on("namespace.created", (namespace) => {
        const { name } = namespace;
        this.here.set(name, namespace);
        this.channels.sSubscribe(questionsIn(name), (message) => this.onMessage(namespace, String(message)));
        // A peer waits until Redis has confirmed that this node hears the namespace, so that the peer hears everything. It
        // gets in without where Redis is lost or refuses, or after a second
        namespace.use(async (_socket, next) => {
          await within(WAIT, this.channels.settled(questionsIn(name))).catch(() => {}); // the adapter's are answered before
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
   * others give within a second. It fails only where `describe` fails on this node. Nobody answers about a namespace that
   * `namespace.created` did not tell of on this node.
   */
  readonly askAll = async (namespace: Namespace): Promise<T[]> => {
    // Not `serverSideEmitWithAck`: it waits for processes that have the namespace and do not answer, such as a job that
    // only emits, and its answers come all or not at all. Questions and answers use one channel: where a question
    // arrives, an answer can.
    const { name } = namespace;
    const id = `${this.id} ${this.nextQuestion++}`;
    const answers = [this.describe!(this.here.get(name) ?? namespace)]; // the caller's may have ended since
    const all = new Promise<void>((resolve) => {
      let others = Infinity; // not known until Redis has answered: the first answers of nodes may come before that
      const check = () => answers.length > others && resolve();
      this.questions.set(id, (answer) => {
        answers.push(answer);
        check();
      });
      void this.channels.ask(questionsIn(name), JSON.stringify([id])).then((count) => {
        others = count;
        check();
      });
    });
    await within(WAIT, all).catch(() => {}); // a node hangs
    this.questions.delete(id);
    return answers;
  };

  /** Hears a question, which has no answer with it, or the answer to one. */
  private onMessage(namespace: Namespace, message: string): void {
    const [id, ...answers] = JSON.parse(message) as [id: string, answer?: T];
    if (id.startsWith(this.id)) {
      for (const answer of answers) this.questions.get(id)?.(answer as T);
      return;
    }
    if (answers.length > 0) return; // to another node
    void this.channels.sPublish(questionsIn(namespace.name), JSON.stringify([id, this.describe!(namespace)]));
  }

  /** Leaves the cluster, once what was asked is answered and what followed from it is sent, or after 1.25 seconds. */
  async close(): Promise<void> {
    const answered = async () => {
      do
        await pause(10); // meanwhile, what follows from an answer is sent, and it may be a question
      while (this.questions.size > 0);
    };
    await within(WAIT, answered()).catch(() => {});
    await this.channels.close();
  }
}

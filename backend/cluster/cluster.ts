// cluster.ts: what it means for a server to be a node of a cluster. It is loaded only where REDIS_URL is set. The README says
// what Redis, ioredis and Socket.IO's adapter do, and what this folder adds.

import { randomUUID } from "node:crypto";
import type { EventEmitter } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import { createShardedAdapter } from "@socket.io/redis-adapter";
import type { Namespace, Server } from "socket.io";
import type { RouteEvents } from "../io-handler";
import { Channels } from "./channels";
import { upTo } from "./time";

/** Milliseconds: so long a new peer waits for Redis, a question for its answers, and `close` for open questions. */
const WAIT = 1000;

/** The channel of questions and answers. The adapter's own begin with `socket.io#/`. */
const questionsIn = (name: string) => `socket.io#questions${name}`;

/**
 * This process as a node of a cluster: everything that is emitted in a namespace reaches its peers on every node. While
 * Redis is away, each node's peers have each other. What the others miss in the meantime is lost.
 *
 * @typeParam T - what a node says about a namespace when it is asked, as JSON
 */
export class Cluster<T = unknown> {
  private readonly here = new Map<string, Namespace>(); // the namespaces of this node
  private readonly questions = new Map<string, (answer: T) => void>(); // of this node that are open, by their ids
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
   * @param ee - what `ioHandler` returned for it. With a `retireAfter`: after `io.of()`, the namespace must live until the
   *   other nodes have answered
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
        // A peer waits until Redis has confirmed that this node hears the namespace, so that the peer hears everything.
        // (The adapter has subscribed before, and Redis answers in order.) It does not wait for longer than a second, nor
        // where Redis is lost or refuses
        namespace.use(async (_socket, next) => {
          await upTo(WAIT, this.channels.settled(questionsIn(name)));
          next();
        });
      })
      .on("namespace.retired", ({ name }) => {
        this.here.delete(name);
        this.channels.sUnsubscribe(questionsIn(name));
      });
  }

  /**
   * Asks all nodes that have a namespace what they say about it. The answer of this node comes first, then those that the
   * others give within a second. It fails only where `describe` fails on this node. About a namespace of which
   * `ee` has not told by `namespace.created`, only this node answers.
   */
  readonly askAll = async (namespace: Namespace): Promise<T[]> => {
    // Not `serverSideEmitWithAck`: it waits for processes that have the namespace and do not answer, such as a job that
    // only emits, and its answers come all or not at all
    const { name } = namespace;
    const id = randomUUID();
    const current = this.here.get(name) ?? namespace; // the given one may be retired, and a new one of that name be here
    const answers = [this.describe!(current)];
    const all = new Promise<void>((resolve) => {
      let others = Infinity; // how many answers to wait for: Redis tells it, but some of them may come before that
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
    await upTo(WAIT, all); // a node may hang
    this.questions.delete(id);
    return answers;
  };

  /**
   * A message is a question, `[id]`, or an answer, `[id, answer]`. All nodes that have the namespace hear both. This node
   * takes only the answers to its own questions, and does not answer its own.
   */
  private onMessage(namespace: Namespace, text: string): void {
    const message = JSON.parse(text) as [id: string] | [id: string, answer: T];
    const [id] = message;
    if (message.length === 2) {
      this.questions.get(id)?.(message[1]);
    } else if (!this.questions.has(id)) {
      void this.channels.sPublish(questionsIn(namespace.name), JSON.stringify([id, this.describe!(namespace)]));
    }
  }

  /** Waits for the answers to open questions, and until the last messages are sent; then leaves. It takes 1.25 s at most. */
  async close(): Promise<void> {
    const deadline = Date.now() + WAIT;
    do {
      await pause(10); // in which the application may send a message after an answer, or ask once more
    } while (this.questions.size > 0 && Date.now() < deadline);
    await this.channels.close();
  }
}

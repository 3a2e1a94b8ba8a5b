// cluster.ts: what it means for a server to be a node of a cluster. It is loaded only where REDIS_URL is set.

import type { EventEmitter } from "node:events";
import { setImmediate as tick } from "node:timers/promises";
import { createShardedAdapter } from "@socket.io/redis-adapter";
import type { DefaultEventsMap, Namespace, Server } from "socket.io";
import type { RouteEvents } from "../io-handler";
import { Link, within } from "./link";

/** Milliseconds that a peer waits at most: for Redis on its way into a namespace, and to be counted with all others. */
const WAIT = 1000;

/** What the nodes ask each other in the default namespace, which all of them have. */
type Node = Server<DefaultEventsMap, DefaultEventsMap, { peers: (name: string, answer: (n: number) => void) => void }>;

/**
 * This process as a node of a cluster: everything that is emitted in a namespace reaches its peers on every node. While
 * Redis is away, each node's peers have each other; what the others miss in the meantime is not made up for.
 */
export class Cluster {
  private readonly here = new Map<string, Namespace>();
  private readonly counts = new Set<Promise<number>>();

  private constructor(private readonly link: Link) {}

  /**
   * @param url - the address of a Redis server, `redis://[[user]:password@]host[:port]`
   * @throws Error whose message is one plain sentence, without the password, where that server cannot be used
   */
  static async join(url: string): Promise<Cluster> {
    return new Cluster(await Link.to(url));
  }

  /**
   * Makes a server part of the cluster, before it listens. Call it for one server.
   *
   * @param io - the server, without connection state recovery, which the sharded adapter does not support
   * @param ee - what `ioHandler` returned for it
   */
  serve<Route extends string>(io: Server, ee: EventEmitter<RouteEvents<Route>>): void {
    // "static": in the other modes each room has a channel of its own, to which nobody's way in waits for a subscription
    io.adapter(createShardedAdapter(this.link, this.link, { subscriptionMode: "static" }));
    io.sockets.adapter.close = () => {}; // or `io.close()` would end it before the last count

    (ee as EventEmitter<RouteEvents<string>>)
      .on("namespace.created", (namespace) => {
        this.here.set(namespace.name, namespace);
        // Whoever is in a namespace hears everything: nobody is let in before Redis knows that this node listens.
        namespace.use(async (_socket, next) => {
          await within(WAIT, this.link.update(`socket.io#${namespace.name}#`)).catch(() => {});
          next();
        });
      })
      .on("namespace.retired", ({ name }) => this.here.delete(name));
    (io as Node).on("peers", (name, answer) => answer(this.here.get(name)?.sockets.size ?? 0));
  }

  /**
   * Counts the peers of a namespace on all nodes. It never fails: without Redis, or where another node does not answer
   * within a second, those on this node are all there are; so are they where `namespace.created` did not tell of it.
   */
  readonly countPeers = (namespace: Namespace): Promise<number> => {
    const { name, server } = namespace;
    const count = within(WAIT, (server as Node).serverSideEmitWithAck("peers", name))
      .catch(() => [])
      .then((elsewhere) => elsewhere.reduce((sum, n) => sum + n, (this.here.get(name) ?? namespace).sockets.size))
      .finally(() => this.counts.delete(count));
    this.counts.add(count);
    return count;
  };

  /** Leaves the cluster, once the counts are done and what followed from them is sent, or after 1.25 s. */
  async close(): Promise<void> {
    const counted = async () => {
      for (; this.counts.size > 0; await tick()) await Promise.all(this.counts);
    };
    await within(WAIT, counted()).catch(() => {});
    await this.link.close();
  }
}

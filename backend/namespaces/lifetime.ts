// lifetime.ts: who holds a namespace, and when it is retired.
//
// The article remembers every namespace for ever. Here one lives as long as somebody holds it: the connection of
// everybody who created it, joined it, or is on the way into it. Connections are counted and not peers, since a
// connection is there before its peer is let in and after it has left.

import type { Namespace, Server, Socket } from "socket.io";
import { namespacesOf, stopSweepingOnClose, type Connection } from "./internals";

/** The longest that a timer of Node.js can run, in milliseconds: almost 25 days. */
export const LONGEST_RETIRE_AFTER = 2 ** 31 - 1;

/** The namespaces of a server that are retired when nobody has held them for a while. */
export class Lifetimes {
  private readonly byName = new Map<string, Lifetime>();

  /**
   * @param retireAfter - milliseconds from the end of a namespace's last holder to its own end
   * @param onRetired - called once for each namespace, when the server has forgotten it
   */
  constructor(
    io: Server,
    readonly retireAfter: number,
    private readonly onRetired: (namespace: Namespace, route: string) => void,
  ) {
    stopSweepingOnClose(io); // or what is retired would stay in memory
  }

  /** Begins the lifetime of a namespace that is new, so that nobody can enter it uncounted. */
  begin(namespace: Namespace, route: string): void {
    this.byName.get(namespace.name)?.retire(); // an older one, which Socket.IO has removed from the server by itself
    this.byName.set(namespace.name, new Lifetime(namespace, route, this));
    namespace.use(this.onEnter);
    namespace.on("connection", this.onEntered);
  }

  /** Ends the lifetime of a namespace that the server has forgotten. */
  end(namespace: Namespace, route: string): void {
    this.byName.delete(namespace.name);
    this.onRetired(namespace, route);
  }

  /** Keeps the namespace of this name, if there is one, at least until the connection closes. */
  hold(conn: Connection, name: string): void {
    this.byName.get(name)?.hold(conn);
  }

  // One function for all namespaces, since each costs memory.
  private readonly onEnter = ({ conn, nsp }: Socket, next: (err?: Error) => void): void => {
    if (!isCurrent(nsp)) return next(new Error("Invalid namespace")); // retired since its CONNECT came
    this.hold(conn, nsp.name);
    next();
  };

  private readonly onEntered = ({ conn, nsp }: Socket): void => {
    if (!isCurrent(nsp)) return void conn.close();
    this.hold(conn, nsp.name); // one whose state was recovered has skipped the middlewares
  };
}

/** Counts the connections that hold a namespace. */
class Lifetime {
  private holders = 0;
  private retired = false;
  private countdown: NodeJS.Timeout | undefined;

  constructor(
    private readonly namespace: Namespace,
    private readonly route: string,
    private readonly lifetimes: Lifetimes,
  ) {
    this.startCountdown();
  }

  hold(conn: Connection): void {
    if (conn.readyState === "closed" || conn.listenerCount("close", this.release) > 0) return;
    clearTimeout(this.countdown);
    this.countdown = undefined; // a timer that has been stopped still takes memory
    this.holders++;
    conn.setMaxListeners(0); // one connection may hold any number of namespaces
    conn.on("close", this.release);
  }

  retire(): void {
    if (this.retired) return;
    this.retired = true;

    const { name, server, adapter } = this.namespace;
    if (isCurrent(this.namespace)) namespacesOf(server).delete(name);
    // an adapter that fails to close must not end the process
    new Promise((resolve) => resolve(adapter.close())).catch(() => {});
    this.lifetimes.end(this.namespace, this.route);
  }

  private readonly release = (): void => {
    if (--this.holders === 0) this.startCountdown();
  };

  private startCountdown(): void {
    const { retireAfter } = this.lifetimes;
    if (retireAfter === Infinity) return;
    this.countdown = setTimeout(() => this.retire(), retireAfter);
    this.countdown.unref(); // a server that was closed may end its process
  }
}

/** Whether this very object is the server's namespace of its name. */
function isCurrent(namespace: Namespace): boolean {
  return namespacesOf(namespace.server).get(namespace.name) === namespace;
}

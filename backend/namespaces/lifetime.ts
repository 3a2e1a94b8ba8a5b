// lifetime.ts: who holds a namespace, and when it is retired.
//
// The article remembers every namespace for ever. Here one lives as long as somebody holds it: the connection of
// everybody who created it, joined it, or is on the way into it. Connections are counted and not peers, since a
// connection is there before its peer is let in and after it has left.

import type { Namespace, Server } from "socket.io";
import { namespacesOf, onHandshake, stopSweepingOnClose, type Connection } from "./internals";

/** The longest that a timer of Node.js can run, in milliseconds: almost 25 days. */
export const LONGEST_RETIRE_AFTER = 2 ** 31 - 1;

/** The namespaces that are retired when nobody has held them for a while. */
export class Lifetimes {
  private readonly byName = new Map<string, Lifetime>();

  /** @param retireAfter - milliseconds from the end of a namespace's last holder to its own end */
  constructor(
    io: Server,
    private readonly retireAfter: number,
  ) {
    stopSweepingOnClose(io); // or what is retired would stay in memory
    const hold = (conn: Connection, ns: unknown) => this.byName.get(String(ns))?.hold(conn);
    onHandshake(io, hold); // on its way into one that exists
    io.on("connection", ({ conn, handshake }) => hold(conn, handshake.query["ns"])); // or did not exist then
  }

  /**
   * Begins the lifetime of a namespace that is new, so that nobody can enter it uncounted.
   *
   * @param onRetired - called once, when the server has forgotten the namespace
   */
  begin(namespace: Namespace, onRetired: () => void): void {
    const { byName, retireAfter } = this;
    const { name } = namespace;

    byName.get(name)?.retire(); // one that somebody else has removed from the server
    const lifetime = new Lifetime(namespace, retireAfter, () => {
      byName.delete(name);
      onRetired();
    });
    byName.set(name, lifetime);
  }
}

/** Counts who holds a namespace. */
class Lifetime {
  private holders = 0;
  private retired = false;
  private countdown: NodeJS.Timeout | undefined;

  constructor(
    private readonly namespace: Namespace,
    private readonly retireAfter: number,
    private readonly onRetired: () => void,
  ) {
    namespace.use(({ conn }, next) => {
      if (!this.isCurrent()) return next(new Error("Invalid namespace")); // retired since its CONNECT came
      this.hold(conn);
      next();
    });
    namespace.on("connection", ({ conn }) => {
      this.hold(conn); // one whose state was recovered has skipped the middlewares
      if (!this.isCurrent()) conn.close();
    });
    this.startCountdown();
  }

  /** Keeps the namespace at least until this connection closes. */
  hold(conn: Connection): void {
    if (conn.readyState === "closed" || conn.listenerCount("close", this.release) > 0) return;
    clearTimeout(this.countdown);
    this.holders++;
    conn.setMaxListeners(0); // one connection may hold any number of namespaces
    conn.on("close", this.release);
  }

  retire(): void {
    if (this.retired) return;
    this.retired = true;
    clearTimeout(this.countdown);

    const { name, server, adapter } = this.namespace;
    if (this.isCurrent()) namespacesOf(server).delete(name);
    // an adapter that fails to close must not end the process
    new Promise((resolve) => resolve(adapter.close())).catch(() => {});
    this.onRetired();
  }

  private readonly release = (): void => {
    if (--this.holders === 0) this.startCountdown();
  };

  private startCountdown(): void {
    if (this.retireAfter === Infinity) return;
    this.countdown = setTimeout(() => this.retire(), this.retireAfter);
    this.countdown.unref(); // a server that was closed may end its process
  }

  /** Whether this very object is the server's namespace of its name. */
  private isCurrent(): boolean {
    return namespacesOf(this.namespace.server).get(this.namespace.name) === this.namespace;
  }
}

// lifetime.ts: who holds a namespace, and when it is retired.
//
// The article remembers every namespace for ever. Here one lives as long as somebody holds it: the connection of
// everybody who created it, joined it, or is on the way into it. Connections are what is counted, not peers, since a
// connection exists before its peer is let in and after it has left, and its end is certain.

import type { Namespace } from "socket.io";
import type { ConnectOrder } from "./connect-order";
import { forget, isCurrent, joinedTwice, type Connection } from "./internals";

/** The longest that a timer of Node.js can run, in milliseconds: almost 25 days. */
export const LONGEST_RETIRE_AFTER = 2 ** 31 - 1;

/** Counts who holds a namespace, and retires it when that has been nobody for a while. */
export class Lifetime {
  private readonly holders = new Set<Connection>();
  private countdown: NodeJS.Timeout | undefined;
  /** What every holder does when it closes; one function for them all, since it stays with each of them. */
  private readonly letGo: (this: Connection) => void;

  /**
   * @param namespace - one that is new, so that nobody can enter it uncounted
   * @param order - knows who is on the way into the default namespace to ask for this one
   * @param retireAfter - milliseconds from the end of the last holder to the end of the namespace
   * @param onRetired - called once, when the server has forgotten the namespace
   */
  constructor(
    private readonly namespace: Namespace,
    private readonly order: ConnectOrder,
    private readonly retireAfter: number,
    private readonly onRetired: () => void,
  ) {
    const lifetime = this;
    this.letGo = function () {
      if (lifetime.holders.delete(this) && lifetime.holders.size === 0) lifetime.startCountdown();
    };
    namespace.use((socket, next) => {
      if (!isCurrent(namespace)) return next(new Error("Invalid namespace")); // retired since its CONNECT came
      this.hold(socket.conn);
      next();
    });
    namespace.on("connection", (socket) => {
      this.hold(socket.conn); // one whose state was recovered may have skipped the middlewares
      if (joinedTwice(socket) || !isCurrent(namespace)) socket.conn.close();
    });
    this.startCountdown();
  }

  /** Keeps the namespace at least until this connection closes. */
  hold(conn: Connection): void {
    if (this.holders.has(conn) || conn.readyState === "closed") return;
    clearTimeout(this.countdown);
    this.countdown = undefined;
    this.holders.add(conn);
    conn.setMaxListeners(0); // one connection may hold any number of namespaces
    conn.on("close", this.letGo);
  }

  private startCountdown(): void {
    if (this.retireAfter === Infinity) return;
    this.countdown = setTimeout(() => void this.retire(), this.retireAfter);
    this.countdown.unref(); // a server that was closed may end its process
  }

  private async retire(): Promise<void> {
    const countdown = this.countdown;
    // somebody on the way in may be about to hold it
    while (this.order.expects(this.namespace.name)) await this.order.verdict(this.namespace.name);
    if (this.holders.size > 0 || countdown !== this.countdown) return; // held meanwhile: another countdown decides

    forget(this.namespace);
    this.onRetired();
  }
}

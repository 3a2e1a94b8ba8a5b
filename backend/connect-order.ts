// connect-order.ts: the default namespace goes first.
//
// Socket.IO 2 connected every client to the default namespace by itself and kept its other CONNECT packets until that
// was done; the article stands on it. Socket.IO 4 answers each CONNECT as it comes, and refuses the one for a
// namespace that its neighbour in the same handshake was about to create. This room keeps such a CONNECT until the
// default namespace has decided about those whose `?ns=` asks for the same name.

import type { Server, Socket } from "socket.io";
import { askedFor, joinedTwice, knows, onConnection, onMiddlewares, type Connection } from "./internals";

/**
 * How long a CONNECT waits for a default-namespace CONNECT that should have come before it, in milliseconds. Some
 * clients send the two in any order, but together.
 */
const OUT_OF_ORDER_WITHIN = 1000;

/** A connection that the default namespace has not decided about. */
interface Arrival {
  /** Its CONNECT for the default namespace has come, so that there will be a verdict. */
  asked: boolean;
  /** Called with the verdict. */
  waiting: (() => void)[];
}

/** Those whose `?ns=` asks for the same namespace. */
interface Crowd {
  arrivals: Map<Connection, Arrival>;
  /** Called when the namespace exists, or when nobody is left who could create it. */
  waiting: (() => void)[];
  patience?: NodeJS.Timeout;
}

/** Knows who is on the way into the default namespace of a server, and what they asked for. */
export class ConnectOrder {
  private readonly crowds = new Map<string, Crowd>();
  private readonly refused = new WeakSet<Connection>();

  /** What everybody on the way in does when its connection closes; one function for them all is cheaper than closures. */
  private readonly leave: (this: Connection) => void;

  constructor(private readonly io: Server) {
    const order = this;
    this.leave = function () {
      order.decide(this, true);
    };
    onConnection(io, (conn) => this.arrive(conn));
    onMiddlewares(io.sockets, {
      before: ({ conn }) => {
        const arrival = this.arrive(conn);
        if (arrival) arrival.asked = true;
      },
      refused: ({ conn }) => this.decide(conn, true),
    });
    io.on("connection", (socket) => {
      if (joinedTwice(socket)) socket.conn.close(); // what Socket.IO does about a repeated CONNECT that comes later
      process.nextTick(() => this.decide(socket.conn, false)); // the other listeners come first: one creates
    });
    // Socket.IO asks this function for every name that the server does not know. It never creates: by the time it
    // says yes, the namespace is there.
    io.of((name, _auth, next) => {
      void this.verdict(name).then(() => next(null, knows(io, name)));
    });
  }

  /** Whether somebody whose `?ns=` is `name` is going through the middlewares of the default namespace. */
  expects(name: string): boolean {
    const crowd = this.crowds.get(name);
    return crowd !== undefined && [...crowd.arrivals.values()].some(({ asked }) => asked);
  }

  /**
   * Resolves with the next verdict about somebody who asks for `name` if it leaves the server with a namespace of
   * that name, else with the last one; at once where nobody is on the way in.
   */
  async verdict(name: string): Promise<void> {
    const crowd = this.crowds.get(name);
    if (!crowd) return;

    crowd.patience ??= setTimeout(() => {
      crowd.patience = undefined;
      for (const [conn, { asked }] of crowd.arrivals) if (!asked) this.decide(conn, false);
    }, OUT_OF_ORDER_WITHIN);
    return new Promise((resolve) => crowd.waiting.push(resolve));
  }

  /**
   * A middleware for the namespaces: a peer whose `?ns=` asks for this one enters only after the default namespace has
   * let it in. One that asks for it by no `?ns=` has nothing to wait for.
   */
  readonly middleware = ({ conn, nsp }: Socket, next: (err?: Error) => void): void => {
    const arrival = this.crowds.get(nsp.name)?.arrivals.get(conn);
    const enter = () => {
      const refused = this.refused.has(conn) && askedFor(conn) === nsp.name;
      next(refused ? new Error("refused by the default namespace") : undefined);
    };
    if (arrival?.asked) arrival.waiting.push(enter);
    else enter();
  };

  private arrive(conn: Connection): Arrival | undefined {
    const name = askedFor(conn);
    if (!name || conn.readyState === "closed") return;

    let crowd = this.crowds.get(name);
    if (!crowd) this.crowds.set(name, (crowd = { arrivals: new Map(), waiting: [] }));
    let arrival = crowd.arrivals.get(conn);
    if (!arrival) {
      crowd.arrivals.set(conn, (arrival = { asked: false, waiting: [] }));
      conn.on("close", this.leave);
    }
    return arrival;
  }

  private decide(conn: Connection, refused: boolean): void {
    const name = askedFor(conn);
    const crowd = this.crowds.get(name ?? "");
    const arrival = crowd?.arrivals.get(conn);
    if (!name || !crowd || !arrival) return;

    crowd.arrivals.delete(conn);
    conn.off("close", this.leave);
    if (refused) this.refused.add(conn);
    else this.refused.delete(conn);
    for (const goOn of arrival.waiting) goOn();
    if (crowd.arrivals.size === 0) {
      this.crowds.delete(name);
      clearTimeout(crowd.patience);
    }
    if (crowd.arrivals.size === 0 || knows(this.io, name)) for (const goOn of crowd.waiting.splice(0)) goOn();
  }
}

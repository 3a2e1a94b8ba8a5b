// connect-order.ts: the default namespace goes first.
//
// Socket.IO 2 connected every client to the default namespace by itself and kept its other CONNECT packets until that
// was done; the article stands on it. Socket.IO 4 answers each CONNECT as it comes, and refuses the one for a
// namespace that its neighbour in the same handshake was about to create. This module keeps such a CONNECT until the
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
  /** What it asks for. */
  name: string;
  /** Its CONNECT for the default namespace has come, so that there will be a verdict. */
  asked: boolean;
  /** Called with the verdict. */
  waitingForVerdict: (() => void)[];
}

/** Those whose `?ns=` asks for the same namespace. */
interface Crowd {
  arrivals: Map<Connection, Arrival>;
  /** Called when the namespace exists, or when nobody is left who could create it. */
  waitingForNamespace: (() => void)[];
  patience: NodeJS.Timeout | undefined;
}

/** What became of a connection; `"unasked"`: it has not asked for the default namespace, and nobody waits any longer. */
type Verdict = "let in" | "refused" | "gone" | "unasked";

/** Knows who is on the way into the default namespace of a server, and what they asked for. */
export class ConnectOrder {
  private readonly arrivals = new Map<Connection, Arrival>();
  private readonly crowds = new Map<string, Crowd>();
  /** The connections that the default namespace has refused, and what they had asked for. */
  private readonly refused = new WeakMap<Connection, string>();

  /** What everybody on the way in does when its connection closes; one function for them all is cheaper than closures. */
  private readonly leave: (this: Connection) => void;

  constructor(private readonly io: Server) {
    const order = this;
    this.leave = function () {
      order.decide(this, "gone");
    };
    onConnection(io, (conn) => this.arrive(conn));
    onMiddlewares(io.sockets, {
      before: ({ conn }) => {
        const arrival = this.arrive(conn);
        if (arrival) arrival.asked = true;
      },
      refused: ({ conn }) => this.decide(conn, "refused"),
    });
    io.on("connection", (socket) => {
      if (joinedTwice(socket)) socket.conn.close(); // what Socket.IO does about a repeated CONNECT that comes later
      process.nextTick(() => this.decide(socket.conn, "let in")); // the other listeners come first: one creates
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
    return new Promise((resolve) => {
      crowd.waitingForNamespace.push(resolve);
      this.losePatience(crowd);
    });
  }

  /**
   * A middleware for the namespaces: a peer whose `?ns=` asks for this one enters only after the default namespace has
   * let it in. One that asks for it by no `?ns=` has nothing to wait for.
   */
  readonly middleware = ({ conn, nsp }: Socket, next: (err?: Error) => void): void => {
    const arrival = this.arrivals.get(conn);
    const enter = () => {
      next(this.refused.get(conn) === nsp.name ? new Error("refused by the default namespace") : undefined);
    };
    if (arrival?.asked && arrival.name === nsp.name) arrival.waitingForVerdict.push(enter);
    else enter();
  };

  private arrive(conn: Connection): Arrival | undefined {
    const name = askedFor(conn);
    if (!name || conn.readyState === "closed") return undefined;

    let arrival = this.arrivals.get(conn);
    if (!arrival) {
      this.arrivals.set(conn, (arrival = { name, asked: false, waitingForVerdict: [] }));
      let crowd = this.crowds.get(name);
      if (!crowd) {
        this.crowds.set(name, (crowd = { arrivals: new Map(), waitingForNamespace: [], patience: undefined }));
      }
      crowd.arrivals.set(conn, arrival);
      conn.on("close", this.leave);
    }
    return arrival;
  }

  private decide(conn: Connection, verdict: Verdict): void {
    const arrival = this.arrivals.get(conn);
    const crowd = arrival && this.crowds.get(arrival.name);
    if (!crowd) return;
    const { name } = arrival;

    this.arrivals.delete(conn);
    crowd.arrivals.delete(conn);
    conn.off("close", this.leave);
    if (verdict === "refused") this.refused.set(conn, name);
    else if (verdict === "let in") this.refused.delete(conn);

    for (const goOn of arrival.waitingForVerdict) goOn();
    if (crowd.arrivals.size === 0) {
      this.crowds.delete(name);
      clearTimeout(crowd.patience);
    }
    if (crowd.arrivals.size === 0 || knows(this.io, name)) {
      for (const goOn of crowd.waitingForNamespace.splice(0)) goOn();
    }
  }

  /** As long as somebody waits, those who do not ask for the default namespace are not waited for much longer. */
  private losePatience(crowd: Crowd): void {
    crowd.patience ??= setTimeout(() => {
      crowd.patience = undefined;
      for (const [conn, { asked }] of crowd.arrivals) if (!asked) this.decide(conn, "unasked");
      if (crowd.waitingForNamespace.length > 0) this.losePatience(crowd);
    }, OUT_OF_ORDER_WITHIN);
  }
}

// connect-order.ts: the default namespace goes first.
//
// Socket.IO 2 connected every client to the default namespace by itself, and kept its other CONNECT packets until that
// was done. The article stands on it, and Socket.IO 4 dropped it. Here it is again for every connection whose handshake
// has `?ns=`: its CONNECT for that namespace waits until the default namespace has decided about the connection, and if
// the peer has not asked for the default namespace, the server asks on its behalf.

import type { Server, Socket } from "socket.io";
import {
  answerWhoIsIn,
  checkInternals,
  clientOf,
  CONNECT_ERROR,
  EVENT,
  joinUnasked,
  nextAnswer,
  onHandshake,
  send,
  takeConnects,
  type Auth,
  type Client,
  type Connection,
  type Packet,
} from "./internals";

/** Puts the peers of a server into the default namespace before they enter the one that their handshake asks for. */
export class ConnectOrder {
  private readonly arrivals = new WeakMap<Connection, Arrival>();

  /** @throws Error for a second one on the same server, and for a version of Socket.IO that this was not made for */
  constructor(io: Server) {
    checkInternals(io);
    answerWhoIsIn(io);
    onHandshake(io, (conn, ns) => {
      this.arrivals.set(conn, new Arrival(io, clientOf(io, conn), ns, () => this.arrivals.delete(conn)));
    });
  }

  /**
   * Tells a peer why it cannot stay, and closes its connection. Who asked for a namespace gets the reason as the answer
   * to its CONNECT; who asked for the default namespace itself, as the event `refused` with `{ err }`.
   *
   * @param socket - a socket of the default namespace that has just connected
   */
  refuse(socket: Socket, err: string): void {
    const asked = this.arrivals.get(socket.conn)?.refuse(err) ?? true;
    if (!asked) return socket.conn.close();
    send(socket.client, { type: EVENT, nsp: "/", data: ["refused", { err }] });
    socket.disconnect(true);
  }
}

/** A connection on its way into the default namespace. */
class Arrival {
  /** Somebody has asked for the default namespace: the peer itself, or the server on its behalf. */
  private asked: "by the peer" | "by the server" | undefined;
  /** The CONNECTs that wait for the answer: the name of each namespace, and the `auth`. */
  private readonly waiting = new Map<string, Auth>();
  private readonly socketIO: ReturnType<typeof takeConnects>;

  constructor(
    private readonly io: Server,
    private readonly client: Client,
    private readonly ns: string,
    private readonly onLetIn: () => void,
  ) {
    this.socketIO = takeConnects(client, (name, auth = {}) => this.onConnect(name, auth));
    if (client.conn.protocol === 3) this.ask("by the peer"); // which Socket.IO 4 does for a client of Socket.IO 2
  }

  /** The handler refuses the peer. Tells whether the peer has asked for the default namespace itself. */
  refuse(err: string): boolean {
    const { client, ns, waiting } = this;
    if (waiting.has("/")) this.socketIO.pass("/");
    if (waiting.has(ns)) {
      send(client, { type: CONNECT_ERROR, nsp: ns, data: client.conn.protocol === 3 ? err : { message: err } });
    }
    return waiting.has("/") || this.asked === "by the peer";
  }

  private onConnect(name: string, auth: Auth): void {
    if (name !== "/" && name !== this.ns) return this.socketIO.pass(name, auth);

    const again = this.waiting.has(name) || (name === "/" && this.asked === "by the peer");
    if (again) return this.client.conn.close(); // as Socket.IO does

    // without what would recover an earlier connection: that skips the middlewares, and with them a refusal
    const { pid, offset, ...fresh } = auth;
    if (this.asked) {
      this.waiting.set(name, auth);
    } else if (name === "/") {
      this.ask("by the peer");
      this.socketIO.pass("/", fresh);
    } else {
      this.waiting.set(name, auth);
      this.ask("by the server");
      joinUnasked(this.io, this.client, fresh);
    }
  }

  private ask(who: "by the peer" | "by the server"): void {
    this.asked = who;
    // The server does not hear its own answer: python-socketio, for one, gives up on an answer it has not asked for.
    nextAnswer(this.client, who === "by the peer", (answer) => {
      queueMicrotask(() => this.decide(answer)); // the listeners of `connection` come first: one creates the namespace
    });
  }

  private decide(answer: Packet): void {
    const { client, waiting, socketIO } = this;

    if (answer.type === CONNECT_ERROR) {
      for (const nsp of waiting.keys()) send(client, { ...answer, nsp });
      waiting.clear();
      this.asked = undefined; // who tries again is asked for again
    } else {
      socketIO.release();
      this.onLetIn();
      if (client.conn.readyState !== "open") return; // refused by the handler
      for (const [name, auth] of waiting) socketIO.pass(name, auth);
    }
  }
}

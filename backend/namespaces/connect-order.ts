// connect-order.ts: the default namespace goes first.
//
// Socket.IO 2 connected every client to the default namespace by itself, and kept its other CONNECT packets until that
// was done. The article stands on it, and Socket.IO 4 dropped it. Here it is again for every connection whose handshake
// has `?ns=`: its CONNECT for that namespace waits until the default namespace has decided about the connection, and if
// the peer has not asked for the default namespace, the server asks on its behalf.

import type { Server, Socket } from "socket.io";
import {
  answerLateConnects,
  checkInternals,
  clientOf,
  CONNECT_ERROR,
  DISCONNECT,
  EVENT,
  interceptAnswer,
  interceptConnects,
  joinOnBehalf,
  send,
  type Auth,
  type Client,
  type Connection,
  type Packet,
} from "./internals";

/** Puts the peers of a server into the default namespace before they enter the one that their handshake asks for. */
export class ConnectOrder {
  private readonly undecided = new WeakMap<Connection, Bootstrap>();

  /** @throws Error for a second one on the same server, and for a version of Socket.IO that this was not made for */
  constructor(private readonly io: Server) {
    checkInternals(io);
    answerLateConnects(io);
  }

  /** Puts the order into effect for a connection that has just been opened, with `ns` in its handshake query. */
  follow(conn: Connection, ns: string): void {
    const { io, undecided } = this;
    undecided.set(conn, new Bootstrap(io, clientOf(io, conn), ns, () => undecided.delete(conn)));
  }

  /**
   * Tells a peer why it cannot stay, and closes its connection. Who asked for a namespace gets the reason as the answer
   * to its CONNECT; who asked for the default namespace itself, as the event `refused` with `{ err }`.
   *
   * @param socket - a socket of the default namespace, in the `connection` event
   */
  refuse(socket: Socket, err: string): void {
    const bootstrap = this.undecided.get(socket.conn);
    bootstrap?.refuse(err);
    if (bootstrap?.isSilent) return socket.conn.close();

    send(socket.client, { type: EVENT, nsp: "/", data: ["refused", { err }] });
    socket.disconnect(true);
  }
}

/**
 * The way of one connection into the default namespace, until that has decided:
 *
 * - The first CONNECT that comes makes the server wait for the default namespace's answer. Is it the one for the default
 *   namespace, it goes on to Socket.IO, and the peer hears the answer. Is it the one for its namespace, the server asks
 *   for the default namespace instead, and the answer stays here.
 * - A CONNECT that comes in the meantime waits too.
 * - With the answer, all that wait go on to Socket.IO, or are refused alike.
 */
class Bootstrap {
  /** Who has asked for the default namespace. */
  private asked: "nobody" | "the peer" | "the server" = "nobody";
  /** The CONNECTs that wait for the answer: the name of each namespace, and the `auth`. */
  private readonly waiting = new Map<string, Auth>();
  private readonly connects: ReturnType<typeof interceptConnects>;

  constructor(
    private readonly io: Server,
    private readonly client: Client,
    private readonly ns: string,
    private readonly onDecided: () => void,
  ) {
    this.connects = interceptConnects(client, (name, auth = {}) => this.onConnect(name, auth));
    if (client.conn.protocol === 3) this.awaitAnswer("the peer"); // Socket.IO 4 asks for a client of Socket.IO 2 by itself
  }

  /** Whether only the server has asked for the default namespace, so that the peer hears nothing of it. */
  get isSilent(): boolean {
    return this.asked === "the server" && !this.waiting.has("/");
  }

  /** Answers the CONNECTs of a peer that the handler refuses. */
  refuse(err: string): void {
    const { client, ns, waiting, connects } = this;
    if (waiting.has("/")) connects.passOn("/");
    const v2 = client.conn.protocol === 3; // a client of Socket.IO 2 is refused before it asks for its namespace
    if (v2 || waiting.has(ns)) {
      send(client, { type: CONNECT_ERROR, nsp: ns, data: v2 ? err : { message: err } });
      send(client, { type: DISCONNECT, nsp: ns }); // or a client before 4.4 would try again
    }
  }

  private onConnect(name: string, auth: Auth): void {
    if (name !== "/" && name !== this.ns) return this.connects.passOn(name, auth);

    const again = this.waiting.has(name) || (name === "/" && this.asked === "the peer");
    if (again) return this.client.conn.close(); // as Socket.IO does when the first one has been answered

    // without what would recover an earlier connection: that skips the middlewares, and with them a refusal
    const { pid, offset, ...fresh } = auth;
    if (this.asked === "nobody" && name === "/") {
      this.awaitAnswer("the peer");
      return this.connects.passOn("/", fresh);
    }
    this.waiting.set(name, auth);
    if (this.asked === "nobody") {
      this.awaitAnswer("the server");
      joinOnBehalf(this.io, this.client, fresh);
    }
  }

  private awaitAnswer(asked: "the peer" | "the server"): void {
    this.asked = asked;
    // An answer that the peer has not asked for stays here: python-socketio, for one, gives up on it.
    interceptAnswer(this.client, asked === "the peer", (answer) => {
      queueMicrotask(() => this.decide(answer)); // after the listeners of `connection`: one creates the namespace
    });
  }

  private decide(answer: Packet): void {
    const { client, waiting, connects } = this;

    if (answer.type === CONNECT_ERROR) {
      for (const nsp of waiting.keys()) send(client, { ...answer, nsp });
      waiting.clear();
      this.asked = "nobody"; // who tries again is asked for again
    } else {
      connects.restore();
      this.onDecided();
      if (client.conn.readyState !== "open") return; // refused by the handler
      for (const [name, auth] of waiting) connects.passOn(name, auth);
    }
  }
}

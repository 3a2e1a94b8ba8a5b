// connect-order.ts: the default namespace goes first. Socket.IO 2 put every client into it, and kept other CONNECT packets
// until that was done. The article relies on it, and Socket.IO 4 dropped it. Here it is again, for connections whose
// handshake has `?ns=`: the CONNECT for that namespace waits until the default namespace has decided about the connection,
// and if the peer has not asked for the default namespace, the server asks on its behalf.
import { inspect } from "node:util";
import type { Server, Socket } from "socket.io";
import * as internals from "./internals";
import { askedFor, interceptAnswer, nsOf, send, Type, type Auth, type Client } from "./internals";
import type { Lifetimes } from "./lifetime";

/**
 * Does what `io.on("connection", listener)` does, before a peer enters the namespace that its handshake asks for, and
 * refuses a peer for which the listener returns a reason: as the answer to its CONNECT for that namespace, or as the event
 * `refused` where it has asked for the default namespace itself. Other namespaces on its connection stay.
 * @throws Error for a second time on the same server, and for a version of Socket.IO that this was not made for
 */
export function onConnection(
  io: Server,
  lifetimes: Lifetimes,
  listener: (socket: Socket) => { err: string } | undefined,
): void {
  /** The CONNECTs of a connection that wait for the default namespace: how each goes on, and what they hold. */
  type Waiting = Map<string, () => void> & { holds?: string };
  const undecided = new WeakMap<Client, Waiting>();

  internals.interceptConnects(io, (client, name, auth, next) => {
    const ns = nsOf(client);
    if (name !== "/" && name !== ns) return next();
    const others = undecided.get(client);
    if (others) return void others.set(name, next); // a repeated CONNECT takes the place of the former

    const socket = internals.socketInDefault(io, client);
    if (socket && name === "/") {
      askedFor(client).set("/", socket); // the server has put it there before
      return send(client, { type: Type.CONNECT, nsp: "/", data: { sid: socket.id } });
    }
    const waiting: Waiting = new Map([[name, next]]);
    undecided.set(client, waiting);
    if (ns && lifetimes.hold(client, ns)) waiting.holds = ns;
    if (!socket) return enterDefault(client, auth, waiting);
    decide(socket); // its namespace may have been retired meanwhile
    letIn(client, waiting);
  });
  io.on("connection", decide);

  function enterDefault(client: Client, auth: Auth, waiting: Waiting): void {
    interceptAnswer(client, "/", ({ type, data }) => {
      if (type === Type.CONNECT) return waiting.has("/"); // some clients give up on an answer that they did not ask for
      refuse(client, [{ type, data }]);
      return false;
    });
    const { pid, offset, ...fresh } = auth; // recovery would skip the middlewares, and with them a refusal
    internals.enterDefault(io, client, fresh, (socket) => {
      if (waiting.delete("/")) askedFor(client).set("/", socket);
      queueMicrotask(() => letIn(client, waiting)); // after the listeners of `connection`
    });
  }

  function letIn(client: Client, waiting: Waiting): void {
    if (undecided.get(client) !== waiting) return; // refused, or a middleware has called `next` twice
    undecided.delete(client);
    if (client.conn.readyState === "open") waiting.forEach((next) => next());
  }

  function decide(socket: Socket): void {
    const { client } = socket;
    let refusal;
    try {
      if (client.conn.readyState === "open") refusal = listener(socket); // else the application has just closed it
    } catch (err) {
      client.conn.close(); // as in Socket.IO: where creating a namespace fails, its peer alone is cut off
      process.emitWarning(err instanceof Error ? err : inspect(err));
    }
    if (!refusal) return;
    const data = client.conn.protocol === 3 ? refusal.err : { message: refusal.err }; // Socket.IO 2 knows a string
    // without the DISCONNECT, a client before 4.4 would try again
    refuse(client, [{ type: Type.CONNECT_ERROR, data }, { type: Type.DISCONNECT }]);
    if (askedFor(client).has("/")) send(client, { type: Type.EVENT, nsp: "/", data: ["refused", refusal] });
    else interceptAnswer(client, "/", () => false); // it has not asked, and so it is not told that it leaves
    socket.disconnect();
  }

  /** Answers all CONNECTs that wait, and lets go of the namespace, for which there may have been none yet. */
  function refuse(client: Client, answers: { type: number; data?: unknown }[]): void {
    const waiting = undecided.get(client);
    undecided.delete(client);
    for (const nsp of waiting?.keys() ?? []) for (const answer of answers) send(client, { ...answer, nsp });
    if (waiting?.holds) lifetimes.release(client, waiting.holds);
  }
}

// connect-order.ts: the default namespace goes first. Socket.IO 2 put every client into it, and kept other CONNECT
// packets until that was done. The article relies on this order, and Socket.IO 4 does not keep it. This file restores
// it for connections whose handshake has `?ns=`: the CONNECT for that namespace waits until the default namespace has
// decided about the connection, and if the client has not asked for the default namespace, the server asks on its
// behalf. (A connection without `?ns=` that asks for the default namespace goes the same way, and is refused then. What
// is private in Socket.IO, such as `Client`, is explained in internals.ts.)
import { inspect } from "node:util";
import type { Namespace, Server, Socket } from "socket.io";
import * as internals from "./internals";
import { PacketType, type Auth, type Client } from "./internals";
import type { Lifetimes } from "./lifetime";
import { log } from "./log";
import type { Refusal } from "./routes";
import { StandIn } from "./stand-in";

/** What a client has asked for so far, of the namespace of its handshake and the default one. */
interface Asked {
  /** The name of that namespace; `undefined` for a handshake that asks for none. */
  ns: string | undefined;
  /** Lets the CONNECT go on to Socket.IO; `undefined` if the client has only asked for the default namespace so far. */
  goOn?: () => void;
}

/** A connection about which the default namespace has not decided yet. */
interface Undecided extends Asked {
  standIn: StandIn;
  /** Whether the connection is admitted or refused already: a middleware may call `next` again. */
  isDecided: boolean;
}

/** The peer that is being decided about, on each server. */
const deciding = new WeakMap<Server, Socket>();

/**
 * The namespace that a handshake's query asks for. A name without its leading slash means the same as with it, as in
 * `io.of()`.
 */
export function namespaceIn({ ns }: Record<string, unknown>): string | undefined {
  if (typeof ns !== "string" || ns === "") return undefined; // given twice, it is a list in Socket.IO 4.6 and 4.7
  return ns.startsWith("/") ? ns : `/${ns}`;
}

/** The peer, in the default namespace, for which a namespace is being created now. */
export function creatorOf(namespace: Namespace): Socket | undefined {
  const socket = deciding.get(namespace.server);
  // a listener of the application may create another namespace at the same moment, and that has no creator
  return socket && namespaceIn(socket.handshake.query) === namespace.name ? socket : undefined;
}

/**
 * Calls `listener` for each peer when it is in the default namespace, as `io.on("connection", listener)` does, but
 * before its CONNECT for the namespace of its handshake goes on. A peer for which the listener returns a reason is
 * refused. Other namespaces on its connection stay.
 *
 * @param options - `lifetimes` is told who holds the namespace that a handshake asks for; `onRefused` is called for each
 *   peer that the listener has refused, after the peer has been told
 * @param listener - decides about a peer, after the application's listeners of `connection`
 * @throws Error for a second time on the same server, and for a version of Socket.IO that this was not made for
 */
export function onConnection(
  io: Server,
  { lifetimes, onRefused }: { lifetimes: Lifetimes; onRefused: (socket: Socket, refusal: Refusal) => void },
  listener: (socket: Socket) => Refusal | undefined,
): void {
  const undecided = new WeakMap<Client, Undecided>();

  internals.followClients(io, {
    onConnect(client, name, auth, goOn) {
      const ns = namespaceIn(internals.queryOf(client)); // of the handshake; `name` is what this CONNECT asks for
      if (name !== "/" && name !== ns) {
        goOn(); // neither of the two names that are decided about here
        return;
      }
      const waiting = undecided.get(client);
      if (waiting) {
        note(waiting, name, goOn);
        return;
      }

      const inDefault = internals.socketInDefault(io, client); // it was admitted before
      if (inDefault && name === "/") {
        answerForDefault(client, inDefault);
        return;
      }

      if (ns) lifetimes.hold(client, ns); // it must not be retired while the client waits
      if (!inDefault) enterDefault(client, ns, name, auth, goOn);
      else admitOrRefuse(client, inDefault, { ns, goOn }); // again: its namespace may have been retired since
    },

    onClosed(client) {
      lifetimes.releaseAll(client);
      internals.closeSocketsLeft(client);
    },
  });

  /** Asks for the default namespace, with the first CONNECT that the client sends for either of the two. */
  function enterDefault(client: Client, ns: string | undefined, name: string, auth: Auth, goOn: () => void): void {
    const waiting: Undecided = { ns, standIn: new StandIn(client, onDefaultRefused), isDecided: false };
    undecided.set(client, waiting);
    note(waiting, name, goOn);
    log("%s waits for the default namespace, and asks for %j", client.id, ns);

    const entered = internals.addToDefault(io, client, waiting.standIn, authForDefault(io, auth), (socket) => {
      if (waiting.standIn.passesOn) internals.giveClient(socket, client);
      void Promise.resolve().then(() => {
        // Socket.IO has called the listeners of `connection` by now, also if one of them has thrown
        if (waiting.isDecided) return;
        stopWaiting(client, waiting);
        admitOrRefuse(client, socket, waiting);
      });
    });
    entered.catch((err) => {
      // A middleware has thrown, and nobody answers this client. It may ask again, and is a new case then. (If the
      // middleware has called `next` before it threw, the peer gets in all the same.)
      forget(client, waiting);
      if (ns) lifetimes.releaseUnlessJoined(client, ns);
      throw err; // as in Socket.IO, this is an unhandled rejection of the application's
    });
  }

  /**
   * Notes a CONNECT of a client that waits. For the default namespace a note is enough, since the server has asked for
   * it already. Of two CONNECTs for its namespace the first goes on, with its `auth`.
   */
  function note(waiting: Undecided, name: string, goOn: () => void): void {
    if (name === "/") waiting.standIn.passesOn = true;
    else waiting.goOn ??= goOn;
  }

  function stopWaiting(client: Client, waiting: Undecided): void {
    waiting.isDecided = true;
    forget(client, waiting);
  }

  /** The client may have asked again meanwhile: that is another entry, which stays. */
  function forget(client: Client, waiting: Undecided): void {
    if (undecided.get(client) === waiting) undecided.delete(client);
  }

  /** Decides about a peer that is in the default namespace. */
  function admitOrRefuse(client: Client, socket: Socket, asked: Asked): void {
    // closed meanwhile, by the client or by `socket.disconnect(true)`; `socket.disconnect()` refuses nobody
    if (client.conn.readyState !== "open") return;
    try {
      const refusal = decide(socket);
      if (refusal) {
        refuse(client, socket, asked, refusal);
      } else {
        log("%s is admitted", client.id);
        asked.goOn?.();
      }
    } catch (err) {
      // It comes from the application: from its adapter, or from one of its listeners, such as that of
      // `namespace.created`. Socket.IO closes a connection whose CONNECT fails, and so does this: nobody else is concerned.
      client.conn.close();
      process.emitWarning(err instanceof Error ? err : inspect(err));
    }
  }

  function decide(socket: Socket): Refusal | undefined {
    deciding.set(io, socket);
    try {
      return listener(socket);
    } finally {
      deciding.delete(io);
    }
  }

  /** Tells a peer why it is refused, and ends its socket in the default namespace. */
  function refuse(client: Client, socket: Socket, { ns, goOn }: Asked, refusal: Refusal): void {
    log("%s is refused: %j", client.id, refusal.err);
    if (ns && goOn) {
      const data = client.conn.protocol === 3 ? refusal.err : { message: refusal.err }; // Socket.IO 2 expects a string
      client._packet({ type: PacketType.CONNECT_ERROR, nsp: ns, data });
      client._packet({ type: PacketType.DISCONNECT, nsp: ns }); // else a client before 4.4 would try again
    }
    // A client that has not asked for the default namespace must not hear this: a stand-in drops it. (Not `socket.emit`:
    // the adapter would keep that for recovery.)
    internals.clientOf(socket)._packet({ type: PacketType.EVENT, nsp: "/", data: ["refused", refusal] });
    if (ns) lifetimes.releaseUnlessJoined(client, ns);
    try {
      socket.disconnect();
    } finally {
      onRefused(socket, refusal); // also where a listener of `disconnect` throws
    }
  }

  /** Passes a refusal of `io.use` on, unchanged, to a client that waits for its namespace. */
  function onDefaultRefused(client: Client, standIn: StandIn, data: unknown): void {
    log("%s is refused by a middleware: %j", client.id, data);
    const waiting = undecided.get(client);
    // a middleware may call `next` again, and the client may have asked again meanwhile
    if (waiting?.standIn !== standIn) return;
    stopWaiting(client, waiting);
    const { ns, goOn } = waiting;
    if (!ns) return;
    // no DISCONNECT: as with every error of a middleware, an old client may try again
    if (goOn) client._packet({ type: PacketType.CONNECT_ERROR, nsp: ns, data });
    lifetimes.releaseUnlessJoined(client, ns);
  }

  /** Answers a client that asks for the default namespace after the server has put it there. */
  function answerForDefault(client: Client, socket: Socket): void {
    internals.giveClient(socket, client);
    client._packet({ type: PacketType.CONNECT, nsp: "/", data: { sid: socket.id } });
  }
}

/**
 * A copy of `auth` for the default namespace, without the `pid` and `offset` of recovery. They may name a session of
 * another namespace. An adapter that keeps all sessions together would find it, and `io.use` would be skipped. Where
 * recovery is off, both are the application's.
 */
function authForDefault(io: Server, auth: Auth): Auth {
  const copy = { ...auth };
  const isSession = typeof copy["pid"] === "string" && typeof copy["offset"] === "string";
  if (isSession && internals.recoveryOf(io)) {
    delete copy["pid"];
    delete copy["offset"];
  }
  return copy;
}

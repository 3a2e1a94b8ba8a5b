// connect-order.ts: the default namespace goes first. Socket.IO 2 put every client into it, and kept other CONNECT packets
// until that was done. The article relies on it, and Socket.IO 4 dropped it. Here it is again, for connections whose
// handshake has `?ns=`: the CONNECT for that namespace waits until the default namespace has decided about the connection,
// and if the client has not asked for the default namespace, the server asks on its behalf.
import { inspect } from "node:util";
import type { Namespace, Server, Socket } from "socket.io";
import * as internals from "./internals";
import { PacketType, type Auth, type Client } from "./internals";
import type { Lifetimes } from "./lifetime";
import { log } from "./log";
import type { Refusal } from "./routes";
import { SilentClient } from "./silent-client";

/** The CONNECT of a peer for the namespace that its handshake asks for. */
interface Asked {
  /** The name of that namespace, which is held meanwhile; `undefined` for a handshake that asks for none. */
  ns: string | undefined;
  /** Goes on with the CONNECT, which waits; `undefined` if the client has only asked for the default namespace so far. */
  goOn?: () => void;
}

/** A connection about which the default namespace has not decided yet. */
interface Undecided extends Asked {
  /** Stands in for the client in the default namespace. */
  silent: SilentClient;
}

/** The peer that is being decided about, on each server. */
const deciding = new WeakMap<Server, Socket>();

/**
 * The namespace that a handshake's query asks for. A name without its leading slash means the same as with it, as in
 * `io.of()`.
 */
export function namespaceIn({ ns }: Record<string, unknown>): string | undefined {
  if (typeof ns !== "string" || ns === "") return undefined; // `?ns[]=` makes a list of it
  return ns.startsWith("/") ? ns : `/${ns}`;
}

/** The peer, in the default namespace, whose handshake asks for a namespace that is being created now. */
export function creatorOf(namespace: Namespace): Socket | undefined {
  const socket = deciding.get(namespace.server);
  return socket && namespaceIn(socket.handshake.query) === namespace.name ? socket : undefined;
}

/**
 * Does what `io.on("connection", listener)` does, before a peer enters the namespace that its handshake asks for, and
 * refuses a peer for which the listener returns a reason: as the answer to its CONNECT for that namespace, or as the event
 * `refused` where it has asked for the default namespace itself. Other namespaces on its connection stay.
 *
 * @param options - `lifetimes` is told who holds the namespace that a handshake asks for; `onRefused` is called for each
 *   peer that the listener has refused, when that has been told
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
    onConnect(client, name, auth, next) {
      const ns = namespaceIn(internals.queryOf(client));
      if (name !== "/" && name !== ns) {
        next(); // no concern of ours
        return;
      }
      if (ns) lifetimes.hold(client, ns);

      const socket = internals.socketInDefault(io, client);
      const waiting = undecided.get(client);
      if (waiting) keep(waiting, name, next);
      else if (!socket) enterDefault(client, ns, name, auth, next);
      else if (name === "/") letHear(client, socket);
      else admitOrRefuse(client, socket, { ns, goOn: next }); // it comes back: its namespace may have been retired
    },

    onClosed(client) {
      undecided.delete(client);
      lifetimes.releaseAll(client);
      internals.closeSockets(client);
    },
  });

  /** Keeps a CONNECT of a connection that waits. Of two for the same namespace, the first counts. */
  function keep(waiting: Undecided, name: string, next: () => void): void {
    if (name === "/") waiting.silent.hears = true;
    else waiting.goOn ??= next;
  }

  /** Asks for the default namespace, with the first CONNECT that the client sends for either of the two. */
  function enterDefault(client: Client, ns: string | undefined, name: string, auth: Auth, next: () => void): void {
    const waiting: Undecided = { ns, silent: new SilentClient(client, refusedByMiddleware) };
    undecided.set(client, waiting);
    keep(waiting, name, next);
    log("%s waits for the default namespace, and asks for %j", client.id, ns);

    internals.enterDefault(io, client, waiting.silent, withoutSession(io, auth), (socket) => {
      if (waiting.silent.hears) internals.giveClient(socket, client);
      // Socket.IO calls the listeners of `connection` next, so this comes after them, also if one throws
      void Promise.resolve().then(() => {
        if (undecided.get(client) !== waiting) return; // a middleware has called `next` twice
        undecided.delete(client);
        admitOrRefuse(client, socket, waiting);
      });
    });
  }

  /** Answers a client that asks for the default namespace after the server has put it there. */
  function letHear(client: Client, socket: Socket): void {
    internals.giveClient(socket, client);
    client._packet({ type: PacketType.CONNECT, nsp: "/", data: { sid: socket.id } });
  }

  /** Passes a refusal of `io.use` on, unchanged, to a client that waits for its namespace. */
  function refusedByMiddleware(client: Client, data: unknown): void {
    log("%s is refused by a middleware: %j", client.id, data);
    const { ns, goOn } = undecided.get(client) ?? {};
    undecided.delete(client);
    if (!ns) return;
    if (goOn) client._packet({ type: PacketType.CONNECT_ERROR, nsp: ns, data });
    lifetimes.releaseIfRefused(client, ns);
  }

  /** Decides about a peer that is in the default namespace. */
  function admitOrRefuse(client: Client, socket: Socket, asked: Asked): void {
    if (client.conn.readyState !== "open") return; // the application has just closed it
    let refusal: Refusal | undefined;
    try {
      refusal = decide(socket);
      if (!refusal) {
        log("%s is admitted", client.id);
        asked.goOn?.();
      }
    } catch (err) {
      client.conn.close(); // as in Socket.IO: where creating a namespace fails, its peer alone is cut off
      process.emitWarning(err instanceof Error ? err : inspect(err));
    }
    if (refusal) refuse(client, socket, asked, refusal);
  }

  function decide(socket: Socket): Refusal | undefined {
    deciding.set(io, socket);
    try {
      return listener(socket);
    } finally {
      deciding.delete(io);
    }
  }

  /** Tells a peer why it is refused, where it waits to hear that, and ends its socket in the default namespace. */
  function refuse(client: Client, socket: Socket, { ns, goOn }: Asked, refusal: Refusal): void {
    log("%s is refused: %s", client.id, refusal.err);
    if (ns && goOn) {
      const data = client.conn.protocol === 3 ? refusal.err : { message: refusal.err }; // Socket.IO 2 knows a string
      client._packet({ type: PacketType.CONNECT_ERROR, nsp: ns, data });
      client._packet({ type: PacketType.DISCONNECT, nsp: ns }); // else a client before 4.4 would try again
    }
    // written without the adapter, which would keep it for recovery; a silent client drops it
    internals.clientOf(socket)._packet({ type: PacketType.EVENT, nsp: "/", data: ["refused", refusal] });
    if (ns) lifetimes.releaseIfRefused(client, ns);
    socket.disconnect();
    onRefused(socket, refusal);
  }
}

/** `pid` and `offset` name a session of another namespace. With them, recovery would skip the middlewares of this one. */
function withoutSession(io: Server, auth: Auth): Auth {
  const { pid, offset, ...others } = auth;
  const isSession = typeof pid === "string" && typeof offset === "string";
  return isSession && internals.recoveryOf(io) ? others : auth;
}

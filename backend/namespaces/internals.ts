// internals.ts: the members that Socket.IO 4 keeps private and this pattern cannot do without, all in one place, but
// for those of its adapter for recovery (recovery.ts). They are the reason why package.json names the versions of
// Socket.IO that this was tried with. Replaced are: `connect` and `destroy` of the class of clients, once; `_add`,
// `run` and `_doConnect` of each namespace of a route; `emitReserved` of the default namespace, and for a moment its
// `_add`; `client` of its sockets, in whose place a stand-in is (stand-in.ts). Members that are public are replaced
// too: `adapter.close` of each namespace of a route (lifetime.ts), `io.adapter` and `persistSession` (recovery.ts).
import { EventEmitter } from "node:events";
import type { Namespace, Server, Socket } from "socket.io";

/**
 * Socket.IO's object for one connection: it takes CONNECT packets in, with their `auth`, and writes the answers. (In
 * the comments, a client is the program at the other end, and a `Client` is this.)
 */
export interface Client {
  id: string;
  conn: Socket["conn"];
  request: Socket["request"];
  server: Server;
  /** All sockets of the connection: they are told when it closes. */
  sockets: Map<string, Socket>;
  /** The namespaces that the client has asked for and joined. */
  nsps: Map<string, Socket>;
  connect(name: string, auth?: Auth): void;
  destroy(): void;
  _packet(packet: Packet, options?: object): void;
  writeToEngine(packets: unknown, options: object): void;
  _remove(socket: Socket): void;
  _disconnect(): void;
}

/** What a client sends with a CONNECT. */
export type Auth = Record<string, unknown>;

/** A packet of Socket.IO's protocol. */
export interface Packet {
  type: number;
  nsp: string;
  data?: unknown;
}

/** The types of packets that are needed here. socket.io-parser has them too, but an application need not have that package. */
export const PacketType = { CONNECT: 0, DISCONNECT: 1, EVENT: 2, CONNECT_ERROR: 4 } as const;

/** A namespace, with what is private in it. */
interface PrivateNamespace {
  /** Takes a client in, with the middlewares, or without them where its session is recovered and they are skipped. */
  _add(client: Client, auth: Auth, onEntered: (socket: Socket) => void): Promise<void>;
  /** Runs the middlewares; `done` hears their verdict. */
  run(socket: Socket, done: (err?: Error | null) => void): void;
  /** Lets a socket in: it is connected, its client is told so, and `connection` is emitted. */
  _doConnect(socket: Socket, onEntered: (socket: Socket) => void): void;
  emitReserved(event: string, ...args: unknown[]): boolean;
}

const privateOf = (namespace: Namespace) => namespace as unknown as PrivateNamespace;

/** The namespaces of a server. `_nsps`: nothing public lists them, and nothing public removes one. */
export function namespacesOf(io: Server): Map<string, Namespace> {
  return io._nsps;
}

/** The query of a client's handshake. `_query` of Engine.IO's request: `socket.handshake.query` is the same object. */
export function queryOf(client: Client): Record<string, unknown> {
  const request = client.request as { _query?: Record<string, unknown> } | undefined; // WebTransport has no request
  return request?._query ?? {};
}

/** The `Client` of a socket; in the default namespace, it may be a stand-in. */
export function clientOf(socket: Socket): Client {
  return socket.client as unknown as Client;
}

/** The namespaces that a client has asked for and joined. `client.nsps`: nothing public lists them. */
export function joinedNamespaces(client: Client): Map<string, Socket> {
  return client.nsps;
}

/** The socket of a connection in the default namespace, which the client may not have asked for. */
export function socketInDefault(io: Server, client: Client): Socket | undefined {
  for (const socket of client.sockets.values()) if (socket.nsp === io.sockets) return socket;
  return undefined;
}

/**
 * Puts a client into the default namespace, through its middlewares. The socket gets `standIn` in place of the
 * `Client`.
 *
 * The socket is told when the connection closes (`client.sockets`). It does not count as a namespace that the client
 * has joined (`client.nsps`), so the client may still ask for it, and Socket.IO's `connectTimeout` runs on.
 * @param onEntered - called when the socket is connected, before the listeners of `connection`
 * @returns rejects with what a middleware throws
 */
export function addToDefault(
  io: Server,
  client: Client,
  standIn: Pick<Client, "id" | "conn" | "request" | "_packet" | "writeToEngine" | "_remove" | "_disconnect">,
  auth: Auth,
  onEntered: (socket: Socket) => void,
): Promise<void> {
  return privateOf(io.sockets)._add(standIn as Client, auth, (socket) => {
    client.sockets.set(socket.id, socket);
    onEntered(socket);
  });
}

/** The options of connection state recovery, where it is on. `server.opts`: nothing public tells them. */
export function recoveryOf(io: Server) {
  return io["opts"].connectionStateRecovery;
}

/**
 * Tells the sockets of a closed connection that it has closed, if Socket.IO has not. Socket.IO does so at once, and
 * empties its list. But where a listener of `disconnect` throws, the sockets after it stay in the list and hear nothing.
 */
export function closeSocketsLeft(client: Client): void {
  void Promise.resolve().then(() => {
    // Socket.IO has told the others by now. Each of these by itself: another listener may throw
    for (const socket of client.sockets.values()) void Promise.resolve().then(() => socket._onclose("transport close"));
  });
}

/**
 * Makes a socket of the default namespace like any other, when its client has asked for that namespace itself: it gets
 * its `Client`, and counts as joined.
 */
export function giveClient(socket: Socket, client: Client): void {
  (socket as { client: unknown }).client = client;
  client.nsps.set("/", socket);
}

/**
 * Calls `listener` for each new namespace, before the application's listeners of `new_namespace`, and also after
 * `io.removeAllListeners()`. Socket.IO emits it before `io.of()` returns.
 */
export function onNewNamespace(io: Server, listener: (namespace: Namespace) => void): void {
  const sockets = privateOf(io.sockets);
  const { emitReserved } = sockets;
  sockets.emitReserved = (event, ...args) => {
    if (event === "new_namespace") listener(args[0] as Namespace);
    return emitReserved.call(sockets, event, ...args);
  };
}

/** What {@link followEntries} tells. */
export interface EntryFollower {
  /** A client asks for the namespace. */
  onArrival(client: Client, name: string): void;
  /** A middleware of the namespace has refused the client. */
  onMiddlewareRefused(client: Client, name: string): void;
  /** The middlewares have let the client in. Where this returns `false`, it does not get in, and hears nothing. */
  mayEnter(client: Client, namespace: Namespace): boolean;
}

/** Follows every client on its way into a namespace. */
export function followEntries(namespace: Namespace, { onArrival, onMiddlewareRefused, mayEnter }: EntryFollower): void {
  const inside = privateOf(namespace);
  const { _add, run, _doConnect } = inside;
  inside._add = (client, auth, onEntered) => {
    onArrival(client, namespace.name);
    return _add.call(inside, client, auth, onEntered);
  };
  inside.run = (socket, done) => {
    run.call(inside, socket, (err) => {
      if (err) onMiddlewareRefused(clientOf(socket), namespace.name);
      done(err);
    });
  };
  inside._doConnect = (socket, onEntered) => {
    if (mayEnter(clientOf(socket), namespace)) _doConnect.call(inside, socket, onEntered);
  };
}

/** What {@link followClients} tells. */
export interface ClientFollower {
  /** A client asks for a namespace; `goOn` is what Socket.IO does with that. */
  onConnect(client: Client, name: string, auth: Auth, goOn: () => void): void;
  /** The connection has closed. Socket.IO may say so twice. */
  onClosed(client: Client): void;
}

// Symbols of the whole process: a second copy of this file, as hot reload makes one, finds what the first has left
const FOLLOWER = Symbol.for("socket.io-first-peer: the follower of a server");
const IS_REPLACED = Symbol.for("socket.io-first-peer: this class has been changed");
type Followed = Server & { [FOLLOWER]?: ClientFollower };

/**
 * Follows all clients of a server, of every engine that it is attached to, now or later: what is replaced is a method
 * of their class. Nothing public can keep a CONNECT waiting for any namespace, and knows its connection.
 * @throws Error for a second follower of the same server, and for a Socket.IO that lacks a member of those checked below
 */
export function followClients(io: Server, follower: ClientFollower): void {
  const followed: Followed = io;
  if (followed[FOLLOWER]) throw new Error("this server has an ioHandler already");

  const prototype: Client & { [IS_REPLACED]?: true } = prototypeOfClients(io);
  if (!prototype[IS_REPLACED]) {
    const { connect, destroy } = prototype;
    prototype.connect = function (name, auth = {}) {
      const goOn = () => connect.call(this, name, auth);
      const server: Followed = this.server;
      if (server[FOLLOWER]) server[FOLLOWER].onConnect(this, name, auth, goOn);
      else goOn();
    };
    // Socket.IO calls it first of all when a connection has closed, before any listener of the application
    prototype.destroy = function () {
      destroy.call(this);
      const server: Followed = this.server;
      server[FOLLOWER]?.onClosed(this);
    };
    Object.defineProperty(prototype, IS_REPLACED, { value: true });
  }
  Object.defineProperty(io, FOLLOWER, { value: follower });
}

/**
 * Finds what the clients of a server inherit from. Nothing public leads to it. So Socket.IO is given a connection of
 * protocol 3 that leads nowhere: it makes a `Client` for it, and adds that to the default namespace at once. There
 * `_add` is replaced for this moment, and catches it.
 * @throws Error for a Socket.IO that lacks a member of those checked here
 */
function prototypeOfClients(io: Server): Client {
  const sockets = privateOf(io.sockets);
  mustHave("server", io, { _nsps: "object", onconnection: "function" });
  mustHave("namespace", sockets, {
    _add: "function",
    run: "function",
    _doConnect: "function",
    emitReserved: "function",
  });

  const nowhere = Object.assign(new EventEmitter(), { protocol: 3, readyState: "closed", request: { headers: {} } });
  const { _add } = sockets;
  const seen: Client[] = [];
  sockets._add = async (client) => {
    seen.push(client);
  };
  try {
    io["onconnection"](nowhere as never);
  } catch (cause) {
    throw new Error(unfit("no client can be made"), { cause });
  } finally {
    sockets._add = _add;
    nowhere.emit("close"); // ends the client's timer
  }
  const [client] = seen;
  mustHave("client", client, {
    connect: "function",
    destroy: "function",
    _packet: "function",
    writeToEngine: "function",
    _remove: "function",
    _disconnect: "function",
    sockets: "object",
    nsps: "object",
    server: "object",
    conn: "object",
  });
  return Object.getPrototypeOf(client);
}

/** @throws Error where a thing of Socket.IO lacks a member, or has it with another type */
function mustHave(what: string, thing: object | undefined, members: Record<string, string>): void {
  for (const [name, type] of Object.entries(members)) {
    if (typeof (thing as Record<string, unknown> | undefined)?.[name] === type) continue;
    throw new Error(unfit(`a ${what} has no ${name}`));
  }
}

function unfit(why: string): string {
  return `ioHandler was made for Socket.IO 4.6, 4.7 and 4.8: in this one, ${why}`;
}

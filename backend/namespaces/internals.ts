// internals.ts: the members that Socket.IO 4 keeps private and this pattern cannot do without, all in one place. They are
// the reason why package.json names the versions of Socket.IO that this was tried with. Replaced: `connect` of the class
// of clients, once; `_add` of each namespace of a route; `_packet` of a client, from its CONNECT to the answer.
import { EventEmitter } from "node:events";
import type { Namespace, Server, Socket } from "socket.io";

/** What Socket.IO keeps for each connection: it takes CONNECT packets in, with their `auth`, and writes the answers. */
export type Client = Socket["client"];
export type Auth = Record<string, unknown>;
/** A packet of Socket.IO, and the types that are needed here. */
export type Packet = { type: number; nsp: string; data?: unknown };
export const Type = { CONNECT: 0, DISCONNECT: 1, EVENT: 2, ACK: 3, CONNECT_ERROR: 4 } as const;

/** The namespaces of a server. `_nsps`: nothing public lists them, and nothing public removes one. */
export function namespacesOf(io: Server): Map<string, Namespace> {
  return io._nsps;
}

/** The `ns` of a client's handshake. `_query` of Engine.IO's request: `socket.handshake.query` is made of it. */
export function nsOf(client: Client): string | undefined {
  const { _query } = (client.request ?? {}) as { _query?: Record<string, unknown> };
  return typeof _query?.["ns"] === "string" && _query["ns"] ? _query["ns"] : undefined;
}

/** Writes a packet. `client._packet`: the public `emit` writes no CONNECT_ERROR, and an adapter may keep its events. */
export function send(client: Client, packet: Packet): void {
  client._packet(packet);
}

/** What a client has asked for itself. `client.nsps`: a CONNECT for a namespace that is in it closes the connection. */
export function askedFor(client: Client): Map<string, Socket> {
  return client["nsps"];
}

/** The socket of a client in the default namespace. `client.sockets`: all that hear when the connection closes. */
export function socketInDefault({ sockets }: Server, client: Client): Socket | undefined {
  for (const socket of client["sockets"].values()) if (socket.nsp === sockets) return socket;
  return undefined;
}

/** Puts a client into the default namespace that has not asked for it: so it may still ask, and `connectTimeout` runs on. */
export function enterDefault({ sockets }: Server, client: Client, auth: Auth, onEntered: (socket: Socket) => void) {
  void sockets._add(client, auth, (socket) => {
    client["sockets"].set(socket.id, socket);
    onEntered(socket);
  });
}

/** Calls `onEntry` with every client on its way into a namespace. `namespace._add`: some skip the middlewares. */
export function interceptEntries(namespace: Namespace, onEntry: (client: Client, name: string) => void): void {
  const { _add } = namespace;
  namespace._add = (client, auth, onEntered) => {
    onEntry(client, namespace.name);
    return _add.call(namespace, client, auth, onEntered);
  };
}

const expected = new WeakMap<Client, Map<string, (answer: Packet) => boolean>>();

/**
 * Calls `onAnswer` with the next packet that lets a client into a namespace, refuses it or ends its stay there, and
 * writes it if the result is true. `client._packet`: nothing public tells that a middleware has refused.
 */
export function interceptAnswer(client: Client, nsp: string, onAnswer: (answer: Packet) => boolean): void {
  const others = expected.get(client);
  if (others) return void others.set(nsp, onAnswer);
  const { _packet } = client;
  const answers = new Map([[nsp, onAnswer]]);
  expected.set(client, answers);
  client._packet = (packet, options) => {
    const isAnswer = "nsp" in packet && packet.type !== Type.EVENT && packet.type !== Type.ACK;
    const listener = isAnswer && answers.get(packet.nsp);
    if (!listener) return _packet.call(client, packet, options);
    answers.delete(packet.nsp);
    if (answers.size === 0) {
      expected.delete(client);
      client._packet = _packet; // set back and not deleted, which would make the client a slow object
    }
    if (listener(packet)) _packet.call(client, packet, options);
  };
}

type ConnectHandler = (client: Client, name: string, auth: Auth, next: () => void) => void;
const handlers = new WeakMap<Server, ConnectHandler>();
const replaced = new WeakSet<object>();
/**
 * Hands every CONNECT of a server's clients to `handler`; `next` is what Socket.IO does with it. `client.connect`: nothing
 * public comes before the answer. It is replaced for the class of the clients, and so for every engine of the server.
 * @throws Error for a second handler on the same server, and for a Socket.IO in which something of this file is missing
 */
export function interceptConnects(io: Server, handler: ConnectHandler): void {
  if (handlers.has(io)) throw new Error("this server has an ioHandler already");
  const clients = prototypeOfClients(io);
  if (!replaced.has(clients)) {
    const { connect } = clients;
    clients.connect = function (name, auth = {}) {
      const next = () => connect.call(this, name, auth);
      const intercept = handlers.get(this["server"]);
      return intercept ? intercept(this, name, auth, next) : next();
    };
    replaced.add(clients);
  }
  handlers.set(io, handler);
}

// Nothing public leads to what clients inherit from. So a connection that leads nowhere is opened, of protocol 3: Socket.IO
// itself puts such a client into the default namespace, and there it is seen.
function prototypeOfClients(io: Server): { connect(this: Client, name: string, auth?: Auth): void } {
  const { engine, sockets } = io;
  const { _add } = sockets;
  const nowhere = Object.assign(new EventEmitter(), { protocol: 3, readyState: "closed", request: { headers: {} } });
  let client: Client | undefined;
  try {
    sockets._add = async (arriving) => void (client = arriving);
    io.bind(new EventEmitter() as Server["engine"]).engine.emit("connection", nowhere);
    for (const method of [_add, client!._packet, client!["sockets"].set, client!["nsps"].set, io._nsps.get])
      method.bind(io);
  } catch (cause) {
    throw new Error("this Socket.IO lacks what ioHandler needs from the inside of 4.6, 4.7 and 4.8", { cause });
  } finally {
    sockets._add = _add;
    io.engine = engine;
    nowhere.emit("close"); // ends the client's timer
  }
  return Object.getPrototypeOf(client);
}

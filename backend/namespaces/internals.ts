// internals.ts: the members that Socket.IO 4 keeps private and this pattern cannot do without, all in one place.
// They are the reason why package.json names the versions of Socket.IO that this was tried with.

import { EventEmitter } from "node:events";
import type { Namespace, Server, Socket } from "socket.io";

/** The Engine.IO connection under a peer: one for all its namespaces. */
export type Connection = Socket["conn"];

/** What Socket.IO keeps for each connection: it takes CONNECT packets in, and writes the answers. */
export type Client = Socket["client"];

/** The `auth` of a CONNECT packet. */
export type Auth = Record<string, unknown>;

/** The types of Socket.IO's packets that are needed here. */
export const CONNECT = 0;
export const DISCONNECT = 1;
export const EVENT = 2;
export const CONNECT_ERROR = 4;

/** A packet of Socket.IO. */
export interface Packet {
  type: number;
  nsp: string;
  data?: unknown;
}

/** The namespaces of a server. `_nsps`: nothing public lists them, and nothing public removes one. */
export function namespacesOf(io: Server): Map<string, Namespace> {
  return io._nsps;
}

/** Writes a packet. `client._packet`: the public `emit` writes no CONNECT_ERROR, and an adapter may keep its events. */
export function send(client: Client, packet: Packet): void {
  client._packet(packet);
}

/**
 * The client of a connection that has just been opened. No public property leads to it before the peer has joined, so
 * Socket.IO is given a CONNECT for the default namespace (`io.encoder`: in the language of the server's parser), and
 * the client is seen where it would be let in (`namespace._add`).
 */
export function clientOf(io: Server, conn: Connection): Client {
  const { sockets } = io;
  const { _add } = sockets;
  let client: unknown;

  sockets._add = async (arriving) => void (client = arriving);
  conn.emit("data", io.encoder.encode({ type: CONNECT, nsp: "/" })[0]);
  sockets._add = _add;
  return client as Client;
}

/**
 * Hands the CONNECT packets of a client to `handler` instead of Socket.IO. `client.connect`: nothing public comes before
 * Socket.IO's answer to a CONNECT.
 *
 * @returns what Socket.IO does with a CONNECT, and the end of the interception
 */
export function interceptConnects(client: Client, handler: (name: string, auth?: Auth) => void) {
  const { connect } = client as unknown as { connect: typeof handler };
  const use = (by: typeof handler) => Object.assign(client, { connect: by });

  use(handler);
  // set back and not deleted: a deleted property would make the client a slow object
  return { passOn: connect.bind(client), restore: () => use(connect) };
}

/**
 * Calls `listener` with the next answer of the default namespace to a client. `client._packet` again: nothing public
 * tells that a middleware has refused.
 *
 * @param write - whether the answer is written to the connection too
 */
export function interceptAnswer(client: Client, write: boolean, listener: (answer: Packet) => void): void {
  const { _packet } = client;

  client._packet = (packet, options) => {
    const answer = "nsp" in packet && packet.nsp === "/" && (packet.type === CONNECT || packet.type === CONNECT_ERROR);
    if (!answer || write) _packet.call(client, packet, options);
    if (!answer) return;
    client._packet = _packet;
    listener(packet);
  };
}

/**
 * Puts a client into the default namespace that has not asked for it. `namespace._add`: Socket.IO's way in. It calls
 * back for its list of the namespaces that the client has asked for; here the socket goes into `client.sockets` alone,
 * which is how it hears when the connection closes. So Socket.IO's `connectTimeout` runs on until the peer has joined
 * what it has asked for.
 */
export function joinOnBehalf({ sockets }: Server, client: Client, auth: Auth): void {
  void sockets._add(client, auth, (socket) => client["sockets"].set(socket.id, socket));
}

/** Lets a client that {@link joinOnBehalf} has put into the default namespace ask for it later. */
export function answerLateConnects({ sockets }: Server): void {
  const { _add } = sockets;

  sockets._add = async (client, auth, joined) => {
    const socket = [...client["sockets"].values()].find(({ nsp }) => nsp === sockets);
    if (!socket) return _add.call(sockets, client, auth, joined);
    joined(socket);
    send(client, { type: CONNECT, nsp: "/", data: { sid: socket.id } });
  };
}

/**
 * Calls `listener` with every connection whose handshake has `?ns=`, right after Socket.IO, also where the server is
 * attached to its port later. Where `ns` is repeated, the last one counts, as in Socket.IO 4.8. WebTransport has no query.
 */
export function onHandshake(io: Server, listener: (conn: Connection, ns: string) => void): void {
  const { bind } = io;
  const onConnection = (conn: Connection) => {
    const { url = "" } = (conn.request as typeof conn.request | null) ?? {};
    const query = new URLSearchParams(url.replace(/^[^?]*/, ""));
    const ns = query.getAll("ns").at(-1);
    if (ns) listener(conn, ns);
  };
  io.engine?.on("connection", onConnection);
  io.bind = (engine) => {
    bind.call(io, engine);
    engine.on("connection", onConnection);
    return io;
  };
}

/** What Socket.IO's own adapter for connection state recovery keeps to itself. */
interface RecoveryAdapter {
  sessions: Map<string, { disconnectedAt: number }>;
  packets: { emittedAt: number }[];
  maxDisconnectionDuration: number;
  close(): void;
}

/**
 * Lets Socket.IO's own adapter for connection state recovery end with its namespace. Its constructor starts an interval
 * that `close()` does not stop, and that keeps the namespace in memory for ever. So adapters are built without that
 * constructor, and with an interval that `close()` stops.
 */
export function stopSweepingOnClose(io: Server): void {
  const { adapter } = io;
  const { maxDisconnectionDuration } = io.sockets.adapter as unknown as RecoveryAdapter;

  const build = (Adapter: new () => RecoveryAdapter) =>
    function (namespace: Namespace): RecoveryAdapter {
      const built: RecoveryAdapter = Reflect.construct(Object.getPrototypeOf(Adapter), [namespace], Adapter);
      const sweep = () => {
        // what nobody can come back to any more
        const oldest = Date.now() - maxDisconnectionDuration;
        built.sessions.forEach(({ disconnectedAt }, id) => disconnectedAt < oldest && built.sessions.delete(id));
        built.packets = built.packets.filter(({ emittedAt }) => emittedAt >= oldest);
      };
      const sweeping = setInterval(sweep, Math.min(60_000, maxDisconnectionDuration + 1000)).unref();
      return Object.assign(built, {
        sessions: new Map(),
        packets: [],
        maxDisconnectionDuration,
        close: () => clearInterval(sweeping),
      });
    };

  io.adapter = function (...chosen: Parameters<typeof adapter>) {
    const answer: unknown = adapter.apply(io, chosen);
    const own = (answer as { name?: string }).name === "SessionAwareAdapter";
    return own ? build(answer as new () => RecoveryAdapter) : answer;
  } as typeof adapter;
}

const checked = new WeakSet<Server>();

/**
 * Tries all of the above on a connection that leads nowhere.
 *
 * @throws Error that names the version of a Socket.IO in which something is missing; Error for a server that has passed
 *   before, since a second `ioHandler` would refuse the peers of the first
 */
export function checkInternals(io: Server): void {
  if (checked.has(io)) throw new Error("this server has an ioHandler already");

  const { engine, sockets } = io;
  const nowhere = Object.assign(new EventEmitter(), { id: "", protocol: 4, readyState: "open", close() {} });
  let complete = typeof sockets._add === "function" && io._nsps instanceof Map;
  try {
    io.bind(new EventEmitter() as Server["engine"]);
    io.engine.emit("connection", nowhere);
    const client = clientOf(io, nowhere as unknown as Connection);
    const methods = [client["connect"], client._packet];
    complete &&= methods.every((method) => typeof method === "function") && client["sockets"] instanceof Map;
  } catch {
    complete = false;
  }
  nowhere.emit("close"); // ends the client's timer
  io.engine = engine;

  if (!complete) {
    const { version } = require("socket.io/package.json") as { version: string };
    throw new Error(`Socket.IO ${version} lacks what ioHandler needs from the inside of 4.6, 4.7 and 4.8`);
  }
  checked.add(io);
}

// Real servers and real clients over loopback, all closed after each test.

import type { EventEmitter } from "node:events";
import { createServer, type Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import type * as SocketIO from "socket.io";
import type { Namespace, ServerOptions, Socket as ServerSocket } from "socket.io";
import { Manager, type ManagerOptions, type Socket, type SocketOptions } from "socket.io-client";
import { WebSocket } from "ws";
import ioHandler, { routes, type IoHandlerOptions, type RouteEvents, type Routes } from "../../backend/io-handler";
import { connect } from "../../frontend/client";
import { endWaits, inTime, until, witness } from "./waiting";

export { pause, until } from "./waiting";

/** The server of Socket.IO, of an older version where `SOCKET_IO` names one. */
export const { Server } = require(process.env["SOCKET_IO"] ?? "socket.io") as typeof SocketIO;
export type Server = SocketIO.Server;

/** Every promise is tested on each of these, since they differ. */
export const transportsByName: Record<string, string[]> = {
  "long polling": ["polling"],
  WebSocket: ["websocket"],
  "long polling upgraded to WebSocket": ["polling", "websocket"],
};

/** Runs a suite once for each transport. */
export function onEachTransport(title: string, suite: (transports: string[]) => void): void {
  for (const [name, transports] of Object.entries(transportsByName)) {
    describe(`${title}, on ${name}`, () => suite(transports));
  }
}

export type ClientOptions = Partial<ManagerOptions & SocketOptions>;

const cleanups: (() => unknown)[] = [];

/** Calls `cleanup` after the test. */
export function atTheEnd(cleanup: () => unknown): void {
  cleanups.push(cleanup);
}

/**
 * Does all that {@link atTheEnd} was given, the last first, also where one of it fails.
 * @throws Error for the first of it that has failed or has not ended
 */
export async function cleanUp(): Promise<void> {
  const failures: unknown[] = [];
  for (const cleanup of cleanups.splice(0).reverse()) {
    const ended = inTime<unknown>(
      () => `the clean-up after the test has not ended: ${cleanup}`,
      (resolve, reject) => Promise.resolve().then(cleanup).then(resolve, reject),
    );
    await ended.catch((err) => failures.push(err));
  }
  endWaits();
  if (failures.length > 0) throw failures[0];
}

/** Collects the messages of the warnings of this process until the test ends; Node.js prints none of them. */
export function warnings(): string[] {
  const heard: string[] = [];
  listenInstead("warning", (warning) => heard.push((warning as Error).message));
  return heard;
}

/** Collects what nobody has caught until the test ends; it would end the process of an application without a handler. */
export function uncaught(): unknown[] {
  const heard: unknown[] = [];
  for (const event of ["uncaughtException", "unhandledRejection"]) listenInstead(event, (err) => heard.push(err));
  return heard;
}

/** Listens to an event of this process in place of all others, until the test ends; returns the others. */
export function listenInstead(event: string, listener: (...args: unknown[]) => void): ((...args: unknown[]) => void)[] {
  const emitter: EventEmitter = process;
  const usual = emitter.rawListeners(event) as (typeof listener)[];
  emitter.removeAllListeners(event).on(event, listener);
  atTheEnd(() => {
    emitter.removeAllListeners(event);
    for (const former of usual) emitter.on(event, former);
  });
  return usual;
}

/** Lets a server listen on the loopback, on a free port if none is named, until the test ends. */
export async function listen(http: HttpServer, io: Server, port = 0) {
  endPolls(io);
  await new Promise<void>((resolve) => http.listen(port, "127.0.0.1", resolve));
  const { port: bound } = http.address() as AddressInfo;
  let closing: Promise<void> | undefined;
  const close = () => {
    closing ??= io.close();
    http.closeAllConnections();
    return closing;
  };
  atTheEnd(close);
  return { port: bound, url: `http://127.0.0.1:${bound}`, close };
}

/** What {@link startServer} can be told. */
export interface StartOptions<R extends Routes> extends IoHandlerOptions<R> {
  io?: { [option in keyof ServerOptions]?: ServerOptions[option] | undefined };
  port?: number;
  /** Called before `ioHandler`, as an application would add its middlewares. */
  before?: ((io: Server) => unknown) | undefined;
}

/** Starts a server with the handler on a free port of the loopback. */
export async function startServer<R extends Routes = typeof routes>({
  io: ioOptions,
  port,
  before,
  ...handler
}: StartOptions<R> = {}) {
  const http = createServer();
  const io = new Server(http, ioOptions as Partial<ServerOptions>);
  before?.(io);
  const ee = ioHandler(io, handler);
  const created: string[] = [];
  const retired: string[] = [];
  const anyRoute = ee as EventEmitter<RouteEvents<string>>;
  anyRoute.on("namespace.created", (namespace) => created.push(namespace.name));
  anyRoute.on("namespace.retired", (namespace) => retired.push(namespace.name));

  const listening = await listen(http, io, port);
  const namespaces = () => [...io._nsps.keys()].filter((name) => name !== "/").sort();
  witness(() => `the server on port ${listening.port} knows ${describeServer(io)}`);

  return {
    io,
    ee,
    ...listening,
    /** The names of the namespaces that were created, and of those that were retired, in order. */
    created,
    retired,
    /** The names of the namespaces that the server knows now, without the default one. */
    namespaces,
    /** Resolves when no connection is left, and each namespace that was created has been retired once. */
    calm: () => {
      const look = () => {
        const stay = [...created];
        const tooOften = retired.filter((name) => !stay.includes(name) || !stay.splice(stay.indexOf(name), 1));
        return { "connections left": io.engine.clientsCount, "not retired": stay, "retired too often": tooOften };
      };
      const calm = { "connections left": 0, "not retired": [], "retired too often": [] };
      return until(look, calm, "the server is not calm, as it is when all peers have gone and all is cleaned up");
    },
  };
}

/** The connections of a server and where each of them is, and its namespaces and who is in them or on the way in. */
function describeServer(io: Server): string {
  const clients = Object.entries((io.engine as unknown as { clients: Record<string, ServerSocket["conn"]> }).clients);
  const namespaces = [...io._nsps.values()];
  const connections = clients.map(([id, conn]) => {
    const peers = namespaces.filter(({ sockets }) => [...sockets.values()].some((peer) => peer.conn === conn));
    return `\n  a connection (${id}, ${conn.transport.name}, ${conn.readyState}), in ${list(peers.map(({ name }) => name))}`;
  });
  const lives = namespaces.map((namespace) => {
    const { name, sockets } = namespace;
    return `\n  ${name}: ${sockets.size} in it, ${waitingFor(namespace) ?? "an unknown number"} on the way in`;
  });
  return `${clients.length} connections and ${namespaces.length} namespaces:${some(connections)}${some(lives)}`;
}

const some = (lines: string[]) =>
  lines.slice(0, 10).join("") + (lines.length > 10 ? `\n  and ${lines.length - 10} more` : "");
const list = (names: string[]) => names.join(" and ") || "no namespace";

/**
 * Lets the process end when the tests do. Engine.IO waits 30 s for one more poll when it closes a long-polling
 * connection, so that it can say so in the answer, and waits on where the client has left meanwhile. After the test
 * nobody polls: what that poll would have called is called instead.
 */
export function endPolls(io: Server): void {
  const transports: { shouldClose?: (() => void) | null }[] = [];
  io.engine.on("connection", ({ transport }: ServerSocket["conn"]) => transports.push(transport as object));
  atTheEnd(() => transports.forEach((transport) => transport.shouldClose?.()));
}

/** The client's own options, made to fail fast and come back fast. */
const quick: ClientOptions = { reconnectionDelay: 20, reconnectionDelayMax: 60, randomizationFactor: 0.2 };

/** `connect()` of the project, disconnected after the test. */
export function open(url: string, namespace: string, options: ClientOptions = {}): Socket {
  const socket = connect(url, namespace, { ...quick, ...options });
  atTheEnd(() => socket.disconnect());
  return socket;
}

/** `connect()` of the project; resolves when the peer has joined, and rejects with the first `connect_error`. */
export async function join(url: string, namespace: string, options: ClientOptions = {}): Promise<Socket> {
  return joined(open(url, namespace, options));
}

/** Resolves when a socket has connected, and rejects with its `connect_error`. */
export async function joined(socket: Socket): Promise<Socket> {
  if (socket.connected) return socket;
  return inTime(
    () => `${nameOf(socket)} had not got in`,
    (resolve, reject) => {
      socket.once("connect", () => resolve(socket));
      socket.once("connect_error", reject);
    },
  );
}

/** Resolves with the error when a socket is refused; a transport that fails is no refusal. */
export async function refusal(socket: Socket): Promise<Error & { data?: unknown }> {
  return inTime(
    () => `${nameOf(socket)} had not been refused`,
    (resolve) => {
      socket.on("connect_error", (err: Error & { type?: string }) => err.type === "TransportError" || resolve(err));
    },
  );
}

/** Plain sockets of socket.io-client in namespaces of one connection, all asked for in one go and in this order. */
export function openPlain(url: string, names: string[], options: ClientOptions = {}): Socket[] {
  const manager = new Manager(url, { ...quick, ...options, autoConnect: false });
  const sockets = names.map((name) => manager.socket(name, options));
  atTheEnd(() => {
    for (const socket of sockets) socket.disconnect();
  });
  return sockets.map((socket) => socket.connect());
}

/** A bare WebSocket to the engine of a server, terminated after the test. */
export function openSocket(url: string, query: string): WebSocket {
  const socket = new WebSocket(`${url.replace("http", "ws")}/socket.io/?EIO=4&transport=websocket&${query}`);
  atTheEnd(() => socket.terminate());
  return socket;
}

/** Anything with listeners: of the server, of a client, of Node.js. */
interface Emitter {
  once(event: string, listener: (...args: never[]) => void): unknown;
}

/**
 * Resolves with the arguments of an event when it comes.
 *
 * @param atLeast - milliseconds that it may take in any case
 */
export function next<Args extends unknown[] = unknown[]>(
  emitter: Emitter,
  event: string,
  atLeast?: number,
): Promise<Args> {
  return inTime(
    () => `"${event}" had not come to ${nameOf(emitter)}`,
    (resolve) => emitter.once(event, (...args: never[]) => resolve(args as unknown as Args)),
    atLeast,
  );
}

/** What a message calls an emitter: a socket by its namespace, with its state. */
function nameOf(emitter: Emitter): string {
  const socket = emitter as Emitter & { nsp?: string | { name: string }; connected?: boolean; active?: boolean };
  const { nsp, connected, active } = socket;
  if (nsp === undefined) return `the ${emitter.constructor.name}`;
  const state = connected ? "connected" : active ? "tries to connect" : "disconnected";
  return `${typeof nsp === "string" ? `the client of ${nsp}` : `the server's socket in ${nsp.name}`} (${state})`;
}

/** Resolves with the peers of a namespace at the server, as soon as there are `count`. */
export async function peersOf(io: Server, name: string, count: number): Promise<ServerSocket[]> {
  const peers = () => [...(io._nsps.get(name)?.sockets.values() ?? [])];
  await until(() => peers().length, count, `the number of peers in ${name}`);
  return peers();
}

/** How many peers are in the middlewares of the default namespace; before Socket.IO 4.8, how many are not in it. */
export function onTheWayIn(io: Server): number {
  return waitingFor(io.sockets) ?? io.engine.clientsCount - io.sockets.sockets.size;
}

/** How many peers are in the middlewares of a namespace; before Socket.IO 4.8 it does not know. */
function waitingFor(namespace: Namespace): number | undefined {
  return (namespace as unknown as { _preConnectSockets?: Map<string, unknown> })._preConnectSockets?.size;
}

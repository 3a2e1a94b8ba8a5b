// Real servers and real clients over loopback, all closed after each test.

import type { EventEmitter } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type * as SocketIO from "socket.io";
import type { ServerOptions, Socket as ServerSocket } from "socket.io";
import { Manager, type ManagerOptions, type Socket, type SocketOptions } from "socket.io-client";
import ioHandler, { routes, type IoHandlerOptions, type RouteEvents, type Routes } from "../../backend/io-handler";
import { connect } from "../../frontend/client";

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

/** Does all that {@link atTheEnd} was given, the last first. */
export async function cleanUp(): Promise<void> {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
}

/** What {@link startServer} can be told. */
export interface StartOptions<R extends Routes> extends IoHandlerOptions<R> {
  io?: Partial<ServerOptions>;
  port?: number;
  /** Called before `ioHandler`, as an application would add its middlewares. */
  before?: (io: Server) => void;
}

/** Starts a server with the handler on a free port of the loopback. */
export async function startServer<R extends Routes = typeof routes>({
  io: ioOptions,
  port,
  before,
  ...handler
}: StartOptions<R> = {}) {
  const http = createServer();
  const io = new Server(http, ioOptions);
  endPolls(io);
  before?.(io);
  const ee = ioHandler(io, handler);
  const created: string[] = [];
  const retired: string[] = [];
  const anyRoute = ee as EventEmitter<RouteEvents<string>>;
  anyRoute.on("namespace.created", (namespace) => created.push(namespace.name));
  anyRoute.on("namespace.retired", (namespace) => retired.push(namespace.name));

  await new Promise<void>((resolve) => http.listen(port ?? 0, "127.0.0.1", resolve));
  const { port: bound } = http.address() as AddressInfo;
  let closing: Promise<void> | undefined;
  const close = () => {
    closing ??= io.close();
    http.closeAllConnections();
    return closing;
  };
  atTheEnd(close);

  return {
    io,
    ee,
    port: bound,
    url: `http://127.0.0.1:${bound}`,
    /** The names of the namespaces that were created, and of those that were retired, in order. */
    created,
    retired,
    close,
    /** The names of the namespaces that the server knows now, without the default one. */
    namespaces: () => [...io._nsps.keys()].filter((name) => name !== "/").sort(),
    /** Resolves when no connection is left, and no namespace that was created by a peer. */
    calm: () => until(() => io.engine.clientsCount === 0 && retired.length === created.length),
  };
}

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
  return new Promise((resolve, reject) => {
    socket.once("connect", () => resolve(socket));
    socket.once("connect_error", reject);
  });
}

/** Resolves with the error when a socket is refused; a transport that fails is no refusal. */
export async function refusal(socket: Socket): Promise<Error & { data?: unknown }> {
  return new Promise((resolve) => {
    socket.on("connect_error", (err: Error & { type?: string }) => err.type === "TransportError" || resolve(err));
  });
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

/** Anything with listeners: of the server, of a client, of Node.js. */
interface Emitter {
  once(event: string, listener: (...args: never[]) => void): unknown;
}

/** Resolves with the arguments of an event when it comes. */
export function next<Args extends unknown[] = unknown[]>(emitter: Emitter, event: string): Promise<Args> {
  return new Promise((resolve) => emitter.once(event, (...args: never[]) => resolve(args as unknown as Args)));
}

/** Resolves with the peers of a namespace at the server, as soon as there are `count`. */
export async function peersOf(io: Server, name: string, count: number): Promise<ServerSocket[]> {
  const peers = () => [...(io._nsps.get(name)?.sockets.values() ?? [])];
  await until(() => peers().length === count).catch(({ message }: Error) => {
    throw new Error(`${message}; there are ${peers().length} in ${name}, and ${io.engine.clientsCount} connections`);
  });
  return peers();
}

/** How many peers are in the middlewares of the default namespace; before Socket.IO 4.8, how many are not in it. */
export function onTheWayIn(io: Server): number {
  const { _preConnectSockets: inside } = io.sockets as unknown as { _preConnectSockets?: Map<string, unknown> };
  return inside?.size ?? io.engine.clientsCount - io.sockets.sockets.size;
}

/** Resolves when a condition that no event announces has come true; rejects when that takes longer than 50 s. */
export async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 50_000; // less than mocha's timeout, and more than any busy machine needs
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`still waiting for: ${condition}`);
    await pause(2);
  }
}

/** Milliseconds in which something that must not happen would happen. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

// io-handler.ts: the article's file. A peer connects with `?ns=/category/1/item/2/chat` in its handshake query, and the
// first one to ask for a namespace creates it.

import { EventEmitter } from "node:events";
import type { Namespace, Server, Socket } from "socket.io";
import { ConnectOrder } from "./namespaces/connect-order";
import { namespacesOf, onHandshake } from "./namespaces/internals";
import { Lifetimes, LONGEST_RETIRE_AFTER } from "./namespaces/lifetime";

/** A table of routes: the name of each, and the pattern that its namespaces match from end to end. */
export type Routes = Record<string, RegExp>;

/** The routes of the article. The pattern is anchored: nothing may stand before `/category` or after `chat`. */
export const routes = {
  chat: /^\/category\/(\d+)\/item\/(\d+)\/chat$/,
};

/** What {@link ioHandler} can be told. */
export interface IoHandlerOptions<R extends Routes> {
  /** The application's own table instead of {@link routes}; the first route that matches is taken. */
  routes?: R;
  /** Milliseconds that a namespace outlives its last holder; 0 by default, `Infinity` keeps it for ever. */
  retireAfter?: number;
}

/**
 * The events of the emitter that {@link ioHandler} returns, for its routes; a misspelt one does not compile.
 *
 * - `dynamic.group.<route>`: a peer has joined a namespace of this route; the captures are the pattern's groups
 *   (`undefined` for one that took no part in the match: declare it `string | undefined`).
 * - `namespace.created`: a namespace of this route is new, and nobody is in it yet: the place for `namespace.use(...)`,
 *   which must be called at once and not after an `await`. `creator` is the socket of the default namespace whose
 *   handshake asked for it, `undefined` where the application called `io.of(name)`.
 * - `namespace.retired`: nobody has held it for `retireAfter` ms, and the server has forgotten it.
 */
export type RouteEvents<Route extends string> = {
  [event in `dynamic.group.${Route}` | "namespace.created" | "namespace.retired"]: event extends "namespace.created"
    ? [namespace: Namespace, route: Route, creator: Socket | undefined]
    : event extends "namespace.retired"
      ? [namespace: Namespace, route: Route]
      : [socket: Socket, ...captures: string[]];
};

/**
 * Creates the namespaces of a Socket.IO server when their first peer asks for them. Call it once for each server.
 *
 * A peer that asks for no namespace, or for one that no route matches, is told why and disconnected: its CONNECT is
 * answered with the reason, or it receives the event `refused` with `{ err }` where it connected to the default
 * namespace itself. A namespace that the server has already is the application's: its peers are handed over too, if a
 * route matches its name, but it is never retired.
 *
 * @param io - the server; everything remembered here belongs to this call
 * @param options - routes of the application's own, and how long a namespace outlives its last peer
 * @returns an emitter of {@link RouteEvents}
 * @throws TypeError for a pattern with the flag `g` or `y`, RangeError for a `retireAfter` that is no time, Error for a
 *   second call with the same server and for a version of Socket.IO that this was not made for
 */
export default function ioHandler<R extends Routes = typeof routes>(io: Server, options: IoHandlerOptions<R> = {}) {
  const { routes: table = routes, retireAfter = 0 } = options; // the application's routes, or the article's
  checkOptions(table, retireAfter);

  const ee = new EventEmitter<RouteEvents<string>>();
  const namespacesCreated = new Map<string, Namespace>(); // will store the existing namespaces
  const order = new ConnectOrder(io); // the default namespace goes first, as it did in Socket.IO 2
  let creator: Socket | undefined; // whose handshake creates a namespace just now

  io.on("connection", (socket) => {
    const { ns } = socket.handshake.query;

    if (typeof ns !== "string" || !ns) {
      return order.refuse(socket, "ns not provided");
    }

    if (!findRoute(table, ns)) {
      return order.refuse(socket, `no route matches ${ns}`);
    }

    if (!namespacesCreated.has(ns)) {
      // the first peer: its handshake creates the namespace, and Socket.IO tells of it with `new_namespace`
      creator = socket;
      io.of(ns);
      creator = undefined;
    }

    lifetimes.hold(socket.conn, ns); // as long as this peer is here, so is the namespace
  });

  io.on("new_namespace", (namespace) => {
    const name = serve(namespace);
    if (!name) return;

    lifetimes.begin(namespace, name);
    const asked = creator?.handshake.query["ns"] === namespace.name; // or the application has called io.of()
    ee.emit("namespace.created", namespace, name, asked ? creator : undefined);
  });

  /** Remembers a namespace and hands over its peers, if a route matches; returns the route's name. */
  const serve = (namespace: Namespace) => {
    const [name] = findRoute(table, namespace.name) ?? [];
    if (name) namespacesCreated.set(namespace.name, namespace.on("connection", handOver));
    return name;
  };

  const handOver = (peer: Socket) => {
    const [name, captures] = findRoute(table, peer.nsp.name)!;
    ee.emit(`dynamic.group.${name}`, peer, ...captures); // emit an event for our group of namespaces
  };

  for (const namespace of namespacesOf(io).values()) serve(namespace); // those that the application made before

  const lifetimes = new Lifetimes(io, retireAfter, (namespace, name) => {
    if (namespacesCreated.get(namespace.name) === namespace) namespacesCreated.delete(namespace.name);
    ee.emit("namespace.retired", namespace, name);
  });
  onHandshake(io, (conn, ns) => {
    order.follow(conn, ns);
    lifetimes.hold(conn, ns); // on its way in
  });

  return ee as EventEmitter<RouteEvents<keyof R & string>>; // inside, any name is a route; outside, those of the table
}

export { ioHandler }; // by name too, which every kind of module finds

/** The first route that matches a name, with what its pattern has captured. */
function findRoute(table: Routes, ns: string) {
  if (!/^\/./.test(ns)) return undefined; // every namespace's name begins with a slash, and `/` is the default one

  for (const [name, pattern] of Object.entries(table)) {
    const matches = ns.match(pattern);
    if (matches) return [name, matches.slice(1)] as const;
  }
  return undefined;
}

function checkOptions(table: Routes, retireAfter: number) {
  for (const [name, { global, sticky }] of Object.entries(table)) {
    if (global || sticky) throw new TypeError(`the pattern of the route ${name} must not have the flag g or y`);
  }
  if (retireAfter !== Infinity && !(retireAfter >= 0 && retireAfter <= LONGEST_RETIRE_AFTER)) {
    throw new RangeError(`retireAfter must be 0 to ${LONGEST_RETIRE_AFTER} milliseconds, or Infinity: ${retireAfter}`);
  }
}

// io-handler.ts: the article's file. A peer connects to the default namespace with `?ns=/category/1/item/2/chat`
// in its handshake query, and the first one to ask for a namespace creates it.

import { EventEmitter } from "node:events";
import type { Namespace, Server, Socket } from "socket.io";
import { ConnectOrder } from "./namespaces/connect-order";
import { Lifetime, LONGEST_RETIRE_AFTER } from "./namespaces/lifetime";
import { emitUnkept, knows, stopSweepingOnClose } from "./namespaces/internals";

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
 * - `namespace.created`: `creator`, a socket of the default namespace, has asked for a namespace that was not there.
 *   Nobody is in it yet: the place for `namespace.use(...)`.
 * - `namespace.retired`: nobody has held it for `retireAfter` ms, and the server has forgotten it.
 */
export type RouteEvents<Route extends string> = {
  [event in `dynamic.group.${Route}` | "namespace.created" | "namespace.retired"]: event extends "namespace.created"
    ? [namespace: Namespace, route: Route, creator: Socket]
    : event extends "namespace.retired"
      ? [namespace: Namespace, route: Route]
      : [socket: Socket, ...captures: string[]];
};

/**
 * Creates the namespaces of a Socket.IO server when their first peer asks for them. Call it once for each server.
 *
 * A peer that asks for no namespace, or for one that no route matches, receives the event `refused` with `{ err }`
 * on the default namespace and is disconnected. A namespace that the application made itself is left alone.
 *
 * @param io - the server; everything remembered here belongs to this call
 * @param options - routes of the application's own, and how long a namespace outlives its last peer
 * @returns an emitter of {@link RouteEvents}
 * @throws TypeError for a pattern with the flag `g` or `y`, RangeError for a `retireAfter` that is no time
 */
export default function ioHandler<R extends Routes = typeof routes>(io: Server, options: IoHandlerOptions<R> = {}) {
  const { routes: table = routes, retireAfter = 0 } = options; // the application's routes, or the article's
  checkOptions(table, retireAfter);

  const ee = new EventEmitter<RouteEvents<string>>();
  const namespacesCreated = new Map<string, Lifetime>(); // will store the existing namespaces, and who holds them
  const order = new ConnectOrder(io); // the default namespace goes first, as it did in Socket.IO 2
  if (io._opts.connectionStateRecovery) stopSweepingOnClose(io); // or what is retired would stay in memory

  io.on("connection", (socket) => {
    const { ns } = socket.handshake.query;

    if (typeof ns !== "string" || !ns) {
      return refuse(socket, "ns not provided");
    }

    const [name, matches] = findRoute(table, ns);

    if (!matches) {
      return refuse(socket, `no route matches ${ns}`);
    }

    if (!knows(io, ns)) {
      // the first peer: its handshake creates the namespace
      const namespace = io.of(ns);
      const lifetime = new Lifetime(namespace, order, retireAfter, () => {
        namespacesCreated.delete(ns);
        ee.emit("namespace.retired", namespace, name);
      });

      namespacesCreated.set(ns, lifetime);
      namespace.use(order.middleware);
      namespace.on("connection", (peer) => {
        ee.emit(`dynamic.group.${name}`, peer, ...matches.slice(1)); // emit an event for our group of namespaces
      });
      ee.emit("namespace.created", namespace, name, socket);
    }

    namespacesCreated.get(ns)?.hold(socket.conn); // as long as this peer is here, so is the namespace
  });

  return ee as EventEmitter<RouteEvents<keyof R & string>>; // inside, any name is a route; outside, those of the table
}

/** The first route that matches, with the captures of its pattern. */
function findRoute(table: Routes, ns: string) {
  if (!ns.startsWith("/")) return []; // every namespace's name does

  for (const [name, pattern] of Object.entries(table)) {
    const matches = ns.match(pattern);
    if (matches) return [name, matches] as const;
  }
  return [];
}

/** Tells a peer why it cannot stay, then closes its connection. */
function refuse(socket: Socket, err: string) {
  emitUnkept(socket, "refused", { err });
  socket.disconnect(true);
}

function checkOptions(table: Routes, retireAfter: number) {
  for (const [name, { global, sticky }] of Object.entries(table)) {
    if (global || sticky) throw new TypeError(`the pattern of the route ${name} must not have the flag g or y`);
  }
  if (retireAfter !== Infinity && !(retireAfter >= 0 && retireAfter <= LONGEST_RETIRE_AFTER)) {
    throw new RangeError(`retireAfter must be 0 to ${LONGEST_RETIRE_AFTER} milliseconds, or Infinity: ${retireAfter}`);
  }
}

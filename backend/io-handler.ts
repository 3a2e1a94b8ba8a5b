// io-handler.ts: the article's file. A peer connects with `?ns=/category/1/item/2/chat` in its handshake query, and the
// first one to ask for a namespace creates it.

import { EventEmitter } from "node:events";
import type { Namespace, Server, Socket } from "socket.io";
import { creatorOf, namespaceIn, onConnection } from "./namespaces/connect-order";
import { namespacesOf, onNewNamespace } from "./namespaces/internals";
import { createLifetimes } from "./namespaces/lifetime";
import { endRecoveryWithNamespace } from "./namespaces/recovery";
import {
  matcher,
  shortened,
  type AnyServer,
  type Refusal,
  type Route,
  type RouteEvents,
  type Routes,
} from "./namespaces/routes";

/** The routes of the article. The pattern is anchored: nothing may stand before `/category` or after `chat`. */
export const routes = {
  chat: /^\/category\/(\d+)\/item\/(\d+)\/chat$/,
};

/** What `ioHandler` can be told. */
export interface IoHandlerOptions<R extends Routes> {
  /** The application's own table instead of the article's, read once; the first route that matches is taken. */
  routes?: R;
  /**
   * Milliseconds that a namespace stays when its last peer has gone, whose connection has closed; 0 by default, `Infinity`
   * keeps it forever.
   */
  retireAfter?: number;
}

/**
 * Creates the namespaces of a Socket.IO server when their first peer asks for them. Call it once for each server.
 *
 * A peer that asks for no namespace, or for one that no route matches, is refused and told why: by the `connect_error` of
 * the namespace that it has asked for, and by the event `refused` with `{ err }` if it is in the default namespace itself.
 * A namespace that is there when this is called is the application's: its peers are handed over too, if a route matches
 * its name, but it is never retired. One that the application makes later is treated like any other of its name.
 *
 * @param server - the Socket.IO server
 * @param options - routes of the application's own, and how long a namespace outlives its last peer
 * @returns an emitter of {@link RouteEvents}
 * @throws TypeError for a pattern with the flag `g` or `y`, RangeError for a `retireAfter` that no timer can wait for,
 *   Error for a second call with the same server and for a version of Socket.IO that this was not made for
 */
export default function ioHandler<R extends Routes = typeof routes, Io extends AnyServer = Server>(
  server: Io,
  { routes: table = routes as unknown as R, retireAfter = 0 }: IoHandlerOptions<R> = {},
): EventEmitter<RouteEvents<keyof R & string, Io>> {
  const io = server as unknown as Server; // without the types of the application's events, which do not matter here
  const ee = new EventEmitter<RouteEvents<string>>();
  const matchRoute = matcher(table);
  const namespacesCreated = namespacesOf(io); // will store the existing namespaces: it is Socket.IO's own list

  // the article remembers every namespace forever; this retires one after its last peer
  const lifetimes = createLifetimes(retireAfter, (namespace) => {
    ee.emit("namespace.retired", namespace, matchRoute(namespace.name)!.name);
  });

  const onRefused = (socket: Socket, refusal: Refusal) => {
    ee.emit("peer.refused", socket, refusal);
  };

  // like io.on("connection", ...), but before the peer enters its namespace, as in Socket.IO 2; `{ err }` refuses the peer
  onConnection(io, { lifetimes, onRefused }, (socket) => {
    const ns = namespaceIn(socket.handshake.query);

    if (!ns) {
      return { err: "ns not provided" };
    }

    if (!matchRoute(ns)) {
      return { err: `no route matches ${shortened(ns)}` };
    }

    if (!namespacesCreated.has(ns)) {
      io.of(ns); // the first peer creates the namespace
    }
    return undefined;
  });

  const handOver = (namespace: Namespace, { name, captures }: Route) => {
    namespace.on("connection", (peer) => {
      ee.emit(`dynamic.group.${name}`, peer, ...captures); // emit an event for our group of namespaces
    });
  };

  // called by `io.of()` for each namespace that is new, whoever has called that: the lines above, or the application
  onNewNamespace(io, (namespace) => {
    const route = matchRoute(namespace.name);
    if (!route) return;

    handOver(namespace, route);
    try {
      lifetimes.begin(namespace);
      ee.emit("namespace.created", namespace, route.name, creatorOf(namespace));
    } catch (err) {
      lifetimes.retire(namespace); // a listener has failed, and its guards may be missing: nobody gets in
      throw err;
    }
  });

  // what the application has made before is its own: the peers are handed over, and it is never retired
  for (const namespace of namespacesCreated.values()) {
    const route = matchRoute(namespace.name);
    if (route) handOver(namespace, route);
  }

  // connection state recovery would keep every namespace in memory, also after it was retired
  endRecoveryWithNamespace(io);

  return ee as unknown as EventEmitter<RouteEvents<keyof R & string, Io>>; // outside, only the routes of the table exist
}

export { ioHandler }; // by name too, which every kind of module finds
export type { Refusal, RouteEvents, Routes };

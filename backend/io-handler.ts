// io-handler.ts: the file of the article "Working with socket.io dynamic namespaces". A peer connects with
// `?ns=/category/1/item/2/chat` in its handshake query, and the first one to ask for a namespace creates it.

import { EventEmitter } from "node:events";
import type { Namespace, Server, Socket } from "socket.io";
import { creatorOf, namespaceIn, onConnection } from "./namespaces/connect-order";
import { namespacesOf, onNewNamespace } from "./namespaces/internals";
import { createLifetimes } from "./namespaces/lifetime";
import { letAdaptersEnd } from "./namespaces/recovery";
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
   * Milliseconds that a namespace stays after the connection of its last peer has closed (to leave the namespace is not
   * enough); 0 by default, `Infinity` keeps it forever.
   */
  retireAfter?: number;
}

/**
 * Creates the namespaces of a Socket.IO server when their first peer asks for them. Call it once for each server.
 *
 * It decides about a connection that sends CONNECT for the namespace of its `?ns=`, or for the default one. A peer
 * without `?ns=`, or with one that no route matches, is refused and told why:
 * - by a `connect_error`, if it has sent CONNECT for the namespace of its `?ns=`;
 * - by the event `refused` with `{ err }`, if it has asked for the default namespace itself.
 *
 * CONNECTs for other names go to Socket.IO unchanged: whoever joins a namespace of a route that way is handed over as
 * well. A namespace that is there when this is called is the application's: its peers are handed over too, if a route
 * matches its name, but it is never retired. One that the application makes later is retired like one that a peer
 * has created.
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
  const namespacesCreated = namespacesOf(io); // the existing namespaces: Socket.IO's own list, so nothing has to be stored

  // the article remembers every namespace forever; this retires one after its last peer
  const lifetimes = createLifetimes(retireAfter, (namespace) => {
    ee.emit("namespace.retired", namespace, matchRoute(namespace.name)!.name);
  });

  const onRefused = (socket: Socket, refusal: Refusal) => {
    ee.emit("peer.refused", socket, refusal);
  };

  // like io.on("connection", ...), but before the peer enters its namespace; `{ err }` refuses the peer
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

  // called for each new namespace, before its `io.of()` returns, whoever makes it: the lines above, the application, or
  // an `io.of(/regex/)` of the application
  onNewNamespace(io, (namespace) => {
    const route = matchRoute(namespace.name);
    if (!route) return;

    handOver(namespace, route);
    try {
      lifetimes.begin(namespace);
      ee.emit("namespace.created", namespace, route.name, creatorOf(namespace));
    } catch (err) {
      lifetimes.retire(namespace); // a listener has failed, perhaps before its `namespace.use()`: nobody gets in
      throw err;
    }
  });

  // what the application has made before is its own: the peers are handed over, and it is never retired
  for (const namespace of namespacesCreated.values()) {
    const route = matchRoute(namespace.name);
    if (route) handOver(namespace, route);
  }

  // Socket.IO's adapter for connection state recovery would keep every namespace in memory, also after it was retired
  letAdaptersEnd(io);

  return ee as unknown as EventEmitter<RouteEvents<keyof R & string, Io>>; // outside, only the routes of the table exist
}

export { ioHandler }; // by name too: ES modules and `require()` do not agree about what `default` is
export type { Refusal, RouteEvents, Routes };

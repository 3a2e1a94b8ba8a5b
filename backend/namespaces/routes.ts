// routes.ts: the table of routes, and what it makes of the events of `ioHandler`.
import type { Server, Socket } from "socket.io";

/** A table of routes: the name of each, and the pattern that its namespaces match from end to end. */
export type Routes = Record<string, RegExp>;
/** A route that matches a namespace: its name, and what the groups of its pattern have captured. */
export type Route = { name: string; captures: string[] };
/** A server, whatever events it is typed with. */
export type AnyServer = Server<never, never, never, unknown>;
/** The socket of a peer of this server, typed with the server's own events. */
export type SocketOf<Io> = Io extends Server<infer L, infer E, infer S, infer D> ? Socket<L, E, S, D> : Socket;

/**
 * The events of the emitter that `ioHandler` returns; a misspelt one does not compile.
 * - `dynamic.group.<route>`: a peer has joined a namespace of this route. The captures are the pattern's groups
 *   (`undefined` for one that took no part in the match: declare it `string | undefined`).
 * - `namespace.created`: a namespace of this route is new, and nobody is in it yet. This is the place for
 *   `namespace.use(...)`, called at once and not after an `await`. `creator` is the socket of the default namespace whose
 *   handshake asked for it, `undefined` where the application called `io.of(name)`.
 * - `namespace.retired`: the server has forgotten it: nobody held it for `retireAfter` ms, or `namespace.created` failed.
 * - `peer.refused`: a peer has asked for no namespace, or for one that no route matches, and it has been told so. The
 *   socket is that of the default namespace, and is disconnected. What a middleware refuses is not told here.
 */
export type RouteEvents<Route extends string, Io = Server> = {
  [event in `dynamic.group.${Route}` | keyof OtherEvents<Route, Io>]: event extends keyof OtherEvents<Route, Io>
    ? OtherEvents<Route, Io>[event]
    : [socket: SocketOf<Io>, ...captures: string[]];
};

type OtherEvents<Route, Io> = {
  "namespace.created": [namespace: SocketOf<Io>["nsp"], route: Route, creator: SocketOf<Io> | undefined];
  "namespace.retired": [namespace: SocketOf<Io>["nsp"], route: Route];
  "peer.refused": [socket: SocketOf<Io>, refusal: Refusal];
};

/** Why a peer is refused: it receives this with the event `refused`, or `err` as the message of its `connect_error`. */
export interface Refusal {
  err: string;
}

/**
 * Makes the function that finds the first route that matches a namespace.
 * @throws TypeError for a pattern with the flag `g` or `y`: it would remember where it stopped
 */
export function matcher(table: Routes) {
  const routes = Object.entries(table);
  for (const [name, { global, sticky }] of routes) {
    if (global || sticky) throw new TypeError(`the pattern of the route ${name} must not have the flag g or y`);
  }
  return (ns: string): Route | undefined => {
    if (!/^\/./s.test(ns)) return undefined; // every namespace's name begins with a slash, and `/` is the default one
    for (const [name, pattern] of routes) {
      const matches = ns.match(pattern);
      if (matches) return { name, captures: matches.slice(1) };
    }
    return undefined;
  };
}

/** The beginning of a name: a few bytes of a client must not make the server keep and send back thousands. */
export function shortened(ns: string): string {
  return ns.length > 100 ? `${ns.slice(0, 100)}…` : ns;
}

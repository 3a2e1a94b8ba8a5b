// routes.ts: the table of routes, and the types of the events of `ioHandler`, which follow from it.
import type { Server, Socket } from "socket.io";

/**
 * A table of routes: the name of each, and its pattern. A pattern without `^` and `$` also matches longer names, such
 * as `/evil/category/1/item/2/chat/x`: so begin it with `^` and end it with `$`.
 */
export type Routes = Record<string, RegExp>;
/** A route that matches a namespace: its name, and what the groups of its pattern have captured. */
export type Route = { name: string; captures: string[] };
/** A server, whatever events it is typed with. (A `Server` with any other types can be assigned to this one.) */
export type AnyServer = Server<never, never, never, unknown>;
/** The socket of a peer of this server, typed with the server's own events. */
export type SocketOf<Io> = Io extends Server<infer L, infer E, infer S, infer D> ? Socket<L, E, S, D> : Socket;

/**
 * The events of the emitter that `ioHandler` returns; a misspelt one does not compile.
 * - `dynamic.group.<route>`: a peer has joined a namespace of this route. The captures are the pattern's groups
 *   (`undefined` for one that took no part in the match: declare it `string | undefined`).
 * - `namespace.created`: a namespace of this route is new, and nobody is in it yet. This is the place for
 *   `namespace.use(...)`, called at once and not after an `await`. `creator` is the socket of the default namespace whose
 *   handshake asked for it, `undefined` where something else made it: `io.of(name)` or `io.of(/regex/)` of the application.
 * - `namespace.retired`: the server has forgotten it: nobody has held it for `retireAfter` ms, or a listener of
 *   `namespace.created` has thrown (which closes the connection of the creator). Where Socket.IO itself has removed it,
 *   this is told when `retireAfter` is over, or when it is created anew if that is sooner.
 * - `peer.refused`: `ioHandler` has refused a peer, and the peer has been told so. The socket is that of the default
 *   namespace, and is disconnected. What a middleware refuses, or Socket.IO with `Invalid namespace`, is not told here.
 */
export type RouteEvents<Name extends string, Io = Server> = {
  [event in `dynamic.group.${Name}` | keyof OtherEvents<Name, Io>]: event extends keyof OtherEvents<Name, Io>
    ? OtherEvents<Name, Io>[event]
    : [socket: SocketOf<Io>, ...captures: string[]];
}; // one mapped type: `EventEmitter` takes no intersection of two

type OtherEvents<Name, Io> = {
  "namespace.created": [namespace: SocketOf<Io>["nsp"], route: Name, creator: SocketOf<Io> | undefined];
  "namespace.retired": [namespace: SocketOf<Io>["nsp"], route: Name];
  "peer.refused": [socket: SocketOf<Io>, refusal: Refusal];
};

/** Why a peer is refused: it receives this with the event `refused`, or `err` as the message of its `connect_error`. */
export interface Refusal {
  err: string;
}

/**
 * Makes the function that finds the first route that matches a namespace.
 * @throws TypeError for a pattern with the flag `g`, with which `match` tells no captures, or `y`, which remembers where it
 *   stopped
 */
export function matcher(table: Routes) {
  const routes = Object.entries(table);
  for (const [name, { global, sticky }] of routes) {
    if (global || sticky) throw new TypeError(`the pattern of the route ${name} must not have the flag g or y`);
  }
  return (ns: string): Route | undefined => {
    if (ns === "/") return undefined; // the default namespace is no route's, even where a pattern matches everything
    for (const [name, pattern] of routes) {
      const matches = ns.match(pattern);
      if (matches) return { name, captures: matches.slice(1) };
    }
    return undefined;
  };
}

/**
 * The beginning of a name, for an answer. A client sends the name once, in its handshake, and gets the answer for each
 * CONNECT, of which it may send many: it is `40`, two bytes.
 */
export function shortened(ns: string): string {
  return ns.length > 100 ? `${ns.slice(0, 100)}…` : ns;
}

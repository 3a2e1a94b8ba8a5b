// lobby.ts: the live list of namespaces, for the landing page. On a cluster each node has its own list, and tells it to
// its own landing pages alone (`local`).
//
// The lobby itself is a static namespace. It is there from the start, so that nobody has to create it: a page connects
// to it with `io("/lobby")` and needs no bootstrap.

import type { EventEmitter } from "node:events";
import type { Namespace, Server } from "socket.io";
import type { LobbyServerEvents } from "./events";
import type { RouteEvents } from "../io-handler";

/**
 * Tells everybody in `/lobby` which namespaces live on this server, as they come and go, with their number of peers.
 *
 * @param io - the server
 * @param ee - what `ioHandler` returned for it
 */
export function lobby<Route extends string>(io: Server, ee: EventEmitter<RouteEvents<Route>>): void {
  const page: Namespace<Record<string, never>, LobbyServerEvents> = io.of("/lobby");
  const living = new Set<Namespace>();
  const info = ({ name, sockets }: Namespace) => ({ name, peers: sockets.size });

  page.on("connection", (socket) => {
    socket.emit("namespaces", [...living].map(info)); // a page that comes back is told anew
  });

  (ee as EventEmitter<RouteEvents<string>>)
    .on("namespace.created", (namespace) => {
      const changed = () => page.local.emit("changed", info(namespace));

      living.add(namespace);
      namespace.on("connection", (socket) => {
        socket.on("disconnect", changed);
        changed();
      });
      changed();
    })
    .on("namespace.retired", (namespace) => {
      living.delete(namespace);
      page.local.emit("retired", namespace.name);
    });
}

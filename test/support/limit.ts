// limit.ts: the limit of backend/README.md, for its test and for the benchmark that shows what it saves.

import type { EventEmitter } from "node:events";
import type { Namespace, Server } from "socket.io";
import type { RouteEvents } from "../../backend/io-handler";

/** Connections and namespaces that an address may have, together. */
const LIMIT = 100;

export function limitEachAddress<Route extends string>(io: Server, ee: EventEmitter<RouteEvents<Route>>): void {
  const namespaces = ee as EventEmitter<RouteEvents<string>>; // whatever the routes are called
  const used = new Map<string, number>();
  const creators = new WeakMap<Namespace, string>();

  const count = (address: string, by: 1 | -1) => {
    const now = (used.get(address) ?? 0) + by;
    if (now > 0) used.set(address, now);
    else used.delete(address);
  };

  io.use((socket, next) => {
    const { address } = socket.handshake;
    if (socket.conn.readyState === "closed") return next(new Error("gone")); // its `close` is over, and would never count
    if ((used.get(address) ?? 0) >= LIMIT) {
      setImmediate(() => socket.conn.close()); // after the answer; a hostile client would keep it open
      return next(new Error("too much from your address"));
    }
    count(address, 1);
    socket.conn.once("close", () => count(address, -1));
    next();
  });

  namespaces.on("namespace.created", (namespace, _route, creator) => {
    if (!creator) return;
    const { address } = creator.handshake;
    creators.set(namespace, address);
    count(address, 1);
  });
  namespaces.on("namespace.retired", (namespace) => {
    const address = creators.get(namespace);
    if (address) count(address, -1);
  });
}

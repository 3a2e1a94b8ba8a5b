// lobby.ts: the live list of namespaces, for the landing page. On a cluster each node has a list of its own.
//
// The lobby itself is a static namespace. It is there from the start, so that nobody has to create it: a page connects
// to it with `io("/lobby")` and needs no bootstrap.

import type { EventEmitter } from "node:events";
import type { Namespace, Server } from "socket.io";
import type { RouteEvents } from "../io-handler";
import type { LobbyServerEvents, NamespaceInfo } from "./events";

const LISTED = 100; // namespaces that a list has at most
const GATHER = 100; // milliseconds in which changes become one list
const DIGITS = 9; // that a number in a name of the demo has at most

/** A namespace that lives. */
interface Entry {
  namespace: Namespace;
  /** Its place in the list: see {@link keyOf}. */
  key: string;
  /** When its last peer left. */
  emptySince: number;
}

/**
 * Tells everybody in `/lobby` which namespaces live on this server, as they come and go, with their number of peers.
 * A page whose `auth.only` is the name of a namespace hears of that one alone.
 *
 * @param io - the server
 * @param ee - what `ioHandler` returned for it
 * @param retireAfter - milliseconds that it was told to keep an empty namespace
 */
export function lobby<Route extends string>(
  io: Server,
  ee: EventEmitter<RouteEvents<Route>>,
  retireAfter: number,
): void {
  const pages: Namespace<Record<string, never>, LobbyServerEvents> = io.of("/lobby");
  const living = new Map<string, Entry>();
  const sorted: Entry[] = []; // the same, always in order: to sort very many anew each time would stop the server
  const tellPages = new Set<() => void>();
  let gathering = false;

  const changed = () => {
    if (gathering) return;
    gathering = true;
    setTimeout(() => {
      gathering = false;
      for (const tell of tellPages) tell();
    }, GATHER).unref();
  };

  const info = ({ namespace: { name, sockets }, emptySince }: Entry): NamespaceInfo => {
    if (sockets.size > 0) return { name, peers: sockets.size };
    return { name, peers: 0, left: Math.max(0, emptySince + retireAfter - Date.now()) };
  };

  const list = (only: unknown) => {
    if (typeof only === "string") {
      const entry = living.get(only);
      return { first: entry ? [info(entry)] : [], total: living.size };
    }
    return { first: sorted.slice(0, LISTED).map(info), total: living.size };
  };

  pages.on("connection", (socket) => {
    let waiting = false; // for the page to take the last list: one that never reads has one list waiting, and no more
    let stale = false;

    const tell = () => {
      stale = waiting;
      if (waiting) return;
      waiting = true;
      socket.emit("namespaces", list(socket.handshake.auth["only"]), () => {
        waiting = false;
        if (stale) tell();
      });
    };

    tellPages.add(tell);
    socket.on("disconnect", () => tellPages.delete(tell));
    tell();
  });

  (ee as EventEmitter<RouteEvents<string>>)
    .on("namespace.created", (namespace) => {
      const entry = { namespace, key: keyOf(namespace.name), emptySince: Date.now() };
      living.set(namespace.name, entry);
      sorted.splice(placeOf(entry.key, sorted), 0, entry);
      changed();

      namespace.on("connection", (socket) => {
        changed();
        socket.on("disconnect", () => {
          entry.emptySince = Date.now();
          changed();
        });
      });
    })
    .on("namespace.retired", ({ name }) => {
      if (!living.delete(name)) return; // not told of before, since another listener had failed
      sorted.splice(placeOf(keyOf(name), sorted), 1);
      changed();
    });
}

/** What names are sorted by: item 2 comes before item 10. Each number of a name has {@link DIGITS} digits here. */
function keyOf(name: string): string {
  const padded = name.replace(/\d+/g, (digits) => digits.padStart(DIGITS, "0"));
  return `${padded} ${name}`; // two names may only differ in zeros
}

/** Where a key stands in this list, or would stand. */
function placeOf(key: string, sorted: Entry[]): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (sorted[middle]!.key < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

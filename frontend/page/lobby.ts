// lobby.ts: what the namespace `/lobby` tells a page, which is there from the start and needs no bootstrap.

import { io, type Socket } from "socket.io-client";
import type { LobbyServerEvents, NamespaceInfo } from "../../backend/demo/events.js";
import { count } from "./dom.js";

/** A namespace that lives, and when it is retired if nobody comes. */
export interface Living extends NamespaceInfo {
  /** In the time of `performance.now()`; only where nobody is in it. */
  retiredAt: number | undefined;
}

/** What a page does with the news. */
export interface LobbyView {
  /** The namespaces that live now: the first ones, sorted, and how many there are in all. */
  show(namespaces: Living[], total: number): void;
  /** The server cannot be reached; until it can, what was shown last may be wrong. */
  lost(reason: string): void;
}

/**
 * Follows the list of namespaces.
 *
 * @param only - the name of a namespace, where a page wants to hear of that one alone
 */
export function followLobby(view: LobbyView, only?: string): void {
  const lobby: Socket<LobbyServerEvents, Record<string, never>> = io("/lobby", { auth: only ? { only } : {} });

  lobby.on("namespaces", ({ first, total }, taken) => {
    const now = performance.now();
    view.show(
      first.map((info) => ({ ...info, retiredAt: info.left === undefined ? undefined : now + info.left })),
      total,
    );
    taken();
  });
  lobby.on("disconnect", () => view.lost("The connection to the server is lost. Reconnecting."));
  lobby.on("connect_error", () => view.lost("The server does not answer. Trying again."));
}

/** `8 s`, for a countdown that is written again every second. */
export function timeLeft({ retiredAt = 0 }: Living): string {
  return `${Math.max(0, Math.ceil((retiredAt - performance.now()) / 1000))} s`;
}

/** `2 peers`, or how long an empty one stays. */
export function describe(namespace: Living): string {
  return namespace.peers ? count(namespace.peers, "peer") : `empty, ${timeLeft(namespace)} left`;
}

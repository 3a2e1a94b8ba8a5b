// server.ts: the server under measurement, `pattern` or `native`, with a number of routes. It does nothing for its peers,
// so that nothing but the way in is measured.

import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { Server, type Socket } from "socket.io";
import ioHandler, { routes as article } from "../../backend/io-handler";
import { answer } from "./child";

const [kind, count] = process.argv.slice(2);

// The route that the peers ask for comes last: the others are tried before it.
const others = Array.from({ length: Number(count) - 1 }, (_, i) => [`other${i}`, new RegExp(`^/other${i}/(\\d+)$`)]);
const routes: Record<string, RegExp> = { ...Object.fromEntries(others), ...article };

const http = createServer();
const io = new Server(http, { cleanupEmptyChildNamespaces: true });
if (kind === "pattern") {
  ioHandler(io, { routes }).on("dynamic.group.chat", welcome);
} else {
  for (const pattern of Object.values(routes)) io.of(pattern).on("connection", welcome);
}
const own = io._nsps.size; // the default namespace
const listening = once(http.listen(0, "127.0.0.1"), "listening");

function welcome(): void {}

function echo(this: Socket, text: string): void {
  this.nsp.to(this.id).emit("echo", text); // by way of the namespace and its adapter, not straight to the peer
}

const commands = {
  async port() {
    await listening;
    return (http.address() as AddressInfo).port;
  },

  /** Milliseconds of processor time that this process has spent so far, with garbage collection and compilation. */
  cpu() {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  },

  /** Bytes in use, when another collection no longer finds anything to free. */
  async heap() {
    let last = Infinity;
    for (let passes = 0; passes < 12; passes++) {
      globalThis.gc?.();
      await sleep(5); // what was waiting for the collection, such as a FinalizationRegistry, gets its turn
      const { heapUsed } = process.memoryUsage();
      if (last - heapUsed < 4096) break;
      last = heapUsed;
    }
    return last;
  },

  /** Waits until the server has this many connections and live namespaces, neither more nor less. */
  async settle({ peers, namespaces }: { peers: number; namespaces: number }) {
    for (let tries = 0; tries < 2000; tries++) {
      if (io.engine.clientsCount === peers && io._nsps.size - own === namespaces) return;
      await sleep(5);
    }
    throw new Error(
      `${io.engine.clientsCount} connections in ${io._nsps.size - own} namespaces, not ${peers} in ${namespaces}`,
    );
  },

  /** From now on the peers that are here get their messages back. */
  echo() {
    for (const { sockets } of io._nsps.values()) for (const socket of sockets.values()) socket.on("message", echo);
  },
};

export type ServerCommands = typeof commands;

answer(commands);

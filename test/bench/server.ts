// server.ts: a server under measurement. It does nothing for its peers, so that nothing but the way in is measured.

import { answer } from "./answer";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { Server, type Socket } from "socket.io";
import ioHandler, { routes } from "../../backend/io-handler";
import type { Kind } from "./clients";

/** So rarely, in milliseconds, that nobody is pinged while something is measured. */
const PING = 600_000;

const kind = process.argv[2] as Kind;
const io = new Server(createServer(), { cleanupEmptyChildNamespaces: kind !== "pattern", pingInterval: PING });

const welcome = () => {};
if (kind === "pattern") ioHandler(io).on("dynamic.group.chat", welcome);
else io.of(routes.chat).on("connection", welcome);

/** Processor time of this process so far, in milliseconds, with the garbage collection and compilation it caused. */
function cpuTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

let mark = 0;

const commands = {
  /** Opens one more port. */
  async port() {
    const http = createServer();
    io.engine.attach(http, { path: io.path() });
    await once(http.listen(0, "127.0.0.1"), "listening");
    return (http.address() as AddressInfo).port;
  },

  /** From now on the processor time is counted, with as little garbage as can be. */
  mark() {
    // not all of it: after a full collection V8 has to win its memory back, and a connect takes twice as long
    void globalThis.gc?.({ type: "minor" });
    mark = cpuTime();
  },

  /** Milliseconds of processor time since the mark, when what was going on has come to rest. */
  async cpu() {
    await sleep(5);
    void globalThis.gc?.({ type: "minor" });
    return cpuTime() - mark;
  },

  /** Bytes in use, when another collection no longer finds anything to free, and bytes that the process occupies. */
  async memory() {
    let last = Infinity;
    for (let passes = 0; passes < 12; passes++) {
      globalThis.gc?.();
      await sleep(10); // what was waiting for the collection, such as a FinalizationRegistry, gets its turn
      const { heapUsed } = process.memoryUsage();
      if (last - heapUsed < 4096) break;
      last = heapUsed;
    }
    return process.memoryUsage();
  },

  /** Waits until the server has so many connections and no namespace that is empty. */
  async settle(peers: number) {
    for (let tries = 0; tries < 12_000; tries++) {
      const empty = [...io._nsps.values()].filter((namespace) => namespace !== io.sockets && !namespace.sockets.size);
      if (io.engine.clientsCount === peers && empty.length === 0) return;
      await sleep(5);
    }
    throw new Error(`it has ${io.engine.clientsCount} connections, not ${peers}`);
  },

  /** From now on what a peer of this namespace says goes to all of it, or comes back to the peer alone. */
  talk(name: string) {
    io.of(name).sockets.forEach((socket: Socket) => {
      socket.on("all", (text) => socket.nsp.emit("message", text));
      socket.on("echo", (text) => socket.emit("message", text));
    });
  },
};

export type ServerCommands = typeof commands;

answer(commands);

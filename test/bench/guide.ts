// guide.ts: the figures of backend/README.md. `npx ts-node test/bench/guide.ts` prints them: what a flood from one address
// costs, and what a peer weighs without the request of its handshake. Server and clients have a process each.

import { fork } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { Server } from "socket.io";
import { WebSocket } from "ws";
import ioHandler, { routes } from "../../backend/io-handler";
import { connect } from "../../frontend/client";
import { limitEachAddress } from "../support/limit";

/** `limited` has the limit of the guide, `dropped` drops the request of each peer. */
type Kind = "native" | "pattern" | "limited" | "dropped";
/** What a server is like: connections, namespaces, bytes of heap in use, milliseconds of processor time. */
type State = { connections: number; namespaces: number; heap: number; cpu: number };

async function serve(kind: Kind): Promise<void> {
  const http = createServer();
  const io = new Server(http, { cleanupEmptyChildNamespaces: kind === "native", pingInterval: 600_000 });
  if (kind === "native") io.of(routes.chat);
  else {
    const ee = ioHandler(io);
    if (kind === "limited") limitEachAddress(io, ee);
    ee.on("dynamic.group.chat", ({ conn }) => {
      if (kind === "dropped") Object.assign(conn, { request: null });
    });
  }
  await once(http.listen(0, "127.0.0.1"), "listening");
  process.on("message", async () => {
    const { user, system } = process.cpuUsage();
    for (let pass = 0; pass < 6; pass++) {
      globalThis.gc?.();
      await sleep(20);
    }
    process.send!({
      connections: io.engine.clientsCount,
      namespaces: io._nsps.size - 1,
      heap: process.memoryUsage().heapUsed,
      cpu: (user + system) / 1000,
    } satisfies State);
  });
  process.send!((http.address() as AddressInfo).port);
}

/** Opens a connection that asks for each of `names`, and resolves when the last one is answered. */
function attack(port: number, ns: string, names: string[]): Promise<WebSocket> {
  const query = new URLSearchParams({ EIO: "4", transport: "websocket", ns });
  const socket = new WebSocket(`ws://127.0.0.1:${port}/socket.io/?${query}`, { perMessageDeflate: false });
  let missing = names.length;
  return new Promise((resolve) => {
    socket.on("close", () => resolve(socket));
    socket.on("message", (data) => {
      const packet = String(data);
      if (packet.startsWith("0")) for (const name of names) socket.send(`40${name},`);
      if (/^4[04]\//.test(packet) && --missing === 0) resolve(socket);
    });
  });
}

const nameOf = (item: number) => `/category/1/item/${item}/chat`;

/** What a server is made to bear, so many times. */
type Load = (port: number, count: number) => Promise<void>;

/** Connections that each ask for a namespace of their own; 50 are on the way at a time. */
const manyConnections: Load = async (port, count) => {
  for (let first = 0; first < count; first += 50) {
    await Promise.all(Array.from({ length: 50 }, (_, n) => attack(port, nameOf(first + n), [nameOf(first + n)])));
  }
};

/** One connection that asks for very many namespaces. */
const oneConnection: Load = async (port, count) => {
  await attack(
    port,
    nameOf(0),
    Array.from({ length: count }, (_, item) => nameOf(item)),
  );
};

/** Peers of one namespace, with the headers of a browser. */
const peers =
  (...transports: string[]): Load =>
  async (port, count) => {
    const extraHeaders = {
      "User-Agent":
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36",
      "Accept-Language": "en-US,en;q=0.9",
      Cookie: `session=${"x".repeat(200)}`,
    };
    const join = async () => {
      const socket = connect(`http://127.0.0.1:${port}`, nameOf(0), { transports, extraHeaders, reconnection: false });
      await new Promise<void>((resolve, reject) => {
        socket.once("connect", () => {
          const { engine } = socket.io;
          if (engine.transport.name === transports.at(-1)) resolve();
          else engine.once("upgrade", () => resolve());
        });
        socket.once("connect_error", reject);
      });
    };
    for (let first = 0; first < count; first += 50) await Promise.all(Array.from({ length: 50 }, join));
  };

async function measure(title: string, kind: Kind, load: Load, count: number): Promise<void> {
  const server = fork(__filename, [kind], { execArgv: ["--expose-gc", "-r", "ts-node/register"] });
  const [port] = (await once(server, "message")) as [number];
  const ask = async () => {
    server.send("state");
    return ((await once(server, "message")) as [State])[0];
  };
  await load(port, 50); // so that all is loaded and compiled
  await sleep(500);
  const before = await ask();
  await load(port, count);
  await sleep(500);
  const after = await ask();
  server.kill();

  const heap = after.heap - before.heap;
  const cpu = after.cpu - before.cpu;
  const numbers = [after.connections, after.namespaces, `${(heap / 1e6).toFixed(1)} MB`, `${Math.round(cpu)} ms`];
  const each = [`${(heap / count / 1000).toFixed(1)} kB`, `${(cpu / count).toFixed(2)} ms`];
  console.log(`| ${[title, kind, ...numbers, ...each].join(" | ")} |`);
}

async function main(): Promise<void> {
  console.log("| load | server | connections | namespaces | heap | processor | heap for each | processor for each |");
  console.log("| --- | --- | --: | --: | --: | --: | --: | --: |");
  for (const kind of ["native", "pattern", "limited"] as const) {
    await measure("5,000 connections, a namespace each", kind, manyConnections, 5000);
  }
  for (const kind of ["native", "pattern"] as const) {
    await measure("10,000 namespaces on one connection", kind, oneConnection, 10_000);
  }
  for (const transports of [["polling"], ["websocket"], ["polling", "websocket"]]) {
    for (const kind of ["pattern", "dropped"] as const) {
      await measure(`1,000 peers, ${transports.join(" to ")}`, kind, peers(...transports), 1000);
    }
  }
  process.exit();
}

void (process.send ? serve(process.argv[2] as Kind) : main());

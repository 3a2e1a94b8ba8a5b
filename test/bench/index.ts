// npm run bench: what the pattern costs beside native dynamic namespaces. README.md beside this file tells how.

import { openSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { Child } from "./child";
import { cluster } from "./cluster";
import type { Crowd, Transport } from "./clients";
import { Figures, median } from "./figures";
import { lobby } from "./lobby";
import { inTurn, leave, openFiles, profileInto, SHARED, startSides, visit, type Side } from "./sides";
import type { LinkCommands } from "./slow-link";

/** How many connections the server of the great crowd has; each is a file, and a process may only open so many. */
const CROWD = Math.max(1, Math.min(20, Math.floor((openFiles() - 500) / 1000))) * 1000;
const crowd = `${CROWD.toLocaleString("en")} connections`;

const figures = new Figures({
  websocketOwn: { text: "CPU of a connect, WebSocket, first peer", unit: "ms", inTable: true },
  websocketShared: { text: "CPU of a connect, WebSocket, later peer", unit: "ms", inTable: true },
  pollingOwn: { text: "CPU of a connect, long polling, first peer", unit: "ms", inTable: true },
  pollingShared: { text: "CPU of a connect, long polling, later peer", unit: "ms", inTable: false },
  websocketTrips: { text: "Round trips until joined, WebSocket", unit: "", inTable: true },
  pollingTrips: { text: "Round trips until joined, long polling", unit: "", inTable: true },
  websocketPeer: { text: "Heap for a peer, WebSocket", unit: "kB", inTable: true },
  pollingPeer: { text: "Heap for a peer, long polling", unit: "kB", inTable: false },
  namespace: { text: "Heap for a namespace with one peer", unit: "kB", inTable: true },
  echo: { text: "CPU of a message and its answer", unit: "ms", inTable: false },
  broadcasts: { text: "Messages a second, each to 1,000 peers", unit: "", inTable: true },
  joins: { text: `Joins a second on the way to ${crowd}`, unit: "", inTable: true },
  crowdHeap: { text: `Heap for each of ${crowd}`, unit: "kB", inTable: false },
  crowdMemory: { text: `Memory for each of ${crowd}`, unit: "kB", inTable: true },
});

const parts = { connects, roundTrips, heap, messages, crowds };
const started = performance.now();
/** At a terminal, what is going on takes one line, again and again. */
const erase = process.stderr.isTTY ? "\r\x1b[K" : "";

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { json: { type: "string" }, "cpu-prof": { type: "string" }, "heap-prof": { type: "string" } },
  });
  if (positionals[0] === "cluster") return console.log(await cluster(progress)); // it compares nothing with native
  if (positionals[0] === "lobby") return console.log(await lobby(progress)); // nor does this
  const { json, ...profilers } = values;
  for (const name of positionals) {
    if (!(name in parts)) throw new Error(`there is no part "${name}", only ${Object.keys(parts).join(", ")}`);
  }
  for (const [profiler, directory] of Object.entries(profilers)) profileInto(profiler, resolve(directory));
  const file = json === undefined ? undefined : openSync(json, "w"); // now, so that no minutes are lost to a wrong path

  for (const [name, part] of Object.entries(parts)) {
    if (positionals.length > 0 && !positionals.includes(name)) continue;
    await part();
    await Child.stopAll();
  }
  progress(`that was all${erase && "\n"}`);
  console.log(String(figures));
  if (file !== undefined) writeFileSync(file, JSON.stringify(figures, null, 2) + "\n");
}

/** What one connect costs the server. */
async function connects(): Promise<void> {
  const BATCH = 100;
  const plans = [
    // three times with new processes, since V8 does not compile the same code in the same way every time
    { transport: "websocket", own: "websocketOwn", shared: "websocketShared", rounds: 60, warmUp: 3000 },
    { transport: "websocket", own: "websocketOwn", shared: "websocketShared", rounds: 60, warmUp: 3000 },
    { transport: "websocket", own: "websocketOwn", shared: "websocketShared", rounds: 60, warmUp: 3000 },
    { transport: "polling", own: "pollingOwn", shared: "pollingShared", rounds: 40, warmUp: 1500 },
  ] as const;

  for (const { transport, rounds, warmUp: peers, ...names } of plans) {
    const sides = await startSides();
    await warmUp(sides, transport, peers);
    for (let round = 0; round < rounds; round++) {
      progress(`connects, ${transport}, round ${round + 1} of ${rounds}`);
      for (const into of ["own", "shared"] as const) {
        await inTurn(sides, round, async (side) => {
          await side.server.call("mark");
          await visit(side, { transport, into, count: BATCH });
          figures.add(names[into], side.kind, (await side.server.call("cpu")) / BATCH);
          await leave(side);
        });
      }
    }
    await Child.stopAll();
  }
}

/** How often something has to cross a slow link until the first peer of a namespace has joined. */
async function roundTrips(): Promise<void> {
  const ROUNDS = 10;
  const names = { websocket: "websocketTrips", polling: "pollingTrips" } as const;

  const sides = await startSides();
  const link = await Child.start<LinkCommands>("slow-link.ts");
  const roundTrip = await link.call("roundTrip");
  const ports = new Map<Side, number>();
  for (const side of sides) ports.set(side, await link.call("to", await side.server.call("port")));

  for (let round = 0; round < ROUNDS; round++) {
    progress(`round trips, round ${round + 1} of ${ROUNDS}`);
    for (const transport of ["websocket", "polling"] as const) {
      await inTurn(sides, round, async (side) => {
        const times = await visit(side, { transport, into: "own", count: 10, atOnce: 10, port: ports.get(side)! });
        figures.add(names[transport], side.kind, median(times) / roundTrip);
        await leave(side);
      });
    }
  }
}

/** What a peer and a namespace weigh. */
async function heap(): Promise<void> {
  const ROUNDS = 5;
  const crowds = [
    { name: "websocketPeer", transport: "websocket", into: "shared", count: 1000 },
    { name: "pollingPeer", transport: "polling", into: "shared", count: 500 },
    { name: "namespace", transport: "websocket", into: "own", count: 1000 },
  ] as const;

  const sides = await startSides();
  await warmUp(sides, "websocket", 1000);
  await warmUp(sides, "polling", 500);
  for (let round = 0; round < ROUNDS; round++) {
    progress(`heap, round ${round + 1} of ${ROUNDS}`);
    for (const { name, ...crowd } of crowds) {
      await inTurn(sides, round, async (side) => {
        const before = await side.server.call("memory");
        await visit(side, crowd);
        const after = await side.server.call("memory");
        figures.add(name, side.kind, (after.heapUsed - before.heapUsed) / crowd.count / 1000);
        await leave(side);
      });
    }
  }
}

/** What a message costs the server, when there are a thousand peers in the namespace. */
async function messages(): Promise<void> {
  const ROUNDS = 30;
  const WARM_UP = 5;
  const PEERS = 1000;
  const BROADCASTS = 10;

  const sides = await startSides();
  for (const side of sides) {
    await visit(side, { transport: "websocket", into: "shared", count: PEERS });
    await side.server.call("talk", SHARED);
  }
  for (let round = 0; round < WARM_UP + ROUNDS; round++) {
    progress(`messages, round ${round + 1} of ${WARM_UP + ROUNDS}`);
    await inTurn(sides, round, async ({ kind, server, clients: [speakers] }) => {
      await server.call("mark");
      await speakers?.call("say", { word: "echo", speakers: PEERS, answers: 1 });
      const echo = (await server.call("cpu")) / PEERS;

      await server.call("mark");
      await speakers?.call("say", { word: "all", speakers: BROADCASTS, answers: BROADCASTS });
      const broadcast = (await server.call("cpu")) / BROADCASTS;

      if (round < WARM_UP) return;
      figures.add("echo", kind, echo);
      figures.add("broadcasts", kind, 1000 / broadcast);
    });
  }
}

/** A great crowd on one server, two peers in each namespace: how fast it can come, and what it weighs. */
async function crowds(): Promise<void> {
  const BATCH = 500;

  const sides = await startSides(5);
  await warmUp(sides, "websocket", 3000);
  const before = new Map<Side, NodeJS.MemoryUsage>();
  for (const side of sides) before.set(side, await side.server.call("memory"));
  for (let peers = 0; peers < CROWD; peers += BATCH) {
    progress(`${crowd}: ${peers}`);
    await inTurn(sides, peers / BATCH, async (side) => {
      await side.server.call("mark");
      await visit(side, { transport: "websocket", into: "pairs", count: BATCH });
      figures.add("joins", side.kind, BATCH / ((await side.server.call("cpu")) / 1000));
    });
  }
  for (const side of sides) {
    const { heapUsed, rss } = await side.server.call("memory");
    figures.add("crowdHeap", side.kind, (heapUsed - (before.get(side)?.heapUsed ?? 0)) / CROWD / 1000);
    figures.add("crowdMemory", side.kind, (rss - (before.get(side)?.rss ?? 0)) / CROWD / 1000);
  }
}

/** Until V8 has compiled what the servers do: a connect in a process that is new takes much longer. */
async function warmUp(sides: Side[], transport: Transport, peers: number): Promise<void> {
  const BATCH = 500;

  progress("warming up");
  const warm = async (side: Side, into: Crowd["into"]) => {
    await visit(side, { transport, into, count: BATCH });
    await leave(side);
  };
  for (let count = 0; count < peers; count += BATCH) {
    await Promise.all(sides.map((side) => warm(side, "own")));
    await Promise.all(sides.map((side) => warm(side, "shared")));
  }
}

function progress(what: string): void {
  const seconds = Math.round((performance.now() - started) / 1000);
  process.stderr.write(`${erase}${seconds} s: ${what}${erase ? "" : "\n"}`);
}

main()
  .catch((err: Error) => {
    console.error(`${erase}${err.message}.`);
    process.exitCode = 1;
  })
  .finally(() => Child.stopAll())
  .finally(() => process.exit());

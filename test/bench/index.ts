// npm run bench [-- --json FILE]: what the pattern costs beside native dynamic namespaces, `io.of(/regex/)`.
//
// Both servers run at the same time, each in a process of its own, and are asked in turn; each round gives one ratio.
// A machine that is slower for a while slows both sides of a round, and the order within it changes from round to round.

import { openSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { Child } from "./child";
import type { ClientCommands, Crowd, Kind } from "./clients";
import { Figures, median } from "./figures";
import type { ServerCommands } from "./server";
import type { LinkCommands } from "./slow-link";

const ROUNDS = 5;
const KINDS: Kind[] = ["native", "pattern"];

/** How many peers of a crowd are on their way at the same time; enough to keep a server busy. */
const AT_ONCE = 50;

/** Enough peers for a steady figure, and no more than two minutes allow; long polling costs more and differs more. */
const PEERS = { websocket: 1000, polling: 250 };

const WAYS = [
  { transport: "websocket", into: "own", label: "WebSocket, first peer" },
  { transport: "websocket", into: "one", label: "WebSocket, later peer" },
  { transport: "polling", into: "own", label: "long polling, first peer" },
  { transport: "polling", into: "one", label: "long polling, later peer" },
] as const;

interface Side {
  kind: Kind;
  server: Child<ServerCommands>;
  port: number;
  /** Connections and namespaces that stay on this server from one crowd to the next. */
  staying: { peers: number; namespaces: number };
}

let clients: Child<ClientCommands>;
const figures = new Figures();
const started = performance.now();

async function main(): Promise<void> {
  const file = jsonFile();
  clients = await Child.start("clients.ts");
  const sides = await startSides(1, WAYS);
  await measureConnects(sides);
  await measureLiveNamespaces(sides);
  stopSides(sides);
  await measureRoutes();
  console.log(String(figures));
  if (file !== undefined) writeFileSync(file, JSON.stringify(figures, null, 2) + "\n");
}

/** The file to keep the figures in, opened before the measurement so that two minutes are not lost to a wrong path. */
function jsonFile(): number | undefined {
  const { json } = parseArgs({ options: { json: { type: "string" } } }).values;
  return json === undefined ? undefined : openSync(json, "w");
}

/** What one connect costs, what a peer and a namespace weigh, and how fast messages go. */
async function measureConnects(sides: Side[]): Promise<void> {
  const link = await Child.start<LinkCommands>("slow-link.ts");
  const farPorts = new Map<Side, number>();
  for (const side of sides) farPorts.set(side, await link.call("to", side.port));

  await inTurn("connects, heap and messages", sides, async (side) => {
    const add = (name: string, unit: string, value: number) => figures.add(name, unit, side.kind, value);
    const weights = { own: 0, one: 0 };
    const rates = { own: 0, one: 0 };

    for (const { transport, into, label } of WAYS) {
      const heapBefore = await side.server.call("heap");
      const { cpu } = await visit(side, { transport, into }, async () => {
        if (transport === "polling") return;
        weights[into] = ((await side.server.call("heap")) - heapBefore) / PEERS[transport];
        await side.server.call("echo");
        rates[into] = (await clients.call("chat", 300)) / 0.3;
      });
      add(`Server CPU for one connect, ${label}`, "ms", cpu);
    }
    for (const { transport, into, label } of WAYS) {
      const { times } = await visit(side, { transport, into, count: 40, atOnce: 1 });
      add(`Time until joined, loopback, ${label}`, "ms", median(times));
    }
    for (const { transport, into, label } of WAYS) {
      const { times } = await visit(side, { transport, into, count: 10, atOnce: 10, port: farPorts.get(side) });
      add(`Time until joined, 25 ms each way, ${label}`, "ms", median(times));
    }
    add("Heap for each peer", "bytes", weights.one);
    add("Heap for each namespace", "bytes", weights.own - weights.one);
    add("Messages a second, one namespace", "", rates.one);
    add("Messages a second, a thousand namespaces", "", rates.own);
  });
  link.stop();
}

/** How the cost of a connect grows with live namespaces, and what is left of ten thousand that came and went. */
async function measureLiveNamespaces(sides: Side[]): Promise<void> {
  const before = new Map<Side, number>();
  for (const side of sides) before.set(side, await side.server.call("heap"));

  let alive = 0;
  for (const live of [10, 1000, 10_000]) {
    for (const side of sides) {
      const { kind, port } = side;
      progress(`${live} live namespaces, ${kind}`);
      await clients.call("populate", { kind, port, transport: "websocket", count: live - alive, atOnce: AT_ONCE });
      side.staying = { peers: side.staying.peers + 1, namespaces: live };
    }
    alive = live;
    await inTurn(`${live} live namespaces`, sides, async (side) => {
      const { cpu } = await visit(side, { transport: "websocket", into: "own", count: 400 });
      const name = `Server CPU for one connect, ${live.toLocaleString("en")} live namespaces`;
      figures.add(name, "ms", side.kind, cpu);
    });
  }
  await clients.call("leave", "holders");
  for (const side of sides) {
    await side.server.call("settle", { peers: 0, namespaces: 0 });
    const left = (await side.server.call("heap")) - before.get(side)!;
    figures.add("Heap left when 10,000 namespaces came and went", "bytes", side.kind, left);
  }
}

/** How the cost of a connect grows with the table of routes. */
async function measureRoutes(): Promise<void> {
  for (const routes of [1, 10, 100]) {
    const sides = await startSides(routes, WAYS.slice(0, 2));
    await inTurn(`${routes} routes`, sides, async (side) => {
      for (const [into, label] of [
        ["own", "first peer"],
        ["one", "later peer"],
      ] as const) {
        const { cpu } = await visit(side, { transport: "websocket", into, count: 400 });
        figures.add(
          `Server CPU for one connect, ${label}, ${routes} ${routes === 1 ? "route" : "routes"}`,
          "ms",
          side.kind,
          cpu,
        );
      }
    });
    stopSides(sides);
  }
}

/** Connects a crowd, does something with it, and sees it off; what one peer of it cost the server. */
async function visit(
  { kind, server, port, staying }: Side,
  crowd: Pick<Crowd, "transport" | "into"> & Partial<Crowd>,
  whileThere: () => Promise<void> = async () => {},
) {
  const whole = { kind, port, count: PEERS[crowd.transport], atOnce: AT_ONCE, ...crowd };
  const { count } = whole;
  const namespaces = staying.namespaces + (whole.into === "own" ? count : 1);

  const cpuBefore = await server.call("cpu");
  const times = await clients.call("connect", whole);
  await server.call("settle", { peers: staying.peers + count, namespaces });
  const cpu = ((await server.call("cpu")) - cpuBefore) / count;
  await whileThere();
  await clients.call("leave", "visitors");
  await server.call("settle", staying);
  return { times, cpu };
}

async function startSides(routes: number, ways: readonly Pick<Crowd, "transport" | "into">[]): Promise<Side[]> {
  const start = async (kind: Kind): Promise<Side> => {
    const server = await Child.start<ServerCommands>("server.ts", kind, String(routes));
    return { kind, server, port: await server.call("port"), staying: { peers: 0, namespaces: 0 } };
  };
  const sides = await Promise.all(KINDS.map(start));
  for (const side of sides) {
    progress(`warming up, ${side.kind}`); // a fresh process compiles while it works, and takes three times as long
    for (const way of ways) await visit(side, way);
  }
  return sides;
}

function stopSides(sides: Side[]): void {
  for (const { server } of sides) server.stop();
}

async function inTurn(what: string, sides: Side[], measure: (side: Side) => Promise<void>): Promise<void> {
  for (let round = 1; round <= ROUNDS; round++) {
    for (const side of round % 2 ? sides : sides.toReversed()) {
      progress(`${what}, round ${round} of ${ROUNDS}, ${side.kind}`);
      await measure(side);
    }
  }
}

function progress(what: string): void {
  const seconds = Math.round((performance.now() - started) / 1000);
  process.stderr.write(process.stderr.isTTY ? `\r\x1b[K${seconds} s: ${what}` : `${seconds} s: ${what}\n`);
}

main()
  .catch((err: Error) => {
    process.stderr.write(`\n${err.message}\n`);
    process.exitCode = 1;
  })
  .finally(() => {
    if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
    Child.stopAll();
  });

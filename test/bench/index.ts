// npm run bench [-- --json FILE]: what the pattern costs beside native dynamic namespaces, `io.of(/regex/)`.
//
// Both servers run at the same time, each in a process of its own, and are measured in turn; each round gives one ratio
// for each figure. A machine that is slower for a while slows both sides of it, and which one goes first changes from
// round to round.

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

/** Enough peers for a steady figure, and no more than two minutes allow: a connect on long polling takes longer. */
const PEERS = { websocket: 1000, polling: 250 };

/** How long a crowd exchanges messages, in milliseconds. */
const CHAT = 300;

type Way = Pick<Crowd, "transport" | "into"> & { label: string };

const WAYS: Way[] = [
  { transport: "websocket", into: "own", label: "WebSocket, first peer" },
  { transport: "websocket", into: "one", label: "WebSocket, later peer" },
  { transport: "polling", into: "own", label: "long polling, first peer" },
  { transport: "polling", into: "one", label: "long polling, later peer" },
];

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
  await measureMessages(sides);
  await measureLiveNamespaces(sides);
  await measureHeap(sides); // last, since collecting garbage again and again makes a process slow for a while
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

/** What one connect costs, and how long it takes until joined. */
async function measureConnects(sides: Side[]): Promise<void> {
  const link = await Child.start<LinkCommands>("slow-link.ts");
  const farPorts = new Map<Side, number>();
  for (const side of sides) farPorts.set(side, await link.call("to", side.port));

  const connects = WAYS.map(({ transport, into, label }) => async (side: Side) => {
    const { cpu } = await visit(side, { transport, into });
    figures.add("Server CPU for one connect", label, "ms", side.kind, cpu);
  });

  const nearJoins = WAYS.map(({ transport, into, label }) => async (side: Side) => {
    const { times } = await visit(side, { transport, into, count: 40, atOnce: 1 });
    figures.add("Time until joined, loopback", label, "ms", side.kind, median(times));
  });

  const farJoins = WAYS.map(({ transport, into, label }) => async (side: Side) => {
    const { times } = await visit(side, { transport, into, count: 10, atOnce: 10, port: farPorts.get(side) });
    figures.add("Time until joined, 25 ms each way", label, "ms", side.kind, median(times));
    figures.add("The same in round trips", label, "", side.kind, median(times) / 50);
  });

  await inTurn("connects", sides, [...connects, ...nearJoins, ...farJoins]);
  link.stop();
}

/** How fast messages go by way of the namespace and its adapter. */
async function measureMessages(sides: Side[]): Promise<void> {
  const chats = (["one", "own"] as const).map((into) => async (side: Side) => {
    await visit(side, { transport: "websocket", into }, async () => {
      await side.server.call("echo");
      const rate = (await clients.call("chat", CHAT)) / (CHAT / 1000);
      const where = into === "one" ? "through one namespace" : "through a thousand";
      figures.add("Messages a second", where, "", side.kind, rate);
    });
  });
  await inTurn("messages", sides, chats);
}

/** What a peer and a namespace weigh. */
async function measureHeap(sides: Side[]): Promise<void> {
  const weigh = async (side: Side) => {
    const weights = { one: 0, own: 0 };
    for (const into of ["one", "own"] as const) {
      const before = await side.server.call("heap");
      await visit(side, { transport: "websocket", into }, async () => {
        weights[into] = ((await side.server.call("heap")) - before) / PEERS.websocket;
      });
    }
    figures.add("Heap", "for each peer (WebSocket)", "bytes", side.kind, weights.one);
    figures.add("Heap", "for each namespace", "bytes", side.kind, weights.own - weights.one);
  };
  await inTurn("heap", sides, [weigh]);
}

/** How the cost of a connect grows with live namespaces, and what is left of them when they have gone. */
async function measureLiveNamespaces(sides: Side[]): Promise<void> {
  const before = new Map<Side, number>();
  for (const side of sides) before.set(side, await side.server.call("heap"));
  await warmUp(sides, WAYS); // the collections before have thrown compiled code away

  for (const live of [10, 1000, 10_000]) {
    for (const side of sides) {
      const { kind, port, staying } = side;
      progress(`${live} live namespaces, ${kind}`);
      const count = live - staying.namespaces;
      await clients.call("populate", { kind, port, transport: "websocket", count, atOnce: AT_ONCE });
      side.staying = { peers: staying.peers + 1, namespaces: live };
    }
    const connect = async (side: Side) => {
      const { cpu } = await visit(side, { transport: "websocket", into: "own", count: 400 });
      figures.add(
        "Server CPU for one connect, WebSocket, first peer, beside live namespaces",
        live.toLocaleString("en"),
        "ms",
        side.kind,
        cpu,
      );
    };
    await inTurn(`${live} live namespaces`, sides, [connect]);
  }

  await clients.call("leave", "holders");
  for (const side of sides) {
    side.staying = { peers: 0, namespaces: 0 };
    await side.server.call("settle", side.staying);
    const left = (await side.server.call("heap")) - before.get(side)!;
    figures.add("Heap", "left when 10,000 namespaces came and went", "bytes", side.kind, left);
  }
}

/** How the cost of a connect grows with the table of routes. */
async function measureRoutes(): Promise<void> {
  const ways = WAYS.slice(0, 2); // WebSocket: the table is the same on long polling
  for (const routes of [1, 10, 100]) {
    const sides = await startSides(routes, ways);
    const connects = ways.map(({ transport, into }) => async (side: Side) => {
      const { cpu } = await visit(side, { transport, into, count: 400 });
      const name = `${routes} ${routes === 1 ? "route" : "routes"}, ${into === "own" ? "first" : "later"} peer`;
      figures.add("Server CPU for one connect, WebSocket, with a table of routes", name, "ms", side.kind, cpu);
    });
    await inTurn(`${routes} routes`, sides, connects);
    stopSides(sides);
  }
}

/** Connects a crowd, does something with it, and sees it off; what one peer of it cost the server. */
async function visit(
  { kind, server, port, staying }: Side,
  crowd: Pick<Way, "transport" | "into"> & Partial<Crowd>,
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

async function startSides(routes: number, ways: Way[]): Promise<Side[]> {
  const start = async (kind: Kind): Promise<Side> => {
    const server = await Child.start<ServerCommands>("server.ts", kind, String(routes));
    return { kind, server, port: await server.call("port"), staying: { peers: 0, namespaces: 0 } };
  };
  const sides = await Promise.all(KINDS.map(start));
  await warmUp(sides, ways);
  return sides;
}

/** Until V8 has compiled what the servers do: a connect in a process that is new takes three times as long. */
async function warmUp(sides: Side[], ways: Way[]): Promise<void> {
  for (const side of sides) {
    progress(`warming up, ${side.kind}`);
    for (const way of [...ways, ...ways]) await visit(side, way);
  }
}

function stopSides(sides: Side[]): void {
  for (const { server } of sides) server.stop();
}

/** Takes each step with both sides, one right after the other, before it goes on to the next step. */
async function inTurn(what: string, sides: Side[], steps: ((side: Side) => Promise<void>)[]): Promise<void> {
  for (let round = 1; round <= ROUNDS; round++) {
    progress(`${what}, round ${round} of ${ROUNDS}`);
    for (const step of steps) {
      for (const side of round % 2 ? sides : sides.toReversed()) await step(side);
    }
  }
}

function progress(what: string): void {
  const seconds = Math.round((performance.now() - started) / 1000);
  process.stderr.write(process.stderr.isTTY ? `\r\x1b[K${seconds} s: ${what}` : `${seconds} s: ${what}\n`);
}

main()
  .catch((err: Error) => {
    console.error(`${err.message}.`);
    process.exitCode = 1;
  })
  .finally(() => {
    if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
    Child.stopAll();
  });

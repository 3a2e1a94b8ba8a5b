// npm run bench -- cluster: what a cluster asks of Redis, in Redis' own figures, and which other adapters do as well.

import { cleanUp, pause } from "../support/harness";
import { CHAT, Peer, startNode } from "../support/cluster";
import { RedisServer } from "../support/redis";
import { RedisCluster } from "../support/redis-cluster";
import { adapters } from "./adapters";
import { troubles } from "./troubles";

const NODES = [1, 2, 4, 8];
const ROUNDS = 20;
const MESSAGES = 5000;

/** All that is counted, and the tables of it. */
export async function cluster(progress: (what: string) => void): Promise<string> {
  const one = await RedisServer.start();
  const three = await RedisCluster.start();
  try {
    const [ofOne, ofThree] = [await counted([one], progress), await counted(three.servers, progress)];
    const rows = Object.keys(ofOne[0]!).flatMap((what) => {
      const [a, b] = [ofOne, ofThree].map((columns) => columns.map((column) => column[what as keyof Counted]));
      return String(a) === String(b)
        ? [[what, ...a!]]
        : [
            [`${what}: one Redis`, ...a!],
            [`${what}: three masters`, ...b!],
          ];
    });
    const head = ["nodes that have the namespace", ...NODES];
    return `${table([head, ...rows])}\n${table(await troubles(progress))}\n${table(await adapters(one, three, progress))}`;
  } finally {
    await cleanUp();
    await one.stop();
    await three.stop();
  }
}

type Counted = Awaited<ReturnType<typeof among>>;

async function counted(servers: RedisServer[], progress: (what: string) => void): Promise<Counted[]> {
  const columns: Counted[] = [];
  for (const nodes of NODES) {
    progress(`cluster, ${servers.length === 1 ? "one Redis" : "three masters"}, ${nodes} nodes`);
    columns.push(await among(nodes, servers));
    await cleanUp();
  }
  return columns;
}

/** What Redis has to do where so many nodes have a namespace. */
async function among(count: number, servers: RedisServer[]) {
  const nodes: Awaited<ReturnType<typeof startNode>>[] = [];
  for (let i = 0; i < count; i++) nodes.push(await startNode(servers[0]!));
  const last = nodes.at(-1)!;
  const names = Array.from({ length: ROUNDS }, (_, i) => CHAT.replace("1", `${i}`));
  const everywhereElse = async (to: string) => {
    for (const node of nodes.slice(0, -1)) await Peer.join(node, "ann", { to });
  };
  for (const to of names) await everywhereElse(to);

  const first: Peer[] = [];
  const later: Peer[] = [];
  const join = async (peers: Peer[]) => {
    for (const to of names) peers.push(await Peer.join(last, "bob", { to }));
  };
  const leave = (peers: Peer[]) => peers.forEach(({ socket }) => socket.disconnect());

  const watching = await countedBy(servers, () => pause(5000));
  const costs = async (action: () => Promise<void>) => {
    const { commands, bytes, ms } = await countedBy(servers, action);
    const rest = (all: number, idle: number) => (all - (idle * ms) / watching.ms) / ROUNDS;
    return { commands: Math.round(rest(commands, watching.commands)), bytes: rest(bytes, watching.bytes) };
  };
  const firstJoin = await costs(() => join(first));
  const laterJoin = await costs(() => join(later));
  const message = await costs(async () => {
    for (const peer of later) await peer.says("x".repeat(100));
  });
  const subscriptions = (await Promise.all(servers.map(subscriptionsOf))).reduce((sum, n) => sum + n, 0);
  const laterLeave = await costs(async () => leave(later));
  const lastLeave = await costs(async () => leave(first));

  const cpuBefore = await cpuOf(servers);
  await everywhereElse(CHAT);
  const namespace = last.io.of(CHAT);
  for (let i = 0; i < MESSAGES; i++) {
    namespace.emit("message", "x".repeat(100));
    if (i % 100 === 0) await pause(1);
  }
  await pause(500);
  const cpu = ((await cpuOf(servers)) - cpuBefore) / MESSAGES;

  return {
    "commands, a peer joins that is the first on its node": firstJoin.commands,
    "commands, a later peer joins": laterJoin.commands,
    "commands, a message": message.commands,
    "commands, a peer leaves": laterLeave.commands,
    "commands, the last peer of a node leaves": lastLeave.commands,
    "bytes to and from Redis, a message of 100 characters": Math.round(message.bytes / 10) * 10,
    "bytes to and from Redis, a later peer joins": Math.round(laterJoin.bytes / 10) * 10,
    "subscriptions in Redis": Math.round(subscriptions / ROUNDS),
    "processor time of Redis, a message (ms)": cpu.toFixed(3),
  };
}

/** What Redis gets meanwhile: commands, bytes to and fro, and how many milliseconds that is. */
async function countedBy(servers: RedisServer[], action: () => Promise<void>) {
  for (const server of servers) await server.ask(["CONFIG", "RESETSTAT"]);
  const since = performance.now();
  await action();
  await pause(1500); // until what followed has been said
  const ms = performance.now() - since;
  let [commands, bytes] = [0, 0];
  for (const server of servers) {
    const stats = `${await server.ask(["INFO", "commandstats"])}${await server.ask(["INFO", "stats"])}`;
    for (const [, calls] of stats.matchAll(/cmdstat_(?:publish|subscribe|unsubscribe|pubsub\|numsub):calls=(\d+)/g)) {
      commands += Number(calls);
    }
    for (const [, n] of stats.matchAll(/total_net_(?:input|output)_bytes:(\d+)/g)) bytes += Number(n);
  }
  return { commands, bytes, ms };
}

/** How often a channel is subscribed to: once for each node that has it. */
async function subscriptionsOf(server: RedisServer): Promise<number> {
  const channels = (await server.channels()).filter(
    (channel) => !channel.startsWith("socket.io#/#") && !/lobby/.test(channel),
  );
  const counts = (await server.ask(["PUBSUB", "NUMSUB", ...channels])) as (string | number)[];
  return counts.filter((_, i) => i % 2 === 1).reduce<number>((sum, n) => sum + Number(n), 0);
}

/** Milliseconds. */
async function cpuOf(servers: RedisServer[]): Promise<number> {
  let seconds = 0;
  for (const server of servers) {
    const info = String(await server.ask(["INFO", "cpu"]));
    for (const [, n] of info.matchAll(/used_cpu_(?:sys|user):([\d.]+)/g)) seconds += Number(n);
  }
  return seconds * 1000;
}

function table(rows: (string | number)[][]): string {
  const [head, ...body] = rows.map((cells) => `| ${cells.join(" | ")} |\n`);
  return `${head}|${" --- |".repeat(rows[0]!.length)}\n${body.join("")}`;
}

// Which adapters carry the pattern, and what they leave behind. Their packages are nobody's dependencies: they are
// installed into a folder for the moment.

import { execFile, execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join as path } from "node:path";
import { promisify } from "node:util";
import { Server, type Namespace } from "socket.io";
import { io as connect } from "socket.io-client";
import { Channels } from "../../backend/cluster/channels";
import ioHandler from "../../backend/io-handler";
import { pause } from "../support/harness";
import type { RedisServer } from "../support/redis";
import type { RedisCluster } from "../support/redis-cluster";

const PACKAGES = [
  "@socket.io/redis-adapter",
  "@socket.io/redis-streams-adapter",
  "@socket.io/postgres-adapter",
  "@socket.io/cluster-adapter",
  "ioredis",
  "redis",
  "pg",
];
const NAMESPACES = 1000;
const AT_ONCE = 50;
/** Namespaces in which a message is to cross. */
export const crossing = Array.from({ length: 20 }, (_, i) => nameOf(i));

export type Adapter = NonNullable<ConstructorParameters<typeof Server>[1]>["adapter"];
/** What is used here of a client of the package `redis`. */
type NodeRedis = { on: (event: string, listener: () => void) => NodeRedis; connect: () => Promise<NodeRedis> };
type Create = (...args: unknown[]) => Adapter;

/** One adapter: for each server of its own clients, and what is subscribed to for all of them. */
interface Candidate {
  name: string;
  adapter: () => Promise<Adapter>;
  subscribed: () => Promise<number>;
}

/** A table of adapters. Postgres is tried where `POSTGRES_URL` names one. */
export async function adapters(one: RedisServer, three: RedisCluster, progress: (what: string) => void) {
  const folder = mkdtempSync(path(tmpdir(), "adapters-"));
  try {
    progress(`npm install of ${PACKAGES.join(", ")} into ${folder}`);
    execFileSync("npm", ["install", "--silent", "--no-save", "--prefix", folder, ...PACKAGES], { stdio: "ignore" });
    const rows = [
      ["adapter", `messages in 20 namespaces`, `left of ${NAMESPACES}, pattern`, `left of ${NAMESPACES}, native`],
    ];
    for (const candidate of candidates(createRequire(path(folder, "index.js")), one, three)) {
      progress(candidate.name);
      rows.push([candidate.name, ...(await tried(candidate))]);
    }
    progress("node:cluster");
    rows.push(["node:cluster, two workers", ...(await triedInWorkers(folder))]);
    return rows;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function candidates(load: NodeJS.Require, one: RedisServer, three: RedisCluster): Candidate[] {
  const { createAdapter, createShardedAdapter } = load("@socket.io/redis-adapter") as Record<string, Create>;
  const { createAdapter: createStreams } = load("@socket.io/redis-streams-adapter") as Record<string, Create>;
  const { createAdapter: createPostgres } = load("@socket.io/postgres-adapter") as Record<string, Create>;
  const { createClient, createCluster } = load("redis") as Record<string, (options: object) => NodeRedis>;
  const { Redis, Cluster } = load("ioredis") as Record<string, new (target: unknown, options?: object) => object>;
  const nodes = three.servers.map(({ port }) => ({ host: "127.0.0.1", port }));
  const rootNodes = three.servers.map(({ url }) => ({ url }));

  const node = () =>
    createClient!({ url: one.url })
      .on("error", () => {})
      .connect();
  const nodeCluster = () =>
    createCluster!({ rootNodes })
      .on("error", () => {})
      .connect();
  const patterns = async () =>
    Number(await one.ask(["PUBSUB", "NUMPAT"])) + ((await one.ask(["PUBSUB", "CHANNELS"])) as string[]).length;
  const channelsOf = async (server: RedisServer) => {
    const [plain, sharded] = [await server.channels(), await server.ask(["PUBSUB", "SHARDCHANNELS"])];
    return plain.length + (sharded as string[]).length;
  };
  const channels = () => channelsOf(one);
  const all = async () => (await Promise.all(three.servers.map(channelsOf))).reduce((sum, n) => sum + n, 0);

  const ours = async ({ url }: { url: string }) => {
    const links = await Channels.of(url);
    return createShardedAdapter!(links, links, { subscriptionMode: "static" });
  };

  const list: Candidate[] = [
    {
      name: "redis, classic, node-redis",
      adapter: async () => createAdapter!(await node(), await node()),
      subscribed: patterns,
    },
    {
      name: "redis, classic, ioredis",
      adapter: async () => createAdapter!(new Redis!(one.port), new Redis!(one.port)),
      subscribed: patterns,
    },
    {
      name: "redis, sharded, node-redis",
      adapter: async () => createShardedAdapter!(await node(), await node()),
      subscribed: channels,
    },
    {
      name: "redis, sharded, ioredis",
      adapter: async () => createShardedAdapter!(new Redis!(one.port), new Redis!(one.port)),
      subscribed: channels,
    },
    {
      name: "redis, sharded, three masters, node-redis",
      adapter: async () => createShardedAdapter!(await nodeCluster(), await nodeCluster()),
      subscribed: all,
    },
    {
      name: "redis, sharded, three masters, ioredis",
      adapter: async () =>
        createShardedAdapter!(new Cluster!(nodes), new Cluster!(nodes, { shardedSubscribers: true })),
      subscribed: all,
    },
    { name: "redis, sharded, this folder's", adapter: () => ours(one), subscribed: channels },
    { name: "redis, sharded, three masters, this folder's", adapter: () => ours(three), subscribed: all },
    { name: "redis streams, node-redis", adapter: async () => createStreams!(await node()), subscribed: patterns },
  ];
  const { POSTGRES_URL: postgres } = process.env;
  if (postgres) list.push(postgresOf(postgres, load, createPostgres!));
  return list;
}

function postgresOf(connectionString: string, load: NodeJS.Require, create: Create): Candidate {
  type Listening = { query: (sql: string) => Promise<{ rowCount: number }> };
  const { Pool } = load("pg") as Record<
    string,
    new (options: unknown) => { connect: (...callback: unknown[]) => Promise<Listening> }
  >;
  const listening = new Set<Listening>(); // LISTEN belongs to a connection: only that can tell
  const adapter = async () => {
    const pool = new Pool!({ connectionString });
    const take = pool.connect.bind(pool);
    pool.connect = (...callback) => {
      const taken = take(...callback);
      if (callback.length === 0) void taken.then((client) => listening.add(client)); // not for one query only
      return taken;
    };
    return create(pool);
  };
  const subscribed = async () => {
    let sum = 0;
    for (const client of listening) sum += (await client.query("SELECT pg_listening_channels()")).rowCount;
    return sum;
  };
  return { name: "postgres", adapter, subscribed };
}

/** How many of 20 messages cross, and what is left of the namespaces that came and went. */
async function tried({ adapter, subscribed }: Candidate): Promise<string[]> {
  const servers: Server[] = [];
  const start = async (native: boolean) => {
    const io = serverWith(await adapter(), native);
    servers.push(io);
    return io;
  };
  const [a, b] = [await start(false), await start(false)];
  await pause(500);

  let crossed = 0;
  hear(b, () => crossed++);
  await emit(a);

  const left = [await comeAndGo(a, subscribed, 1000), await comeAndGo(await start(true), subscribed, 1_000_000)];
  for (const io of servers) await io.close();
  return [`${crossed} of ${crossing.length}`, ...left.map(String)];
}

/** The same for `@socket.io/cluster-adapter`, which connects the worker processes of `node:cluster`. */
async function triedInWorkers(folder: string): Promise<string[]> {
  const args = ["-r", "ts-node/register", path(__dirname, "workers.ts"), folder];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  const { crossed, left } = JSON.parse(stdout) as { crossed: number; left: number[] };
  return [`${crossed} of ${crossing.length}`, ...left.map(String)];
}

/** A server with the pattern, or with native dynamic namespaces for the same names. */
export function serverWith(adapter: Adapter, native: boolean): Server {
  const http = createServer().listen({ host: "127.0.0.1", port: 0, exclusive: true }); // not shared with other workers
  const io = new Server(http, { ...(adapter && { adapter }), cleanupEmptyChildNamespaces: true });
  if (native) io.of(/^\/category\/\d+\/item\/1\/chat$/);
  else ioHandler(io, { retireAfter: 1000 });
  return io;
}

/** Calls a function for each of the messages that cross. */
export function hear(io: Server, onHello: () => void): void {
  for (const name of crossing) (io.of(name) as Namespace<object, object, { hello: () => void }>).on("hello", onHello);
}

/** Sends a message in each namespace; resolves when all have arrived that will, and the namespaces are retired. */
export async function emit(io: Server): Promise<void> {
  for (const name of crossing) io.of(name);
  await pause(500);
  for (const name of crossing) io.of(name).serverSideEmit("hello");
  await pause(1500);
}

/** How many subscriptions are left of namespaces that came and went, each with a peer. */
export async function comeAndGo(io: Server, subscribed: () => Promise<number>, from: number): Promise<number> {
  await pause(2000);
  const before = await subscribed();
  const { port } = (io as unknown as { httpServer: { address: () => AddressInfo } }).httpServer.address();
  for (let i = 0; i < NAMESPACES; i += AT_ONCE) {
    const come = Array.from({ length: AT_ONCE }, async (_, k) => {
      const ns = nameOf(from + i + k);
      const peer = connect(`http://127.0.0.1:${port}${ns}`, {
        query: { ns },
        transports: ["websocket"],
        forceNew: true,
      });
      await new Promise<void>((resolve) => peer.on("connect", () => resolve()));
      peer.disconnect();
    });
    await Promise.all(come);
  }
  await pause(3000);
  return (await subscribed()) - before;
}

function nameOf(i: number): string {
  return `/category/${i}/item/1/chat`;
}

// redis-cluster.ts: a real Redis Cluster of the test's own.

import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { pause } from "./harness";
import { REDIS } from "./installed";
import { freePort, RedisServer } from "./redis";

const run = promisify(execFile);

/** Three masters on free ports of the loopback, and replicas where they are asked for. */
export class RedisCluster {
  private constructor(
    private readonly folder: string,
    /** The masters as they were at the start, and then the replicas of each. */
    readonly servers: RedisServer[],
    private readonly options: string[],
  ) {}

  /**
   * @param replicas - of each master
   * @param options - of each redis-server
   */
  static async start(replicas = 0, ...options: string[]): Promise<RedisCluster> {
    const folder = await mkdtemp(join(tmpdir(), "redis-cluster-"));
    const cluster = new RedisCluster(folder, [], options);
    try {
      await cluster.create(replicas);
    } catch (err) {
      await cluster.stop();
      throw err;
    }
    return cluster;
  }

  /**
   * In a suite: a Redis Cluster for each test. One that the last test has left as it was is used again.
   *
   * @returns a function that returns it in a test
   */
  static forEachTest(replicas: number, ...options: string[]): () => RedisCluster {
    let cluster: RedisCluster | undefined;
    beforeEach(async () => {
      if (cluster && !(await cluster.isAsAtFirst(replicas))) {
        await cluster.stop();
        cluster = undefined;
      }
      cluster ??= await RedisCluster.start(replicas, ...options);
    });
    after(() => cluster?.stop());
    return () => cluster!;
  }

  private async isAsAtFirst(replicas: number): Promise<boolean> {
    const { servers } = this;
    if (servers.length !== 3 * (1 + replicas) || !servers.every(({ runs }) => runs)) return false;
    for (const server of servers) server.thaw();
    for (const [i, server] of servers.entries()) {
      const { state, slots } = await server.info();
      if (state !== "ok" || slots.length > 0 !== i < 3) return false;
      if ((await server.replicas()) !== 3 * replicas) return false;
    }
    return (await this.channels()).length === 0;
  }

  private async create(replicas: number): Promise<void> {
    for (let i = 0; i < 3 * (1 + replicas); i++) await this.add();
    const addresses = this.servers.map(({ port }) => `127.0.0.1:${port}`);
    await run(`${REDIS}-cli`, [
      "--cluster",
      "create",
      ...addresses,
      "--cluster-replicas",
      `${replicas}`,
      "--cluster-yes",
    ]);
    for (const server of this.servers) await untilTrue(async () => (await server.info()).state === "ok");
    for (const replica of this.servers.slice(3)) await untilTrue(() => replica.isCopied());
    for (const server of this.servers) await untilTrue(async () => (await server.replicas()) === 3 * replicas);
  }

  get url(): string {
    return this.servers[0]!.url;
  }

  /** Starts one more server, which is not in the cluster yet. */
  async add(): Promise<RedisServer> {
    const i = this.servers.length;
    const server = await RedisServer.start(
      ...["--cluster-enabled", "yes", "--cluster-port", `${await freePort()}`, "--cluster-node-timeout", "1500"],
      ...["--repl-diskless-sync-delay", "0", "--dir", this.folder, "--cluster-config-file", `nodes-${i}.conf`],
      ...this.options,
    );
    this.servers.push(server);
    return server;
  }

  /** Starts one more master, which has no slots yet. */
  async join(): Promise<RedisServer> {
    const server = await this.add();
    await run(`${REDIS}-cli`, [
      "--cluster",
      "add-node",
      `127.0.0.1:${server.port}`,
      `127.0.0.1:${this.servers[0]!.port}`,
    ]);
    const { id } = await server.info();
    for (const other of this.servers) await untilTrue(async () => (await other.nodes()).includes(id));
    return server;
  }

  async replicaOf(master: RedisServer): Promise<RedisServer> {
    const { id } = await master.info();
    let replica: RedisServer | undefined;
    await untilTrue(async () => {
      for (const server of this.servers) if ((await server.info()).masterId === id) replica = server;
      return replica !== undefined;
    });
    return replica!;
  }

  /** Makes a replica the master, as an operator would; resolves when all servers know. */
  async promote(replica: RedisServer): Promise<void> {
    await untilTrue(() => replica.isCopied());
    const { masterId } = await replica.info();
    let asked = -Infinity;
    await untilTrue(async () => {
      const { slots } = await replica.info();
      if (slots.length > 0) return new RegExp(`^${masterId} .*slave`, "m").test(await replica.nodes());
      // the other masters may refuse, and Redis gives up after 5 s without a word
      if (Date.now() - asked > 6000) {
        asked = Date.now();
        await replica.ask(["CLUSTER", "FAILOVER"]);
      }
      return false;
    });
  }

  /** The servers on which nodes hear a channel: one that two nodes use is named twice. */
  async usedFor(channel: string): Promise<RedisServer[]> {
    const counts = await Promise.all(this.servers.map((server) => (server.runs ? server.subscribers(channel) : 0)));
    return this.servers.flatMap((server, i) => Array<RedisServer>(counts[i]!).fill(server));
  }

  /** Moves so many of a master's slots to another master, as an operator would. */
  async move(slots: number, from: RedisServer, to: RedisServer): Promise<void> {
    const [a, b] = [await from.info(), await to.info()];
    const check = () => run(`${REDIS}-cli`, ["--cluster", "check", `127.0.0.1:${from.port}`]);
    await untilTrue(() => check().then(Boolean, () => false)); // all servers agree
    const args = ["--cluster-from", a.id, "--cluster-to", b.id, "--cluster-slots", `${slots}`, "--cluster-yes"];
    await run(`${REDIS}-cli`, ["--cluster", "reshard", `127.0.0.1:${from.port}`, ...args], { maxBuffer: 1e8 });
  }

  /** The channels that somebody is subscribed to, on all servers: one that is there twice is named twice. */
  async channels(): Promise<string[]> {
    return (await Promise.all(this.servers.map((server) => (server.runs ? server.channels() : [])))).flat();
  }

  async stop(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.stop()));
    await rm(this.folder, { recursive: true });
  }
}

/** Resolves when a condition has come true; rejects when that takes longer than 40 s. */
async function untilTrue(condition: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 40_000; !(await condition()); await pause(50)) {
    if (Date.now() > deadline) throw new Error(`still waiting for: ${condition}`);
  }
}

// redis.ts: a real Redis server, or Valkey, of the test's own, and what stands between machines.

import { spawn, type ChildProcess } from "node:child_process";
import { randomInt } from "node:crypto";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { Redis } from "ioredis";
import { pause } from "./harness";
import { REDIS } from "./installed";

/** A redis-server on a free port of the loopback, which keeps nothing on disk. */
export class RedisServer {
  private process?: ChildProcess;
  private client?: Redis;

  private constructor(
    readonly port: number,
    private readonly options: string[],
  ) {}

  /** @param options - of redis-server, such as `--requirepass`, with their values */
  static async start(...options: string[]): Promise<RedisServer> {
    const redis = new RedisServer(await freePort(), options);
    await redis.start();
    return redis;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Starts it, again after a `stop`, on the same port. */
  async start(): Promise<void> {
    const args = ["--port", String(this.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
    const child = spawn(`${REDIS}-server`, [...args, ...this.options], { stdio: ["ignore", "pipe", "ignore"] });
    this.process = child;
    let said = "";
    child.stdout.on("data", (text) => (said = `${said}${text}`.slice(-500)));
    for (const deadline = Date.now() + 30_000; ; await pause(10)) {
      if (await answers(this.port)) return;
      if (child.exitCode !== null || Date.now() > deadline) throw new Error(`${REDIS}-server has not started: ${said}`);
    }
  }

  /** Ends it at once, as a crash would. */
  async stop(): Promise<void> {
    const child = this.process;
    this.client?.disconnect();
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exited = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await exited;
  }

  /** Makes it silent: connections stay open, and nothing is answered. */
  freeze(): void {
    this.process?.kill("SIGSTOP");
  }

  thaw(): void {
    this.process?.kill("SIGCONT");
  }

  /** The channels that somebody is subscribed to. */
  async channels(): Promise<string[]> {
    return (await this.ask(["PUBSUB", "CHANNELS"])) as string[];
  }

  /** How many nodes are subscribed to a channel. */
  async subscribers(channel: string): Promise<number> {
    return ((await this.ask(["PUBSUB", "NUMSUB", channel])) as [string, number])[1];
  }

  get runs(): boolean {
    return this.process?.exitCode === null && this.process.signalCode === null;
  }

  /** What this server of a Redis Cluster knows: its id, its master's, whether all is well, and its slots. */
  async info() {
    const id = (await this.ask(["CLUSTER", "MYID"])) as string;
    const state = /cluster_state:(\w+)/.exec((await this.ask(["CLUSTER", "INFO"])) as string)?.[1];
    const nodes = await this.nodes();
    const [, mine = ""] = /myself,master.* connected ?(.*)$/m.exec(nodes) ?? [];
    const slots = mine.match(/\d+(-\d+)?/g)?.map((range) => range.split("-").map(Number)) ?? [];
    return {
      id,
      state,
      masterId: /myself,slave (\w+)/.exec(nodes)?.[1],
      slots: slots.map(([from = 0, to = from]) => [from, to] as const),
    };
  }

  /** All servers of the Redis Cluster, as this one knows them: a line for each. */
  async nodes(): Promise<string> {
    return (await this.ask(["CLUSTER", "NODES"])) as string;
  }

  /** How many replicas this server of a Redis Cluster tells its clients of. */
  async replicas(): Promise<number> {
    const ranges = (await this.ask(["CLUSTER", "SLOTS"])) as unknown[][];
    return ranges.reduce((sum, [, , , ...replicas]) => sum + replicas.length, 0);
  }

  /** Whether this replica has all of its master. */
  async isCopied(): Promise<boolean> {
    return ((await this.ask(["INFO", "replication"])) as string).includes("master_link_status:up");
  }

  /** Sends one command, by a connection that is kept for the next one. */
  async ask(command: string[]): Promise<unknown> {
    if (this.client?.status !== "ready") {
      this.client?.disconnect();
      this.client = new Redis(this.url, { lazyConnect: true, retryStrategy: null, enableReadyCheck: false });
      this.client.on("error", () => undefined); // the command fails then
      await this.client.connect();
    }
    const [name = "", ...args] = command;
    return this.client.call(name, ...args);
  }
}

/** Counts those who look for a Redis that has been stopped, hears what they say, and turns them away. */
export async function atDoorOf({ port }: RedisServer) {
  const knocks: string[] = [];
  const server = createServer((socket) => {
    const number = knocks.push("") - 1;
    socket.on("data", (data) => (knocks[number] += String(data))).on("error", () => undefined);
    setTimeout(() => socket.destroy(), 20); // milliseconds to say something
  });
  const door = { knocks, close: () => new Promise((resolve) => server.close(resolve)) };
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return door;
}

/** What {@link forward} returns. */
export interface Forward {
  port: number;
  close: () => void;
  /** Ends the connections that are open. */
  cut: () => void;
  /** How many connections were taken. */
  taken: () => number;
  /** How many of them their clients have not ended. */
  open: () => number;
  /** Lets nothing through any more on the connections that are open, and on those to come until it is told `false`. */
  mute: (on: boolean) => void;
}

/**
 * A port of the loopback that leads to each of `ports` in turn, connection by connection: a load balancer that is not
 * sticky.
 *
 * @param delay - milliseconds that everything takes in each direction
 */
export async function forward(ports: number[], delay = 0): Promise<Forward> {
  const sockets = new Set<Socket>();
  let next = 0;
  let ended = 0;
  let muted = false;
  const server = createServer({ allowHalfOpen: true }, (near) => {
    const far = connect({ port: ports[next++ % ports.length]!, host: "127.0.0.1", allowHalfOpen: true });
    const later = (action: () => void) => (delay ? setTimeout(action, delay) : action());
    const pass = (from: Socket, to: Socket) => {
      sockets.add(from);
      if (muted) from.resume();
      else from.on("data", (chunk) => later(() => to.write(chunk)));
      from.on("end", () => later(() => to.end()));
      from.on("error", () => to.destroy());
    };
    pass(near, far);
    pass(far, near);
    const gone = () => {
      near.off("end", gone).off("close", gone);
      ended++;
    };
    near.on("end", gone).on("close", gone);
  });
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: await listening(server),
    cut,
    taken: () => next,
    open: () => next - ended,
    mute(on) {
      muted = on;
      if (on) for (const socket of sockets) socket.removeAllListeners("data").resume();
    },
    close() {
      server.close();
      cut();
    },
  };
}

/** Starts to listen on a free port of the loopback. */
export async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

let ours: Promise<() => number> | undefined;

/**
 * A port of the loopback on which nobody listens, below those that systems give away by themselves. It stays this
 * process's: no other run of the tests takes it while the server that has it is stopped and started again.
 */
export async function freePort(): Promise<number> {
  const nextPort = await (ours ??= reservePorts());
  const port = nextPort();
  const server = await listensOn(port);
  if (!server) return freePort();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Reserves a hundred ports for this process: it listens on the first of them as long as it runs. */
async function reservePorts(): Promise<() => number> {
  const first = randomInt(200, 320) * 100;
  const guard = await listensOn(first);
  if (!guard) return reservePorts();
  guard.unref();
  let given = 0;
  return () => first + 1 + (given++ % 99);
}

/** A server that listens on this port, or nothing where the port is taken. */
function listensOn(port: number): Promise<Server | undefined> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once("error", () => resolve(undefined)).listen(port, "127.0.0.1", () => resolve(server));
  });
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.write("PING\r\n"));
    socket.once("data", () => resolve(true));
    socket.once("error", () => resolve(false));
    socket.once("close", () => resolve(false));
    socket.on("data", () => socket.destroy());
  });
}

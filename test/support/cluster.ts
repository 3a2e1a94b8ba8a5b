// cluster.ts: nodes of a cluster in this process, and peers of their chat. Those that are processes are in demo-server.ts.

import { expect } from "chai";
import type { Socket } from "socket.io-client";
import { Cluster } from "../../backend/cluster/cluster";
import type { Presence } from "../../backend/demo/events";
import { chatServer } from "../../backend/server";
import { atTheEnd, joined, open, pause, until, type ClientOptions } from "./harness";
import { needs } from "./installed";

export const CHAT = "/category/1/item/2/chat";
export const channelOf = (namespace: string) => `socket.io#${namespace}#`;

const RETIRE_AFTER = 300; // milliseconds, so that nobody waits for long

/** In a suite: skips it without Redis, and keeps the lines of the log, which are those of the test that runs. */
export function onRedis() {
  const log: string[] = [];
  const { log: consoleLog, error: consoleError } = console;

  before(function () {
    needs(this, "Redis");
    console.log = console.error = (line: string) => log.push(line);
  });
  beforeEach(() => {
    log.length = 0;
  });
  after(() => {
    Object.assign(console, { log: consoleLog, error: consoleError });
  });
  return { log, logged: (part: string) => log.filter((line) => line.includes(part)) };
}

/** Something that happened to a peer: the event, and what came with it. */
type Heard = [event: string, data: Record<string, unknown>, ...more: unknown[]];

/** A peer of the chat, and all it has heard. */
export class Peer {
  readonly heard: Heard[] = [];

  constructor(readonly socket: Socket) {
    socket.onAny((...heard: Heard) => this.heard.push(heard));
  }

  /** Joins a chat; resolves when the chat has told its topic. */
  static async join(node: { url: string }, name: string, options: ClientOptions & { to?: string } = {}): Promise<Peer> {
    const { to = CHAT, ...rest } = options;
    const peer = new Peer(open(node.url, to, { transports: ["websocket"], auth: { name }, ...rest }));
    await joined(peer.socket);
    await peer.hears("topic");
    return peer;
  }

  /** Says something; resolves when the server has taken it. */
  async says(text: string): Promise<void> {
    expect(await this.socket.emitWithAck("message", text)).to.deep.equal({ ok: true });
  }

  /** Resolves with the data of the first such event, as soon as there is one. */
  async hears(event: string, which: Record<string, unknown> = {}): Promise<Record<string, unknown>> {
    const fits = ([name, data]: Heard) =>
      name === event && Object.entries(which).every(([key, value]) => data[key] === value);
    await until(() => this.heard.some(fits));
    return this.heard.find(fits)![1];
  }

  /** The texts of all messages. */
  get texts(): unknown[] {
    return this.heard.filter(([event]) => event === "message").map(([, { text }]) => text);
  }
}

/** A node in this process, whose namespaces are retired after so many milliseconds. */
export async function startNode({ url: redisUrl }: { url: string }, retireAfter = RETIRE_AFTER) {
  const cluster = await Cluster.join<Presence>(redisUrl);
  const { server, io, ee } = chatServer(retireAfter, cluster);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  let closing: Promise<void> | undefined;
  const close = () => (closing ??= io.close().then(() => cluster.close()));
  atTheEnd(() => {
    const closed = close();
    server.closeAllConnections();
    return closed;
  });
  return { io, ee, cluster, port, url: `http://127.0.0.1:${port}`, close, knows: (name: string) => io._nsps.has(name) };
}

/** Resolves when an expectation that no event announces is fulfilled; rejects with its error after 15 s, or `within` ms. */
export async function eventually(expectation: () => Promise<unknown>, within = 15_000): Promise<void> {
  for (const deadline = Date.now() + within; ; await pause(5)) {
    try {
      return void (await expectation());
    } catch (err) {
      if (Date.now() > deadline) throw err;
    }
  }
}

// clients.ts: the peers of one server. Every kind of server gets the real client.

import { answer } from "./answer";
import { io, type Socket } from "socket.io-client";
import { connect } from "../../frontend/client";

/**
 * What is compared:
 * - `native`: native dynamic namespaces, `io.of(/regex/)` with `cleanupEmptyChildNamespaces`
 * - `floor`: the same server, with clients that ask for the default namespace as well, on the same connection
 * - `pattern`: this project
 */
export type Kind = "native" | "floor" | "pattern";
export type Transport = "websocket" | "polling";

/** How a peer of each kind connects. */
const ways: Record<Kind, typeof connect> = {
  native: (url, name, options) => io(url + name, options),
  floor: (url, name, options) => io(url, options).io.socket(name),
  pattern: (url, name, options) => connect(url, name, options),
};

/** Peers that connect together. */
export interface Crowd {
  transport: Transport;
  /** How many. */
  count: number;
  /** Where they go: each into a namespace of its own, two into each, or all into the one that is shared. */
  into: "own" | "pairs" | "shared";
  /** How many of them are on the way at the same time; 50 by default. */
  atOnce?: number;
  /** The port they connect to; by default the server's own. */
  port?: number;
}

const kind = process.argv[2] as Kind;
const serverPort = Number(process.argv[3]);
const shared = process.argv[4] ?? "";

const visitors: Socket[] = [];
let seats = 0;

/** A name that no other process asks for. */
const newName = () => `/category/${process.pid}/item/${++seats}/chat`;

/** Connects a peer and waits until it has joined. */
function join(port: number, name: string, transport: Transport): Promise<Socket> {
  const options = { transports: [transport], forceNew: true, reconnection: false };
  const peer = ways[kind](`http://127.0.0.1:${port}`, name, options);
  return new Promise((resolve, reject) => {
    peer.once("connect", () => resolve(peer)).once("connect_error", reject);
  });
}

const commands = {
  /** Connects a crowd; how long each of them took until joined, in milliseconds. */
  async connect({ transport, count, into, atOnce = 50, port = serverPort }: Crowd) {
    const times: number[] = [];
    let name = shared;
    let started = 0;
    const worker = async () => {
      while (started < count) {
        if (into === "own" || (into === "pairs" && started % 2 === 0)) name = newName();
        started++;
        const start = performance.now();
        visitors.push(await join(port, name, transport));
        times.push(performance.now() - start);
      }
    };
    await Promise.all(Array.from({ length: atOnce }, worker));
    return times;
  },

  /** So many of the peers say something; waits until every one of them has heard so many answers. */
  async say({ word, speakers, answers }: { word: "all" | "echo"; speakers: number; answers: number }) {
    let missing = answers * visitors.length;
    await new Promise<void>((resolve) => {
      for (const peer of visitors) {
        peer.off("message").on("message", () => {
          if (--missing === 0) resolve();
        });
      }
      for (const peer of visitors.slice(0, speakers)) peer.emit(word, "Hello, is anybody else on this page?");
    });
  },

  /** All of them leave. */
  leave() {
    for (const peer of visitors.splice(0)) peer.io.engine.close();
  },
};

export type ClientCommands = typeof commands;

answer(commands);

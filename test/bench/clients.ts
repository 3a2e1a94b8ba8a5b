// clients.ts: the peers, all in one process. Both servers get the real client: the pattern's `connect`, and the plain
// `io()` that a user of native dynamic namespaces calls.

import { io, Manager, type Socket } from "socket.io-client";
import { connect } from "../../frontend/client";
import { answer } from "./child";

export type Kind = "pattern" | "native";
export type Transport = "websocket" | "polling";

export interface Crowd {
  kind: Kind;
  port: number;
  transport: Transport;
  /** How many peers. */
  count: number;
  /** How many of them are on the way at the same time. */
  atOnce: number;
  /** Where they go: all into one namespace, or each into one of its own that is not there yet. */
  into: "one" | "own";
}

const visitors: Socket[] = [];
const holders: Manager[] = [];
let names = 0;

function newName(): string {
  return `/category/${++names}/item/1/chat`;
}

/** Connects a peer and waits until it has joined. */
async function join({ kind, port, transport }: Omit<Crowd, "into">, name: string): Promise<Socket> {
  const url = `http://127.0.0.1:${port}`;
  const options = { transports: [transport], forceNew: true, reconnection: false };
  const peer = kind === "pattern" ? connect(url, name, options) : io(url + name, options);
  await joined(peer);
  return peer;
}

function joined(peer: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    peer.once("connect", resolve);
    peer.once("connect_error", reject);
  });
}

/** Runs `work` for each item, `atOnce` of them at the same time. */
async function each<T>(items: T[], atOnce: number, work: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values();
  const worker = async () => {
    for (const item of queue) await work(item);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

const commands = {
  /** Connects a crowd of visitors; how long each of them took until joined, in milliseconds. */
  async connect(crowd: Crowd) {
    const one = newName();
    const times: number[] = [];
    await each(Array(crowd.count).fill(one), crowd.atOnce, async () => {
      const start = performance.now();
      visitors.push(await join(crowd, crowd.into === "one" ? one : newName()));
      times.push(performance.now() - start);
    });
    return times;
  },

  /**
   * Makes namespaces that live on: a peer of its own creates each of them, a holder joins it, and the peer leaves. One
   * connection holds them all, since ten thousand connections would be measured along with the namespaces.
   */
  async populate(crowd: Omit<Crowd, "into">) {
    const holder = new Manager(`http://127.0.0.1:${crowd.port}`, {
      transports: [crowd.transport],
      reconnection: false,
    });
    holders.push(holder);
    await each(Array(crowd.count).fill(0), crowd.atOnce, async () => {
      const name = newName();
      const creator = await join(crowd, name);
      await joined(holder.socket(name));
      creator.disconnect();
    });
  },

  /** Every peer sends its next message when the last one has come back; how many came back in so many milliseconds. */
  async chat(duration: number) {
    let count = 0;
    for (const peer of visitors) {
      peer.on("echo", (text) => {
        count++;
        peer.emit("message", text);
      });
      peer.emit("message", "Hello, is anybody else on this page?");
    }
    await new Promise((resolve) => setTimeout(resolve, duration));
    for (const peer of visitors) peer.off("echo");
    return count;
  },

  /** All the visitors leave, or all the holders; each kind at the same time. */
  leave(who: "visitors" | "holders") {
    if (who === "visitors") for (const peer of visitors.splice(0)) peer.disconnect();
    else for (const holder of holders.splice(0)) holder.engine.close();
  },
};

export type ClientCommands = typeof commands;

answer(commands);

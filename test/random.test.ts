// Peers that create, join, join directly, leave, lose their connection and return, in any order, past slow middlewares.
// After every calm the server has exactly the namespaces that somebody holds.

import { expect } from "chai";
import type { Socket } from "socket.io-client";
import { open, openPlain, pause, startServer, transportsByName, until } from "./support/harness";

/** Runs of one test: `SEEDS=1000 npm test` for many. Where `CI` is set they are always the same. */
const runs = Number(process.env["SEEDS"] ?? 10);
const firstSeed = Number(process.env["SEED"] ?? (process.env["CI"] ? 1 : Math.floor(Math.random() * 1e6)));

/** A generator of numbers from 0 to 1 that a seed determines (mulberry32). */
function generator(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), seed | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

async function play(seed: number): Promise<void> {
  const random = generator(seed);
  const upTo = (n: number) => Math.floor(random() * n);
  const pick = <T>(list: readonly T[]): T => list[upTo(list.length)]!;
  const slowly = async (_socket: unknown, done: () => void) => {
    if (random() < 0.5) await pause(upTo(12));
    done();
  };

  const server = await startServer({
    before: random() < 0.5 ? (io) => io.use(slowly) : undefined,
    retireAfter: pick([0, 0, 5, 20]),
    io: { pingInterval: 400, pingTimeout: 400 },
  });
  const { io, ee, url } = server;
  const lives: string[] = []; // what happened to each namespace, in order
  ee.on("namespace.created", (namespace) => {
    lives.push(`${namespace.name} created`);
    if (random() < 0.5) namespace.use(slowly);
  });
  ee.on("namespace.retired", (namespace) => lives.push(`${namespace.name} retired`));

  const names = Array.from({ length: 3 }, (_, i) => `/category/1/item/${i}/chat`);
  const peers: { name: string; socket: Socket }[] = [];

  for (let calm = 0; calm < 3; calm++) {
    for (let step = 0; step < 12; step++) {
      const transports = pick(Object.values(transportsByName));
      const peer = peers.length > 0 ? pick(peers) : undefined;
      const name = pick(names);
      switch (upTo(6)) {
        case 0:
        case 1: // creates or joins
          peers.push({ name, socket: open(url, name, { transports }) });
          break;
        case 2: // joins directly, if the namespace is there
          peers.push({ name, socket: openPlain(url, [name], { transports })[0]! });
          break;
        case 3: // leaves
          peer?.socket.disconnect();
          break;
        case 4: // loses its connection, and returns by itself
          if (peer?.socket.connected) peer.socket.io.engine.close();
          break;
        case 5: // returns, or changes nothing where it is there
          if (peer && !peer.socket.active) peer.socket.connect();
          break;
      }
      if (random() < 0.6) await pause(upTo(8));
    }

    // calm: every peer is in or out for good, and whoever is in is in a namespace that the server knows
    let held: string[] = [];
    await until(() => {
      const inside = peers.filter(({ socket }) => socket.connected);
      held = [...new Set(inside.map(({ name }) => name))].sort();
      return (
        peers.every(({ socket }) => socket.connected || !socket.active) &&
        io.engine.clientsCount === inside.length &&
        server.namespaces().join() === held.join() &&
        inside.every(({ name, socket }) => io.of(name).sockets.has(socket.id!))
      );
    });
    for (const name of names) {
      const life = lives.filter((event) => event.startsWith(`${name} `)).map((event) => event.slice(name.length + 1));
      const expected = life.map((_, i) => (i % 2 === 0 ? "created" : "retired"));
      expect(life, `the life of ${name}`).to.deep.equal(expected);
      expect(life.at(-1) === "created", `${name} lives`).to.equal(held.includes(name));
    }
  }

  for (const { socket } of peers) socket.disconnect();
  await server.calm();
  expect(server.namespaces()).to.deep.equal([]);
  await server.close();
}

describe("anything that peers do, in any order", () => {
  for (let seed = firstSeed; seed < firstSeed + runs; seed++) {
    it(`leaves exactly the namespaces that somebody holds (SEED=${seed})`, () => play(seed));
  }
});

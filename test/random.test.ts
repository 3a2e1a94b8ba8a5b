// Peers that create, join, leave, are refused, lose their connection and return, in every way and in any order, past slow
// middlewares, while the application uses the same names. After every calm all promises hold.

import { expect } from "chai";
import type { Socket as ServerSocket } from "socket.io";
import { io as literally, type Socket } from "socket.io-client";
import * as msgpack from "socket.io-msgpack-parser";
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

/** A peer, and its socket in the default namespace, if it has asked for one itself. */
interface Peer {
  name: string;
  /** It came without `?ns=`. */
  direct: boolean;
  /** The namespace that refuses it, if any. */
  auth: { refuse?: string };
  socket: Socket;
  own?: Socket | undefined;
  /** Its namespace has refused it, and it has not been let in on the same connection since. */
  refused: boolean;
}

async function play(seed: number): Promise<void> {
  const random = generator(seed);
  const upTo = (n: number) => Math.floor(random() * n);
  const pick = <T>(list: readonly T[]): T => list[upTo(list.length)]!;

  /** A middleware that may take its time, and refuses those whose `auth` says so. */
  const guard = async ({ nsp, handshake: { auth } }: ServerSocket, done: (err?: Error) => void) => {
    if (random() < 0.5) await pause(upTo(12));
    done(auth["refuse"] === nsp.name ? new Error("refused") : undefined);
  };

  const parser = pick([undefined, msgpack]);
  const within = { maxDisconnectionDuration: 1000 };
  const server = await startServer({
    before: (io) => io.use(guard),
    retireAfter: pick([0, 5, 20, 100]),
    io: {
      parser,
      connectionStateRecovery: pick([undefined, within, { ...within, skipMiddlewares: false }]),
      pingInterval: 400,
      pingTimeout: 400,
    },
  });
  const { io, ee, url } = server;
  const lives: string[] = []; // what happened to each namespace, in order
  const entered: ServerSocket[] = []; // who entered a namespace at the server, and who was handed over
  const handed: ServerSocket[] = [];
  ee.on("namespace.created", (namespace) => {
    lives.push(`${namespace.name} created`);
    namespace.use(guard);
    namespace.on("connection", (socket) => entered.push(socket));
  });
  ee.on("namespace.retired", (namespace) => lives.push(`${namespace.name} retired`));
  ee.on("dynamic.group.chat", (socket) => {
    handed.push(socket);
    socket.emit("welcome"); // who has received something can be recovered
  });

  const names = Array.from({ length: 3 }, (_, i) => `/category/1/item/${i}/chat`);
  const peers: Peer[] = [];
  const ids: string[] = []; // who entered a namespace, as its client has heard it

  const arrive = (name: string) => {
    const auth: Peer["auth"] = { refuse: pick([undefined, undefined, undefined, "/", name]) };
    const options = { transports: pick(Object.values(transportsByName)), parser, auth };
    const asked = { ...options, query: { ns: name } };
    const add = (socket: Socket, own?: Socket, direct = false) => {
      const peer: Peer = { name, direct, auth, socket, own: undefined, refused: false };
      peers.push(peer);
      if (own) adopt(peer, own);
      socket.io.on("open", () => (peer.refused = false));
      socket.on("connect", () => {
        peer.refused = false;
        ids.push(socket.id!);
      });
      socket.on("connect_error", ({ message }) => (peer.refused ||= message === "refused" && auth.refuse === name));
    };
    switch (pick(["connect()", "literally", "both", "both, the default one first", "directly"])) {
      case "connect()":
        return add(open(url, name, options));
      case "literally":
        return add(literally(url + name, { ...asked, forceNew: true, reconnectionDelay: 20 }));
      case "both":
        return add(...(openPlain(url, [name, "/"], asked) as [Socket, Socket]));
      case "both, the default one first":
        return add(...(openPlain(url, ["/", name], asked).reverse() as [Socket, Socket]));
      case "directly": // gets in if the namespace is there
        return add(openPlain(url, [name], options)[0]!, undefined, true);
    }
  };

  /** A socket in the default namespace of a peer's own: who leaves it and comes back asks for its namespace again. */
  const adopt = (peer: Peer, own: Socket) => {
    let left = false;
    peer.own = own;
    own.on("disconnect", () => (left = true));
    own.on("connect", () => (peer.refused &&= !left));
  };

  const act = (peer: Peer) => {
    const { name, direct, auth, socket, own } = peer;
    switch (upTo(6)) {
      case 0:
        socket.disconnect();
        return;
      case 1: // loses its connection, and returns by itself
        if (socket.connected || own?.connected) socket.io.engine.close();
        return;
      case 2:
      case 3: // returns, on the same connection if that is still there
        if (socket.active) return;
        // on the same connection with the same auth: who leaves before its CONNECT is answered, and sends another one,
        // takes the first answer for that of the second, with native namespaces too
        if (!own?.active) auth.refuse = pick([undefined, undefined, name, "/"]);
        socket.connect();
        return;
      case 4: // asks for the default namespace, now or again
        if (direct) return;
        if (!peer.own) adopt(peer, socket.io.socket("/", { auth }));
        if (!peer.own!.active) peer.own!.connect();
        return;
      case 5:
        own?.disconnect();
    }
  };

  for (let calm = 0; calm < 3; calm++) {
    for (let step = 0; step < 16; step++) {
      const what = random();
      if (peers.length === 0 || what < 0.4) {
        arrive(pick(names));
      } else if (what < 0.5) {
        io.of(pick([...names, "/"])).emit("news"); // the application does not ask who is there
      } else {
        act(pick(peers));
      }
      if (random() < 0.6) await pause(upTo(8));
    }

    // calm: all are in or out for good, and whoever is in is in a namespace that the server knows
    const settled = (socket: Socket | undefined) => !socket || socket.connected || !socket.active;
    const known = (socket: Socket | undefined, name: string) =>
      // Socket.IO restores a session a second time while the first connection is still open, and then forgets both of
      // them when that closes, with native namespaces too
      !socket?.connected || socket.recovered || io._nsps.get(name)?.sockets.has(socket.id!) === true;
    let held: string[] = [];
    await until(() => {
      const here = peers.filter(({ socket, own }) => socket.connected || own?.connected);
      held = [...new Set(here.filter(({ refused }) => !refused).map(({ name }) => name))].sort();
      return (
        peers.every(({ socket, own }) => settled(socket) && settled(own)) &&
        peers.every(({ name, socket, own }) => known(socket, name) && known(own, "/")) &&
        io.engine.clientsCount === here.length &&
        server.namespaces().join() === held.join()
      );
    });

    for (const name of names) {
      const life = lives.filter((event) => event.startsWith(`${name} `)).map((event) => event.slice(name.length + 1));
      const expected = life.map((_, i) => (i % 2 === 0 ? "created" : "retired"));
      expect(life, `the life of ${name}`).to.deep.equal(expected);
      expect(life.at(-1) === "created", `${name} lives`).to.equal(held.includes(name));
    }

    const inDefault = [...io.sockets.sockets.values()].map(({ conn }) => conn);
    expect(new Set(inDefault).size, "nobody is in the default namespace twice").to.equal(inDefault.length);
    for (const { name, direct, auth, socket, own } of peers) {
      if (own?.connected) expect(auth.refuse, "nobody who is refused is in").to.not.equal("/");
      if (!socket.connected) continue;
      // nobody who is refused is in: who is recovered skips namespace.use, who came directly skips io.use
      if (auth.refuse) expect(auth.refuse === name ? socket.recovered : direct, "may be in").to.equal(true);
      // who has asked for the default namespace may have left it
      const atServer = io.of(name).sockets.get(socket.id!);
      if (atServer && !own) expect(inDefault.includes(atServer.conn), "in the default namespace").to.equal(!direct);
    }
    expect(new Set(handed).size).to.equal(handed.length);
    expect(handed).to.have.members(entered);
    expect(handed.map(({ id }) => id)).to.include.members(ids);
  }

  for (const { socket, own } of peers) {
    socket.disconnect();
    own?.disconnect();
  }
  await server.calm();
  expect(server.namespaces()).to.deep.equal([]);
  await server.close();
}

describe("anything that peers do, in any order", () => {
  for (let seed = firstSeed; seed < firstSeed + runs; seed++) {
    it(`leaves exactly the namespaces that somebody holds, and all in their place (SEED=${seed})`, () => play(seed));
  }
});

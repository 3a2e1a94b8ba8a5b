// Peers that create, join, leave, are refused, lose their connection and return, in every way and in any order, past slow
// middlewares, while the application uses the same names. After every calm all promises hold.

import { expect } from "chai";
import { get } from "node:http";
import type { Socket as ServerSocket } from "socket.io";
import { io as literally, type Socket } from "socket.io-client";
import * as msgpack from "socket.io-msgpack-parser";
import { open, openPlain, pause, startServer, transportsByName, until } from "./support/harness";

/** Runs of one test: `SEEDS=1000 npm test` for many. Where `CI` is set they are always the same. */
const runs = Number(process.env["SEEDS"] ?? 10);
const firstSeed = Number(process.env["SEED"] ?? (process.env["CI"] ? 1 : Math.floor(Math.random() * 1e6)));

/** What Socket.IO's adapter for recovery keeps. */
type Kept = ServerSocket["nsp"]["adapter"] & { packets?: { emittedAt: number }[] };

const nameOf = (socket: Socket) => (socket as unknown as { nsp: string }).nsp;

/** A generator of numbers from 0 to 1 that a seed determines (mulberry32). */
function generator(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), seed | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A peer, its socket in the default namespace, if it has asked for one itself, and in `/app`, if it is there too. */
interface Peer {
  name: string;
  /** It came without `?ns=`. */
  direct: boolean;
  /** The namespace that refuses it, if any. */
  auth: { refuse?: string };
  socket: Socket;
  own?: Socket | undefined;
  app?: Socket | undefined;
  /** What the server must know of its connection: whether it holds the namespace, and is in the default one. */
  holds: boolean;
  inDefault: boolean;
  /** `/app` has refused it. */
  out: boolean;
}

const APP = "/app"; // the application's own, on the same connections

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
    before: (io) => {
      io.use(guard);
      io.of(APP).use(guard);
      io.engine?.on("connection", (conn: { close(): void }) => random() < 0.04 && conn.close());
    },
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
    const auth: Peer["auth"] = { refuse: pick([undefined, undefined, undefined, "/", name, APP]) };
    const options = { transports: pick(Object.values(transportsByName)), parser, auth };
    const asked = { ...options, query: { ns: name } };
    const add = (socket: Socket, own?: Socket, { direct = false, app = undefined as Socket | undefined } = {}) => {
      const peer: Peer = { name, direct, auth, socket, app, holds: false, inDefault: false, out: false };
      peers.push(peer);
      if (own) adopt(peer, own);
      app?.on("connect_error", ({ message }) => (peer.out ||= message === "refused"));
      const again = random() < 0.2; // sends its CONNECT twice
      socket.io.on("open", () => {
        peer.holds = peer.inDefault = false;
        if (again && socket.active) socket.connect();
      });
      socket.on("connect", () => {
        peer.holds = true;
        peer.inDefault = !direct;
        ids.push(socket.id!);
      });
      socket.on("connect_error", ({ message }) => {
        if (message !== "refused") return;
        peer.holds = false;
        peer.inDefault ||= auth.refuse === name && !direct;
      });
    };
    const kinds = [
      "connect()",
      "literally",
      "both",
      "both, the default one first",
      "beside /app",
      "directly",
      "aborted",
    ];
    switch (pick(kinds)) {
      case "connect()":
        return add(open(url, name, options));
      case "literally":
        return add(literally(url + name, { ...asked, forceNew: true, reconnectionDelay: 20 }));
      case "both":
        return add(...(openPlain(url, [name, "/"], asked) as [Socket, Socket]));
      case "both, the default one first":
        return add(...(openPlain(url, ["/", name], asked).reverse() as [Socket, Socket]));
      case "beside /app": {
        const sockets = openPlain(url, random() < 0.5 ? [APP, name] : [name, APP], asked);
        const [app, socket] = sockets.sort((a, b) => nameOf(a).length - nameOf(b).length);
        return add(socket!, undefined, { app });
      }
      case "directly": // gets in if the namespace is there
        return add(openPlain(url, [name], options)[0]!, undefined, { direct: true });
      case "aborted": // a long-polling handshake, and not a word more
        get(`${url}/socket.io/?EIO=4&transport=polling&ns=${name}`, (response) => response.resume()).on(
          "error",
          () => {},
        );
    }
  };

  /** A socket in the default namespace of a peer's own: who left it and comes back asks for its namespace again. */
  const adopt = (peer: Peer, own: Socket) => {
    peer.own = own;
    own.on("disconnect", () => (peer.inDefault = false));
    own.on("connect", () => {
      peer.holds ||= !peer.inDefault;
      peer.inDefault = true;
    });
  };

  const act = (peer: Peer) => {
    const { name, direct, auth, socket, own, app } = peer;
    switch (upTo(7)) {
      case 0:
        // who goes before its answer is there hears no answer: on a connection that stays, it may be in, or refused
        if (socket.connected || !(app || (own && auth.refuse === name))) socket.disconnect();
        return;
      case 1: // loses its connection, and returns by itself
        if (socket.connected || own?.connected || app?.connected) socket.io.engine.close();
        return;
      case 2:
      case 3: // returns, on the same connection if that is still there
        if (socket.active) return;
        // on the same connection with the same auth: who leaves before its CONNECT is answered, and sends another one,
        // takes the first answer for that of the second, with native namespaces too
        if (!own?.active && !app?.active) auth.refuse = pick([undefined, undefined, name, "/"]);
        socket.connect();
        return;
      case 4: // asks for the default namespace, now or again
        if (direct || app) return;
        if (!peer.own) adopt(peer, socket.io.socket("/", { auth }));
        if (!peer.own!.active) peer.own!.connect();
        return;
      case 5:
        own?.disconnect();
        return;
      case 6: // a quiet spell: what was said is minutes old
        for (const packet of (io._nsps.get(name)?.adapter as Kept | undefined)?.packets ?? [])
          packet.emittedAt -= 600_000;
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
      const here = peers.filter(({ socket, own, app }) => socket.connected || own?.connected || app?.connected);
      held = [...new Set(here.filter(({ holds }) => holds).map(({ name }) => name))].sort();
      return (
        peers.every(({ socket, own, app }) => settled(socket) && settled(own) && settled(app)) &&
        peers.every(({ name, socket, own, app }) => known(socket, name) && known(own, "/") && known(app, APP)) &&
        io.engine.clientsCount === here.length &&
        server.namespaces().join() === [APP, ...held].join()
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
    for (const { name, direct, auth, socket, own, app, out } of peers) {
      if (app && !out) expect(app.active, "stays in /app whatever else is refused").to.equal(true);
      if (own?.connected) expect(auth.refuse, "nobody who is refused is in").to.not.equal("/");
      if (!socket.connected) continue;
      // nobody who is refused is in: who is recovered skips namespace.use, who came directly skips io.use
      if (auth.refuse && auth.refuse !== APP)
        expect(auth.refuse === name ? socket.recovered : direct, "may be in").to.equal(true);
      // who has asked for the default namespace may have left it
      const atServer = io.of(name).sockets.get(socket.id!);
      if (atServer && !own) expect(inDefault.includes(atServer.conn), "in the default namespace").to.equal(!direct);
    }
    expect(new Set(handed).size).to.equal(handed.length);
    expect(handed).to.have.members(entered);
    expect(handed.map(({ id }) => id)).to.include.members(ids);
  }

  for (const { socket, own, app } of peers) for (const one of [socket, own, app]) one?.disconnect();
  await server.calm();
  expect(server.namespaces()).to.deep.equal([APP]);
  await server.close();
}

describe("anything that peers do, in any order", () => {
  for (let seed = firstSeed; seed < firstSeed + runs; seed++) {
    it(`leaves exactly the namespaces that somebody holds, and all in their place (SEED=${seed})`, () => play(seed));
  }
});

// Peers that create, join, leave, are refused, lose their connection and return, in every way and in any order, past slow
// middlewares, while the application uses the same names and some of its listeners throw. After every calm all promises
// hold. A seed that fails prints what was done in the namespaces that its message names.

import { expect } from "chai";
import { get } from "node:http";
import type { Socket as ServerSocket } from "socket.io";
import { io as literally, Manager, type Socket } from "socket.io-client";
import * as msgpack from "socket.io-msgpack-parser";
import {
  atTheEnd,
  type ClientOptions,
  listenInstead,
  open,
  openPlain,
  pause,
  startServer,
  transportsByName,
  until,
} from "./support/harness";

const PING = process.env["CI"] ? 1500 : 400; // milliseconds: a busy machine must not lose peers that are well
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
  auth: { refuse?: string | undefined };
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

/**
 * A client of some other library, packet by packet. It acknowledges every packet that asks for it, also in namespaces that
 * it is not in; and where its first CONNECT is refused, it may have sent a second one already.
 */
class Bare {
  private readonly manager: Manager;
  /** Its connection is open. */
  here = false;
  /** What it has heard on this connection: that it is in its namespace, and how many answers. */
  isIn = false;
  answers = 0;
  /** Packets of the default namespace, for which it has not asked. */
  readonly unasked: unknown[] = [];

  constructor(
    url: string,
    readonly name: string,
    options: ClientOptions,
    private readonly auths: object[],
  ) {
    this.manager = new Manager(url, { ...options, autoConnect: false, reconnection: false });
    this.manager.on("packet", ({ type, nsp, id, data }) => {
      if (nsp === "/") this.unasked.push([type, data]);
      if (type === CONNECT || type === CONNECT_ERROR) this.answers++;
      if (type === CONNECT) this.isIn = true;
      if (type === EVENT && id !== undefined) this.send({ type: ACK, nsp, id, data: [] });
    });
    this.manager.on("open", () => {
      this.here = true;
      for (const data of auths) this.send({ type: CONNECT, nsp: name, data });
    });
    this.manager.on("close", () => (this.here = false));
    atTheEnd(() => this.leave());
  }

  come(): void {
    if (this.here) return;
    this.isIn = false;
    this.answers = 0;
    this.manager.open();
  }

  /** Asks for its namespace once more. Where it is in already, Socket.IO closes the connection. */
  askAgain(): void {
    if (this.here) this.send({ type: CONNECT, nsp: this.name, data: this.auths.at(-1) });
  }

  leave(): void {
    this.manager.engine?.close();
  }

  private send(packet: object): void {
    this.manager._packet(packet);
  }
}

const [CONNECT, EVENT, ACK, CONNECT_ERROR] = [0, 2, 3, 4] as const; // types of packets

/** What a listener of the application throws now and then. The process goes on, as with an `uncaughtException` handler. */
const MISTAKE = new Error("the application's own mistake");

/** Lets the process go on after a {@link MISTAKE}, until the test ends. */
function surviveMistakes(): void {
  for (const event of ["uncaughtException", "unhandledRejection"]) {
    const usual = listenInstead(event, (...args) => {
      if (args[0] !== MISTAKE) for (const listener of usual) listener(...args);
    });
  }
}

/** Plays a seed. If it fails, the message ends with the steps that matter: those in the namespaces that it names. */
async function play(seed: number): Promise<void> {
  const steps: string[] = [];
  const since = performance.now();
  try {
    await act(seed, (step) => steps.push(`${Math.round(performance.now() - since)} ms: ${step}`));
  } catch (err) {
    const failure = err as Error;
    const [reason = ""] = failure.message.split("\nthe server on port"); // below, all namespaces are named
    const names = reason.match(/\/category[\w/]+/g) ?? [];
    const that = steps.filter(
      (step) => names.length === 0 || names.some((name) => step.includes(name)) || step.endsWith("calm"),
    );
    failure.message += `\nthe last steps of SEED=${seed} that are about it:\n  ${that.slice(-25).join("\n  ")}`;
    throw failure;
  }
}

async function act(seed: number, tell: (step: string) => void): Promise<void> {
  const random = generator(seed);
  const upTo = (n: number) => Math.floor(random() * n);
  const pick = <T>(list: readonly T[]): T => list[upTo(list.length)]!;

  /** A middleware that may take its time, and refuses those whose `auth` says so; of some it thinks better then. */
  const guard = async ({ nsp, handshake: { auth } }: ServerSocket, done: (err?: Error) => void) => {
    if (random() < 0.5) await pause(upTo(12));
    if (auth["refuse"] !== nsp.name) return done();
    done(new Error("refused"));
    if (!auth["thenLetIn"]) return;
    await pause(upTo(12));
    done();
  };

  /** A listener that throws now and then. */
  const careless = () => {
    if (random() < 0.05) throw MISTAKE;
  };
  surviveMistakes();

  const parser = pick([undefined, msgpack]);
  const within = { maxDisconnectionDuration: 1000 };
  const server = await startServer({
    before: (io) => {
      io.use(guard);
      io.on("connection", (socket) => {
        socket.on("disconnect", careless);
        careless();
      });
      io.of(APP).use(guard);
      io.engine?.on("connection", (conn: { close(): void }) => random() < 0.04 && conn.close());
    },
    retireAfter: pick([0, 5, 20, 100]),
    io: {
      parser,
      connectionStateRecovery: pick([undefined, within, { ...within, skipMiddlewares: false }]),
      pingInterval: PING,
      pingTimeout: PING,
    },
  });
  const { io, ee, url } = server;
  const lives: string[] = []; // what happened to each namespace, in order
  const entered: ServerSocket[] = []; // who entered a namespace at the server, and who was handed over
  const handed: ServerSocket[] = [];
  ee.on("namespace.created", (namespace) => {
    lives.push(`${namespace.name} created`);
    namespace.use(guard);
    namespace.prependListener("connection", (socket) => entered.push(socket)); // before one that throws
  });
  ee.on("namespace.retired", (namespace) => lives.push(`${namespace.name} retired`));
  ee.on("dynamic.group.chat", (socket) => {
    handed.push(socket);
    socket.emit("welcome"); // who has received something can be recovered
    socket.on("disconnect", careless);
    careless();
  });

  const names = Array.from({ length: 3 }, (_, i) => `/category/1/item/${i}/chat`);
  const peers: Peer[] = [];
  const bares: Bare[] = [];
  const ids: string[] = []; // who entered a namespace, as its client has heard it

  const arrive = (name: string) => {
    const auth: Peer["auth"] = { refuse: pick([undefined, undefined, undefined, "/", name, APP]) };
    const transports = pick(Object.values(transportsByName));
    const options = { transports, parser, auth };
    const asked = { ...options, query: { ns: name } };
    const add = (socket: Socket, own?: Socket, { direct = false, app = undefined as Socket | undefined } = {}) => {
      const peer: Peer = { name, direct, auth, socket, app, holds: false, inDefault: false, out: false };
      peers.push(peer);
      if (own) adopt(peer, own);
      app?.on("connect_error", ({ message }) => (peer.out ||= message === "refused"));
      // sends its CONNECT twice, on every other connection: Socket.IO closes one that sends it when it is in already, with
      // native namespaces too, and who is recovered is in at once, each time
      let again = random() < 0.2;
      const twice = again;
      socket.io.on("open", () => {
        peer.holds = peer.inDefault = false;
        if (again && socket.active) socket.connect();
        again = twice && !again;
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
      "bare",
    ];
    const kind = pick(kinds);
    const refused = auth.refuse ? `, refused by ${auth.refuse}` : "";
    tell(`${name}: somebody arrives (${kind}, ${transports.join(" and ")}${refused})`);
    switch (kind) {
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
        return;
      case "bare": {
        const auths = pick<object[]>([[auth], [auth, {}], [{}, auth], [{ ...auth, thenLetIn: true }]]);
        const query = random() < 0.8 ? { ns: name } : {};
        const bare = new Bare(url, name, { transports, parser, query }, auths);
        bares.push(bare);
        bare.come();
      }
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

  const actBare = (bare: Bare) => {
    const what = pick(["come", "leave", "askAgain"] as const);
    tell(`${bare.name}: a bare client's ${what}()`);
    bare[what]();
  };

  const actPeer = (peer: Peer) => {
    const { name, direct, auth, socket, own, app } = peer;
    const what = upTo(7);
    const acts = ["leaves", "loses its connection", "returns", "returns", "asks for /", "leaves /", "hears nothing"];
    tell(`${name}: peer ${peers.indexOf(peer)} ${acts[what]}`);
    switch (what) {
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
        const name = pick([...names, "/"]); // the application does not ask who is there
        tell(`${name}: the application emits`);
        io.of(name).emit("news");
        io.of(name)
          .timeout(20)
          .emit("question", () => undefined);
      } else if (what < 0.6 && bares.length > 0) {
        actBare(pick(bares));
      } else {
        actPeer(pick(peers));
      }
      if (random() < 0.6) await pause(upTo(8));
    }
    tell("calm");

    // calm: all are in or out for good, and whoever is in is in a namespace that the server knows
    const settled = (socket: Socket | undefined) => !socket || socket.connected || !socket.active;
    const known = (socket: Socket | undefined, name: string) =>
      // Socket.IO restores a session a second time while the first connection is still open, and then forgets both of
      // them when that closes, with native namespaces too
      !socket?.connected || socket.recovered || io._nsps.get(name)?.sockets.has(socket.id!) === true;
    const titles = (some: Peer[]) => some.map((peer) => `peer ${peers.indexOf(peer)} of ${peer.name}`);
    let held: string[] = [];
    await until(
      () => {
        const here = peers.filter(({ socket, own, app }) => socket.connected || own?.connected || app?.connected);
        const baresHere = bares.filter((bare) => bare.here);
        const holders = [...here.filter(({ holds }) => holds), ...baresHere.filter(({ isIn }) => isIn)];
        held = [...new Set(holders.map(({ name }) => name))].sort();
        const kept = server.namespaces();
        return {
          "neither in nor out": [
            ...titles(peers.filter((peer) => ![peer.socket, peer.own, peer.app].every(settled))),
            ...baresHere.filter(({ answers }) => answers === 0).map(({ name }) => `a bare client of ${name}`),
          ],
          "in what the server does not know": titles(
            peers.filter(({ name, socket, own, app }) => !(known(socket, name) && known(own, "/") && known(app, APP))),
          ),
          "connections more than clients": io.engine.clientsCount - here.length - baresHere.length,
          "held, but gone": held.filter((name) => !kept.includes(name)),
          "not held, but kept": kept.filter((name) => ![APP, ...held].includes(name)),
        };
      },
      {
        "neither in nor out": [],
        "in what the server does not know": [],
        "connections more than clients": 0,
        "held, but gone": [],
        "not held, but kept": [],
      },
      "peers and namespaces do not come to rest",
    );

    for (const name of names) {
      const life = lives.filter((event) => event.startsWith(`${name} `)).map((event) => event.slice(name.length + 1));
      const expected = life.map((_, i) => (i % 2 === 0 ? "created" : "retired"));
      expect(life, `the life of ${name}`).to.deep.equal(expected);
      expect(life.at(-1) === "created", `${name} lives`).to.equal(held.includes(name));
    }

    const inDefault = [...io.sockets.sockets.values()].map(({ conn }) => conn);
    // whom a middleware refuses, and lets in after the client has asked again, is in twice, with native namespaces too
    const ordinary = [...io.sockets.sockets.values()].filter(({ handshake: { auth } }) => !auth["thenLetIn"]);
    const connections = new Set(ordinary.map(({ conn }) => conn));
    expect(connections.size, "nobody is in the default namespace twice").to.equal(ordinary.length);
    for (const bare of bares)
      expect(bare.unasked, `a bare client of ${bare.name} hears nothing of /`).to.deep.equal([]);
    for (const peer of peers) {
      const { name, direct, auth, socket, own, app, out } = peer;
      const title = titles([peer])[0];
      if (app && !out) expect(app.active, `${title} stays in /app whatever else is refused`).to.equal(true);
      if (own?.connected) expect(auth.refuse, `${title} is not in /, which refuses it`).to.not.equal("/");
      if (!socket.connected) continue;
      // nobody who is refused is in: who is recovered skips namespace.use, who came directly skips io.use
      if (auth.refuse && auth.refuse !== APP)
        expect(auth.refuse === name ? socket.recovered : direct, `${title} may be in`).to.equal(true);
      // who has asked for the default namespace may have left it
      const atServer = io.of(name).sockets.get(socket.id!);
      if (atServer && !own)
        expect(inDefault.includes(atServer.conn), `${title} is in the default namespace`).to.equal(!direct);
    }
    const idsOf = (sockets: ServerSocket[]) => sockets.map(({ id, nsp }) => `${id} of ${nsp.name}`);
    expect(new Set(handed).size, "nobody is handed over twice").to.equal(handed.length);
    expect(idsOf(handed), "all who have entered are handed over").to.have.members(idsOf(entered));
    expect(handed.map(({ id }) => id)).to.include.members(ids);
  }

  for (const { socket, own, app } of peers) for (const one of [socket, own, app]) one?.disconnect();
  for (const bare of bares) bare.leave();
  await server.calm();
  expect(server.namespaces()).to.deep.equal([APP]);
  await server.close();
}

describe("anything that peers do, in any order", () => {
  for (let seed = firstSeed; seed < firstSeed + runs; seed++) {
    it(`leaves exactly the namespaces that somebody holds, and all in their place (SEED=${seed})`, () => play(seed));
  }
});

// Never worse than native: what an application or a client may do with Socket.IO's own dynamic namespaces, it may do here.
// Each of these was wrong once: the peer was lost, the namespace stayed, or the process ended.

import { expect } from "chai";
import { execFile } from "node:child_process";
import { createServer } from "node:http";
import { join as path } from "node:path";
import { promisify } from "node:util";
import type { Namespace, ServerOptions, Socket as ServerSocket } from "socket.io";
import { WebSocket } from "ws";
import {
  atTheEnd,
  join,
  joined,
  listen,
  next,
  onEachTransport,
  open,
  openPlain,
  openSocket,
  pause,
  peersOf,
  refusal,
  Server,
  startServer,
  uncaught,
  until,
  warnings,
} from "./support/harness";

const CHAT = "/category/1/item/2/chat";
const WRONG = "/category/one/item/2/chat";
const asked = (transports: string[]) => ({ transports, query: { ns: CHAT } });

/** socket.io-client 2.5, which has no types. */
const connectV2 = require("socket.io-client-v2") as (url: string, options: object) => { disconnect(): void };

type AdapterClass = new (namespace: Namespace) => Namespace["adapter"];
const Plain = new Server().adapter() as unknown as AdapterClass;

/** What a test does with either kind of server. */
interface Side {
  io: Server;
  url: string;
  /** Calls `prepare` with each namespace of the pattern when it is new. */
  onNew(prepare: (namespace: Namespace) => void): void;
}

/** The two servers on which a promise is compared. */
const sides: Record<string, (options?: Partial<ServerOptions>) => Promise<Side>> = {
  async "native namespaces"(options) {
    const http = createServer();
    const io = new Server(http, { cleanupEmptyChildNamespaces: true, ...options });
    io.of(/^\/category\/(\d+)\/item\/(\d+)\/chat$/).on("connection", () => undefined);
    const { url } = await listen(http, io);
    return { io, url, onNew: (prepare) => void io.on("new_namespace", prepare) };
  },
  async "the pattern"(options) {
    const { io, ee, url } = await startServer(options ? { io: options } : {});
    return { io, url, onNew: (prepare) => void ee.on("namespace.created", prepare) };
  },
};

/** Runs a test on native namespaces and on the pattern's, on each transport. */
function onBothSides(
  title: string,
  test: (side: Side, transports: string[]) => Promise<void>,
  options?: Partial<ServerOptions>,
) {
  for (const [name, start] of Object.entries(sides)) {
    onEachTransport(name, (transports) => {
      it(title, async () => test(await start(options), transports));
    });
  }
}

/** A bare client on WebSocket, which does what no library does; it keeps what it hears. */
async function bare(url: string, query = ""): Promise<{ socket: WebSocket; heard: string[] }> {
  const socket = openSocket(url, query);
  const heard: string[] = [];
  socket.on("message", (data) => heard.push(String(data)));
  await next(socket as never, "open");
  return { socket, heard };
}

/** An adapter of an application's own, whose members are called like those of Socket.IO's for recovery. */
class Keeping extends Plain {
  readonly maxDisconnectionDuration = 1000;
  readonly packets: unknown[] = [];
  readonly sessions = new Set<unknown>();
  override persistSession(session: unknown): void {
    this.sessions.add(session);
  }
}

onBothSides(
  "an adapter of the application's own is built whole, whatever its members are called",
  async ({ io, url }, transports) => {
    const [peer] = openPlain(url, [CHAT], { ...asked(transports), reconnection: false });
    await joined(peer!);
    const [atServer] = await peersOf(io, CHAT, 1);
    const { adapter } = atServer!.nsp;
    const gone = next(atServer as never, "disconnect");
    peer!.io.engine.close();
    await gone;
    expect((adapter as Keeping).sessions.size).to.equal(1);
  },
  { adapter: Keeping as never, connectionStateRecovery: {} },
);

onBothSides(
  "a function for io.of that throws closes the connection, and nothing else",
  async ({ io, url }, transports) => {
    const heard = uncaught();
    warnings();
    io.of((_name: string) => {
      throw new Error("the application's own");
    });
    io.use(({ handshake: { query } }, done) => {
      query["ns"] = "/category/5/item/5/chat";
      done();
    });
    const other = openPlain(url, [CHAT], asked(transports))[0]!; // on native namespaces, it joins
    other.on("connect_error", () => undefined);
    const [peer] = openPlain(url, ["/elsewhere"], { transports, query: { ns: "/elsewhere" }, reconnection: false });
    await next(peer!.io as never, "close");
    expect(heard).to.deep.equal([]);
  },
);

onBothSides(
  "a listener of disconnect that throws keeps no namespace alive, and nobody in one",
  async (side, transports) => {
    const heard = uncaught();
    const left: string[] = [];
    const fail = (socket: ServerSocket) =>
      socket.on("disconnect", () => {
        left.push(socket.nsp.name);
        throw new Error("the application's own");
      });
    side.io.on("connection", fail);
    side.onNew((namespace) => namespace.on("connection", fail));
    for (const reason of ["client", "network"]) {
      left.splice(0);
      const [peer] = openPlain(side.url, [CHAT], { ...asked(transports), reconnection: false });
      await joined(peer!);
      const namespace = side.io.of(CHAT);
      if (reason === "client") peer!.disconnect();
      else peer!.io.engine.close();
      await until(() => !side.io._nsps.has(CHAT) && left.includes(CHAT));
      expect(namespace.sockets.size).to.equal(0);
      await until(() => heard.length >= left.length);
    }
  },
);

onBothSides("an application may remove all listeners from io", async ({ io, url }, transports) => {
  io.removeAllListeners("connection");
  await join(url, CHAT, { transports });
  io.removeAllListeners();
  await join(url, "/category/3/item/4/chat", { transports });
});

onBothSides(
  "a peer gets in where queueMicrotask does nothing, as with the fake timers of Jest and Sinon",
  async (side, transports) => {
    const { queueMicrotask } = globalThis;
    globalThis.queueMicrotask = () => undefined;
    atTheEnd(() => (globalThis.queueMicrotask = queueMicrotask));
    const peer = open(side.url, CHAT, { transports });
    peer.on("connect_error", () => undefined);
    await peersOf(side.io, CHAT, 1);
  },
);

onBothSides(
  "io.use sees the whole auth where recovery is off or no session is meant",
  async ({ io, url, onNew }, transports) => {
    const seen: unknown[] = [];
    const look = (socket: ServerSocket, done: () => void) => {
      seen.push(socket.handshake.auth);
      done();
    };
    io.use(look);
    onNew((namespace) => namespace.use(look));
    const odd = { pid: 42, offset: "yes" };
    await join(url, CHAT, { transports, auth: odd });
    for (const auth of seen) expect(auth).to.deep.equal(odd);
    expect(seen).to.not.deep.equal([]);
  },
  { connectionStateRecovery: {} },
);

onBothSides(
  "who asks for no default namespace hears nothing of it, and may acknowledge everything",
  async ({ io, url }, transports) => {
    const answers: unknown[] = [];
    io.on("connection", (socket) => {
      socket.emit("welcome", () => answers.push("acknowledged"));
      socket.timeout(20).emit("welcome", () => answers.push("never"));
    });
    const [peer] = openPlain(url, [CHAT], asked(transports));
    const heard: string[] = [];
    peer!.io.on("packet", ({ type, nsp, id }) => {
      heard.push(`${type} ${nsp}`);
      // as python-socketio does, which acknowledges every event that asks for it
      if (id !== undefined) peer!.io._packet({ type: 3, nsp, id, data: [] } as never);
    });
    await joined(peer!);
    io.emit("news");
    io.timeout(20).emit("news", () => answers.push("news"));
    await until(() => answers.includes("news"));
    io.disconnectSockets();
    io.of(CHAT).emit("last");
    await next(peer!, "last");
    expect(heard).to.deep.equal([`0 ${CHAT}`, `2 ${CHAT}`]);
    expect(answers).to.not.include("acknowledged");
    expect(peer!.connected).to.equal(true);
  },
);

onEachTransport("a refused peer", (transports) => {
  it("is connected in io.on('connection'), and its disconnect follows, so no list of who is there keeps it", async () => {
    const present = new Set<string>();
    const seen: boolean[] = [];
    const { io, url } = await startServer({
      before: (io) =>
        io.on("connection", (socket) => {
          seen.push(socket.connected);
          present.add(socket.id);
          socket.on("disconnect", () => present.delete(socket.id));
        }),
    });
    io.on("connection", (socket) => seen.push(socket.connected));
    const refused = Array.from({ length: 10 }, (_, i) =>
      openPlain(url, [i % 2 ? "/" : WRONG], { transports, query: { ns: WRONG } }),
    );
    await Promise.all(refused.map(([peer], i) => next(peer!, i % 2 ? "refused" : "connect_error")));
    await until(() => io.engine.clientsCount === 0);
    expect(seen).to.deep.equal(Array.from({ length: 20 }, () => true));
    expect(present.size).to.equal(0);
  });

  it("is told by peer.refused, with its reason, when it has heard it", async () => {
    const { ee, url } = await startServer();
    const told: unknown[] = [];
    ee.on("peer.refused", ({ handshake, connected }, { err }) => told.push([handshake.query["ns"], connected, err]));
    const [peer] = openPlain(url, [WRONG], { transports, query: { ns: WRONG } });
    const [own] = openPlain(url, ["/"], { transports });
    await Promise.all([refusal(peer!), next(own!, "refused")]);
    await until(() => told.length === 2);
    expect(told).to.deep.include.members([
      [WRONG, false, `no route matches ${WRONG}`],
      [undefined, false, "ns not provided"],
    ]);
  });

  it("hears at most 100 characters of the name that it has asked for", async () => {
    const { url } = await startServer();
    const long = `/${"x".repeat(5000)}`;
    const [peer] = openPlain(url, [long], { transports, query: { ns: long } });
    expect((await refusal(peer!)).message).to.equal(`no route matches ${long.slice(0, 100)}…`);
  });
});

onEachTransport("a peer", (transports) => {
  it("gets in though a listener of connection throws, which was there before ioHandler", async () => {
    const heard = uncaught();
    const { url } = await startServer({
      before: (io) =>
        io.on("connection", () => {
          throw new Error("the application's own");
        }),
    });
    await join(url, CHAT, { transports });
    expect(heard.map(String)).to.deep.equal(["Error: the application's own"]);
  });

  it("gets in though a middleware of io.use has thrown for the one before it", async () => {
    const heard = uncaught();
    const { io, url, created, retired } = await startServer({ io: { connectTimeout: 300 } });
    let calls = 0;
    io.use((_socket, done) => {
      if (++calls === 1) throw new Error("the application's own");
      done();
    });
    const first = open(url, CHAT, { transports, reconnection: false });
    await next(first.io as never, "close"); // at connectTimeout
    await join(url, CHAT, { transports });
    expect(heard.map(String)).to.deep.equal(["Error: the application's own"]);
    expect([created, retired]).to.deep.equal([[CHAT], []]);
  });

  it("gets in though a middleware of io.use throws after next()", async () => {
    const heard = uncaught();
    const { io, url } = await startServer();
    io.use((_socket, done) => {
      done();
      throw new Error("the application's own");
    });
    await join(url, CHAT, { transports });
    expect(heard.map(String)).to.deep.equal(["Error: the application's own"]);
  });

  it("that is refused after a middleware has rewritten its query hears so where it has asked", async () => {
    const { io, url } = await startServer();
    io.use(({ handshake: { query } }, done) => {
      query["ns"] = "/wrong";
      done();
    });
    const [peer] = openPlain(url, [CHAT], asked(transports));
    expect((await refusal(peer!)).message).to.equal("no route matches /wrong");
    await until(() => io.engine.clientsCount === 0);
  });

  it("that is refused after a middleware has rewritten its query holds nothing, though its connection stays", async () => {
    const { io, url, retired } = await startServer();
    io.of("/app");
    io.use(({ handshake: { auth, query } }, done) => {
      if (auth["rewrite"]) query["ns"] = "/wrong";
      done();
    });
    const [app, peer] = openPlain(url, ["/app", CHAT], { ...asked(transports), auth: { rewrite: true } });
    await Promise.all([joined(app!), refusal(peer!)]);
    (await join(url, CHAT, { transports })).disconnect();
    await until(() => retired.length === 1);
    expect(app!.connected).to.equal(true);
  });

  it("that has gone before a function of io.of lets it in holds nothing", async () => {
    const letIn: (() => void)[] = [];
    const { io, url, created, retired } = await startServer({
      before: (io) => io.of((_name, _auth, done) => void letIn.push(() => done(null, true))),
    });
    const [direct] = openPlain(url, [CHAT], { transports, reconnection: false });
    await until(() => letIn.length === 1);
    direct!.disconnect();
    await until(() => io.engine.clientsCount === 0);
    letIn[0]!(); // it creates the namespace
    await until(() => retired.length === 1);
    expect(created).to.deep.equal([CHAT]);
  });

  it("of whose two CONNECTs one is refused holds its namespace when another peer leaves", async () => {
    const { io, ee, url, retired } = await startServer();
    ee.on("namespace.created", (namespace) => {
      namespace.use(async ({ handshake: { auth } }, done) => {
        await pause(30 * Number(auth["time"] ?? 0));
        done(auth["time"] === 1 ? new Error("not yet") : undefined);
      });
    });
    const other = await join(url, CHAT, { transports });
    const [peer] = openPlain(url, [CHAT], { ...asked(transports), auth: { time: 1 }, reconnection: false });
    const manager = peer!.io;
    io.of("/app");
    const app = manager.socket("/app", {}).connect(); // keeps the connection open
    atTheEnd(() => app.disconnect());
    await joined(app);
    await until(() => io.of(CHAT).sockets.size === 1);
    manager._packet({ type: 0, nsp: CHAT, data: { time: 2 } } as never);
    await peersOf(io, CHAT, 2);
    other.disconnect();
    await peersOf(io, CHAT, 1);
    await pause(20);
    expect(retired).to.deep.equal([]);
    expect(io._nsps.has(CHAT)).to.equal(true);
  });

  it("alone in its namespace, of whose two CONNECTs one is refused, is in that namespace or closed", async () => {
    const { io, ee, url, created, retired } = await startServer();
    const inside: ServerSocket[] = [];
    ee.on("dynamic.group.chat", (socket) => inside.push(socket));
    ee.on("namespace.created", (namespace) => {
      namespace.use(async ({ handshake: { auth } }, done) => {
        await pause(30 * Number(auth["time"]));
        done(auth["time"] === 1 ? new Error("not yet") : undefined);
      });
    });
    io.of("/app");
    const [app, peer] = openPlain(url, ["/app", CHAT], {
      ...asked(transports),
      auth: { time: 1 },
      reconnection: false,
    });
    await joined(app!);
    await until(() => io._nsps.has(CHAT));
    app!.io._packet({ type: 0, nsp: CHAT, data: { time: 2 } } as never); // the library would send no second one
    expect((await refusal(peer!)).message).to.equal("not yet");
    await until(() => inside.length === 1 || io.engine.clientsCount === 0);
    for (const socket of inside) expect(io._nsps.get(CHAT)).to.equal(socket.nsp);
    app!.disconnect();
    peer!.disconnect();
    await until(() => retired.length === created.length);
  });

  it("for which a middleware of its namespace has called next(err) and then next() is in no namespace that is retired", async () => {
    const { io, ee, url, created, retired } = await startServer();
    const inside: ServerSocket[] = [];
    ee.on("dynamic.group.chat", (socket) => inside.push(socket));
    ee.on("namespace.created", (namespace) => {
      namespace.use(async (_socket, done) => {
        done(new Error("no"));
        await pause(20);
        done();
      });
    });
    io.of("/app");
    const [app, peer] = openPlain(url, ["/app", CHAT], { ...asked(transports), reconnection: false });
    const closed = next(app!.io as never, "close");
    await Promise.all([joined(app!), refusal(peer!)]);
    await closed; // it comes again, if it likes
    await until(() => retired.length === created.length);
    expect(inside).to.deep.equal([]);
  });

  for (const literal of [CHAT, CHAT.slice(1)]) {
    it(`gets in with ?ns=${literal} and a CONNECT for ${CHAT}, with socket.io-client 4.8 and 2.5`, async () => {
      const { io, url, created } = await startServer({ io: { allowEIO3: true } });
      const [peer] = openPlain(url, [CHAT], { transports, query: { ns: literal } });
      await joined(peer!);
      const old = connectV2(url + CHAT, { transports, query: { ns: literal }, forceNew: true });
      atTheEnd(() => old.disconnect());
      await peersOf(io, CHAT, 2);
      expect(created).to.deep.equal([CHAT]);
    });
  }
});

onBothSides("each socket of a connection has an auth of its own", async ({ io, url, onNew }, transports) => {
  const needsToken = ({ handshake: { auth } }: ServerSocket, done: (err?: Error) => void) => {
    done(auth["token"] ? undefined : new Error("no token"));
    delete auth["token"]; // it is of no use any more, and shall not be logged
  };
  io.use(needsToken);
  onNew((namespace) => namespace.use(needsToken));
  await join(url, CHAT, { transports, auth: { token: "abc" } });
});

onEachTransport("on a connection that stays for another namespace, a peer", (transports) => {
  /** Opens a connection that is in `/app`, and a socket on it that has not asked for its namespace yet. */
  async function startWithApp(url: string, io: Server, names = ["/app", CHAT]) {
    io.of("/app");
    const sockets = openPlain(url, names, { ...asked(transports), autoConnect: false });
    const [app, ...others] = sockets;
    for (const socket of others) socket.disconnect();
    await joined(app!);
    return others;
  }

  /** A server whose `io.use` has thrown for a peer on such a connection, and lets everybody in from then on. */
  async function startAfterThrow() {
    const heard = uncaught();
    const server = await startServer();
    const seen: ServerSocket[] = [];
    server.io.use((socket, done) => {
      if (seen.push(socket) === 1) throw new Error("the database is away");
      done();
    });
    const [peer] = await startWithApp(server.url, server.io);
    peer!.connect();
    await until(() => heard.length === 1);
    return { ...server, peer: peer!, seen };
  }

  it("may ask again where a middleware of io.use has thrown", async () => {
    const { peer, seen } = await startAfterThrow();
    await joined(peer.disconnect().connect());
    expect(seen).to.have.lengthOf(2);
  });

  it("holds nothing where a middleware of io.use has thrown", async () => {
    const { url, namespaces } = await startAfterThrow();
    (await join(url, CHAT, { transports })).disconnect();
    await until(namespaces, ["/app"], "namespaces");
  });

  it("is not refused by what a middleware says late about its former CONNECT", async () => {
    const { io, url } = await startServer();
    const answers: ((err?: Error) => void)[] = [];
    io.use((_socket, done) => void answers.push(done));
    const [peer] = await startWithApp(url, io);
    const first = refusal(peer!.connect());
    await until(() => answers.length === 1);
    answers[0]!(new Error("too slow"));
    expect((await first).message).to.equal("too slow");

    peer!.disconnect().connect();
    await until(() => answers.length === 2);
    answers[0]!(new Error("the late result"));
    await pause(20);
    answers[1]!();
    await joined(peer!);
  });

  it("that was refused holds nothing when it then asks for the default namespace", async () => {
    const { io, ee, url, retired } = await startServer();
    ee.on("namespace.created", (namespace) => namespace.use((_socket, done) => done(new Error("not here"))));
    const [peer, own] = await startWithApp(url, io, ["/app", CHAT, "/"]);
    expect((await refusal(peer!.connect())).message).to.equal("not here");
    await joined(own!.connect());
    await until(() => retired.length === 1);
    await join(url, CHAT, { transports }).catch(() => undefined);
    await until(() => retired.length === 2);
  });
});

describe("a listener that throws", () => {
  for (const event of ["disconnect", "peer.refused"] as const) {
    it(`of ${event} keeps nobody from hearing of the refusal, and does not end the process`, async () => {
      const heard = warnings();
      const { io, ee, url } = await startServer();
      const fail = () => {
        throw new Error("the application's own");
      };
      io.on("connection", (socket) => event === "disconnect" && socket.on("disconnect", fail));
      const told = next<[ServerSocket, { err: string }]>(ee as never, "peer.refused");
      if (event === "peer.refused") ee.on("peer.refused", fail);
      const peer = open(url, WRONG, { reconnection: false });
      expect((await refusal(peer)).message).to.equal(`no route matches ${WRONG}`);
      expect((await told)[1]).to.deep.equal({ err: `no route matches ${WRONG}` });
      await until(() => heard.length === 1);
      expect(heard).to.deep.equal(["the application's own"]);
    });
  }

  it("of namespace.created ends a namespace once that the application itself has made", async () => {
    const heard = uncaught();
    const { io, ee, retired } = await startServer({ retireAfter: 10 });
    ee.once("namespace.created", () => {
      throw new Error("the application's own");
    });
    expect(() => io.of(CHAT)).to.throw("the application's own");
    await pause(40); // its countdown would end now
    expect(retired).to.deep.equal([CHAT]);
    expect(heard).to.deep.equal([]);
  });

  it("of namespace.retired leaves no namespace without its guards", async () => {
    const heard = warnings();
    const { io, ee, url, created } = await startServer({ retireAfter: 60_000 });
    ee.on("namespace.created", (namespace) => namespace.use((_socket, done) => done(new Error("members only"))));
    await refusal(open(url, CHAT));
    ee.once("namespace.retired", () => {
      throw new Error("it could not be saved");
    });
    io._nsps.delete(CHAT); // as `cleanupEmptyChildNamespaces` does, where a regex of the application matches too
    expect((await refusal(open(url, CHAT))).message).to.equal("members only");
    expect(heard).to.deep.equal(["it could not be saved"]);
    expect(created).to.deep.equal([CHAT, CHAT]);
  });
});

describe("an adapter that the application chooses after ioHandler", () => {
  it("keeps no session in the default namespace either", async () => {
    const { io, url } = await startServer({ io: { connectionStateRecovery: {} } });
    io.adapter(Keeping as never);
    const peer = await join(url, CHAT, { reconnection: false });
    const { adapter } = io.of(CHAT);
    peer.io.engine.close();
    await until(() => io.engine.clientsCount === 0);
    expect((adapter as Keeping).sessions.size).to.equal(1);
    expect((io.sockets.adapter as Keeping).sessions.size).to.equal(0);
  });
});

describe("a client that does not read", () => {
  it("makes the server keep no more for each CONNECT than for one that a native middleware refuses", async () => {
    const long = "x".repeat(12_000);
    const sizes: number[] = [];
    for (const [name, start] of Object.entries(sides)) {
      const { io, url } = await start();
      if (name === "native namespaces")
        io.use((_socket, done) => done(new Error(`no route matches ${"x".repeat(100)}`)));
      const { socket, heard } = await bare(url, `ns=/${long}`);
      for (let time = 0; time < 50; time++) socket.send("40");
      await until(() => heard.some((packet) => packet.includes("no route matches")));
      socket.close();
      await next(socket as never, "close");
      sizes.push(heard.slice(1).join("").length);
    }
    const [native, ours] = sizes as [number, number];
    expect(ours).to.be.below(1.5 * native);
  });
});

describe("ioHandler from a second copy of its files, as hot reload makes one", () => {
  const copy = () => {
    for (const file of Object.keys(require.cache))
      if (file.includes(path("backend", "namespaces"))) delete require.cache[file];
    delete require.cache[require.resolve("../backend/io-handler")];
    return require("../backend/io-handler") as typeof import("../backend/io-handler");
  };

  it("is an Error for a server that has one", async () => {
    const { io } = await startServer();
    expect(() => copy().default(io)).to.throw(Error, "this server has an ioHandler already");
  });

  it("changes Socket.IO's class of clients no second time", async () => {
    const { io, url } = await startServer();
    await join(url, CHAT);
    const [peer] = await peersOf(io, CHAT, 1);
    const prototype = Object.getPrototypeOf(peer!.client) as { connect: unknown; destroy: unknown };
    const { connect, destroy } = prototype;
    copy().default(new Server());
    expect(prototype.connect).to.equal(connect);
    expect(prototype.destroy).to.equal(destroy);
  });

  it("serves a server of its own, and each peer is handed over once", async () => {
    const first = await startServer();
    const http = createServer();
    const io = new Server(http);
    const ee = copy().default(io);
    const { url } = await listen(http, io);
    const handed: string[] = [];
    first.ee.on("dynamic.group.chat", () => handed.push("first"));
    ee.on("dynamic.group.chat", () => handed.push("second"));
    await join(first.url, CHAT);
    await join(url, CHAT);
    await until(() => handed.length >= 2);
    expect(handed).to.deep.equal(["first", "second"]);
  });
});

describe("NODE_DEBUG=first-peer", () => {
  it("tells who waits, who is admitted or refused and why, and what is created, held and retired", async () => {
    const script = `
      const { Server } = require("socket.io");
      const { io: connect } = require("socket.io-client");
      const io = new Server();
      const ee = require("./backend/io-handler").default(io);
      io.use(({ handshake: { auth } }, next) => next(auth.user ? undefined : new Error("who are you?")));
      io.listen(0);
      const url = "http://127.0.0.1:" + io.httpServer.address().port;
      const open = (ns, auth) => connect(url + ns, { query: { ns }, auth, forceNew: true });
      const last = () => open("${CHAT}").on("connect_error", () => io.close());
      ee.on("namespace.retired", () => open("/wrong", { user: "Ada" }).on("connect_error", last));
      const peer = open("${CHAT}", { user: "Ada" }).on("connect", () => peer.disconnect());`;
    const { stderr } = await promisify(execFile)(process.execPath, ["-r", "ts-node/register", "-e", script], {
      cwd: path(__dirname, ".."),
      env: { ...process.env, NODE_DEBUG: "first-peer" },
      timeout: 45_000,
    });
    const lines = stderr.split("\n").map((line) => line.replace(/^FIRST-PEER \d+: /, "").replace(/[\w-]{20}/, "ID"));
    expect(lines.slice(0, -1)).to.deep.equal([
      `ID holds "${CHAT}", as one of 1`,
      `ID waits for the default namespace, and asks for "${CHAT}"`,
      `"${CHAT}" is created`,
      "ID is admitted",
      `"${CHAT}" is held by 0`,
      `"${CHAT}" is retired`,
      'ID holds "/wrong", as one of 1',
      'ID waits for the default namespace, and asks for "/wrong"',
      'ID is refused: "no route matches /wrong"',
      '"/wrong" is held by 0',
      `ID holds "${CHAT}", as one of 1`,
      `ID waits for the default namespace, and asks for "${CHAT}"`,
      'ID is refused by a middleware: {"message":"who are you?"}',
      `"${CHAT}" is held by 0`,
    ]);
  });
});

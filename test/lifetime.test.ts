// A namespace lives exactly as long as somebody holds it.

import { expect } from "chai";
import { execFile } from "node:child_process";
import { join as path } from "node:path";
import { promisify } from "node:util";
import type { Server } from "socket.io";
import {
  join,
  joined,
  next,
  onEachTransport,
  open,
  openPlain,
  pause,
  peersOf,
  startServer,
  until,
  warnings,
} from "./support/harness";

const CHAT = "/category/1/item/2/chat";

onEachTransport("the lifetime of a namespace", (transports) => {
  it("it is retired when the last peer has gone, and created anew by the next first peer", async () => {
    const { io, ee, url, created, retired, namespaces, calm } = await startServer();
    const routes: string[] = [];
    ee.on("namespace.retired", (_namespace, route) => routes.push(route));
    const first = await join(url, CHAT, { transports });
    const second = await join(url, CHAT, { transports });
    const before = io.of(CHAT);

    first.disconnect();
    await peersOf(io, CHAT, 1);
    await pause(20);
    expect(namespaces()).to.deep.equal([CHAT]);

    second.disconnect();
    await calm();
    expect(retired).to.deep.equal([CHAT]);
    expect(routes).to.deep.equal(["chat"]);
    expect(namespaces()).to.deep.equal([]);

    await join(url, CHAT, { transports });
    expect(created).to.deep.equal([CHAT, CHAT]);
    expect(io.of(CHAT)).to.not.equal(before);
  });

  it("it outlives its last peer by retireAfter", async () => {
    const { io, ee, url, calm } = await startServer({ retireAfter: 150 });
    const peer = await join(url, CHAT, { transports });
    const [atServer] = await peersOf(io, CHAT, 1);
    const events: string[] = [];
    // before Socket.IO hears of it, so that a busy machine cannot stop between the two timers
    atServer!.conn.prependListener("close", () => setTimeout(() => events.push("half of it"), 75));
    ee.on("namespace.retired", () => events.push("retired"));
    peer.disconnect();
    await calm();
    expect(events).to.deep.equal(["half of it", "retired"]);
  });

  it("a peer that comes within retireAfter finds the same one, and begins it anew", async () => {
    const { io, url, created, retired } = await startServer({ retireAfter: 15_000 });
    const first = await join(url, CHAT, { transports });
    const before = io.of(CHAT);
    first.disconnect();
    await until(() => io.engine.clientsCount === 0);

    await join(url, CHAT, { transports });
    expect(io.of(CHAT), "the same namespace").to.equal(before);
    expect(created).to.deep.equal([CHAT]);
    expect(retired).to.deep.equal([]);
  });

  it("it is held by a peer that left it, as long as its connection is open", async () => {
    const { io, url, namespaces, calm } = await startServer();
    const [, peer] = openPlain(url, ["/", CHAT], { transports, query: { ns: CHAT } });
    await joined(peer!);

    peer!.disconnect();
    await peersOf(io, CHAT, 0);
    await pause(20);
    expect(namespaces()).to.deep.equal([CHAT]);

    await joined(peer!.connect());
    peer!.io.engine.close();
    peer!.io.reconnection(false);
    await calm();
  });

  it("it is held by a peer that joined it directly, without ?ns=", async () => {
    const { url, namespaces, calm } = await startServer();
    const creator = await join(url, CHAT, { transports });
    const [direct] = openPlain(url, [CHAT], { transports });
    await joined(direct!);

    creator.disconnect();
    await pause(50);
    expect(namespaces()).to.deep.equal([CHAT]);
    expect(direct!.connected).to.equal(true);

    direct!.disconnect();
    await calm();
    expect(namespaces()).to.deep.equal([]);
  });

  it("it is held by a peer that joins directly and still waits in a slow middleware", async () => {
    const { io, ee, url, namespaces, calm } = await startServer();
    let waiting = 0;
    ee.on("namespace.created", (namespace) => {
      namespace.use(async (socket, done) => {
        waiting++;
        if (!socket.handshake.query["ns"]) await pause(100);
        done();
      });
    });
    const creator = await join(url, CHAT, { transports });
    const namespace = io.of(CHAT);
    const [direct] = openPlain(url, [CHAT], { transports });
    await until(() => waiting === 2);

    creator.disconnect();
    await joined(direct!);

    expect(io.of(CHAT), "the same namespace").to.equal(namespace);
    expect(namespaces()).to.deep.equal([CHAT]);
    direct!.disconnect();
    await calm();
  });

  it("it is held by a peer that is on the way through a slow middleware of the default namespace", async () => {
    let waiting = 0;
    const slow = (io: Server) =>
      io.use(async (socket, done) => {
        if (!socket.handshake.auth["slow"]) return done();
        waiting++;
        await pause(300);
        done();
      });
    const { url, created, retired, calm } = await startServer({ before: slow });
    const creator = await join(url, CHAT, { transports });
    const late = open(url, CHAT, { transports, auth: { slow: true } });
    await until(() => waiting === 1);

    creator.disconnect();
    await joined(late);

    expect(created).to.deep.equal([CHAT]);
    expect(retired).to.deep.equal([]);
    late.disconnect();
    await calm();
  });

  it("a creator that is gone before it has joined leaves nothing behind", async () => {
    const { ee, url, created, namespaces, calm } = await startServer({ io: { pingInterval: 200, pingTimeout: 200 } });
    ee.on("namespace.created", (namespace) => namespace.use(() => undefined)); // nobody gets in
    for (let time = 0; time < 10; time++) {
      const peer = open(url, CHAT, { transports });
      await (time % 2 ? until(() => namespaces().length === 1) : next(peer.io as never, "open"));
      peer.disconnect();
    }
    await calm();
    expect(created).to.not.deep.equal([]);
    expect(namespaces()).to.deep.equal([]);
  });

  it("a peer that the application has cut off before the handler sees it creates nothing", async () => {
    let peers = 0;
    const { url, created, calm } = await startServer({
      before: (io) => io.on("connection", (socket) => void (peers++, socket.disconnect(true))),
    });
    open(url, CHAT, { transports, reconnection: false });
    await until(() => peers === 1);
    await calm();
    expect(created).to.deep.equal([]);
  });

  it("a peer that the application has put out of the default namespace alone gets in all the same", async () => {
    const { io, url, created } = await startServer({
      before: (io) => io.on("connection", (socket) => void socket.disconnect()),
    });
    await join(url, CHAT, { transports });
    expect([created.length, io.of(CHAT).sockets.size, io.sockets.sockets.size]).to.deep.equal([1, 1, 0]);
  });

  it("a peer that joins while the namespace goes is let in or refused, and never lost in one that is gone", async () => {
    const { io, url, calm } = await startServer();
    for (let time = 0; time < 20; time++) {
      const creator = await join(url, CHAT, { transports });
      creator.disconnect();
      await pause(time % 5);
      const peer = await join(url, CHAT, { transports });
      expect(io.of(CHAT).sockets.has(peer.id!)).to.equal(true);
      const [direct] = openPlain(url, [CHAT], { transports });
      peer.disconnect();
      const answer = await Promise.race([joined(direct!), next<[Error]>(direct!, "connect_error")]).catch((err) => err);
      if (direct!.connected) expect(io.of(CHAT).sockets.has(direct!.id!)).to.equal(true);
      else expect(answer instanceof Error ? answer.message : answer[0].message).to.equal("Invalid namespace");
      direct!.disconnect();
      await calm();
    }
  });
});

describe("the lifetime of a namespace", () => {
  it("it is held by a peer that joined directly and was recovered past the middlewares", async () => {
    const { io, ee, url, namespaces, calm } = await startServer({
      io: { connectionStateRecovery: {} },
      retireAfter: 100,
    });
    ee.on("dynamic.group.chat", (socket) => socket.emit("welcome"));
    const creator = await join(url, CHAT);
    const [direct] = openPlain(url, [CHAT]);
    await next(direct!, "welcome");
    direct!.io.engine.close();
    await next(direct!, "connect");
    expect(direct!.recovered).to.equal(true);

    creator.disconnect();
    await until(() => io.engine.clientsCount === 1);
    await pause(300); // nobody else holds it
    expect(namespaces()).to.deep.equal([CHAT]);
    expect(io.of(CHAT).sockets.size).to.equal(1);
    direct!.disconnect();
    await calm();
  });

  it("it is retired once, however often it was empty while somebody was on the way in", async () => {
    const waiting: ((err: Error) => void)[] = [];
    const { url, retired, calm } = await startServer({
      retireAfter: 50,
      before: (io) => io.use(({ handshake: { auth } }, done) => (auth["slow"] ? void waiting.push(done) : done())),
    });
    const creator = await join(url, CHAT);
    const late = open(url, CHAT, { auth: { slow: true } });
    const refused = next(late, "connect_error");
    await until(() => waiting.length === 1);
    creator.disconnect();
    await pause(100); // it would be retired now
    const [direct] = openPlain(url, [CHAT]);
    await joined(direct!);
    direct!.disconnect();
    await pause(100); // and now again
    expect(retired).to.deep.equal([]);

    waiting[0]!(new Error("not you"));
    await refused;
    await calm();
    await pause(100);
    expect(retired).to.deep.equal([CHAT]);
  });

  it("an adapter that fails to close ends nothing", async () => {
    const { io, ee, url, retired, calm } = await startServer();
    const failures = [
      () => Promise.reject(new Error("its server is away")),
      () => {
        throw new Error("it throws at once");
      },
    ];
    ee.on("namespace.created", ({ adapter }) => {
      adapter.close = failures.shift()!;
    });
    const heard = warnings();
    const rejections: unknown[] = [];
    const listener = (reason: unknown) => rejections.push(reason);
    process.on("unhandledRejection", listener);
    for (const _ of [1, 2]) {
      (await join(url, CHAT)).disconnect();
      await calm();
      await pause(10);
      expect(io._nsps.has(CHAT)).to.equal(false);
    }
    process.off("unhandledRejection", listener);
    expect(rejections).to.deep.equal([]);
    expect(heard).to.have.length(2);
    expect(retired).to.deep.equal([CHAT, CHAT]);
  });

  it("one connection may hold any number of namespaces, without a warning of Node.js", async () => {
    const { io, url } = await startServer({ retireAfter: Infinity });
    const heard = warnings();
    const names = Array.from({ length: 20 }, (_, i) => `/category/1/item/${i}/chat`);
    for (const name of names) io.of(name);
    const sockets = openPlain(url, names);
    await Promise.all(sockets.map(joined));
    expect(io.engine.clientsCount).to.equal(1);
    for (const socket of sockets) socket.disconnect();
    await until(() => io.engine.clientsCount === 0);
    expect(heard).to.deep.equal([]);
  });

  it("a peer that leaves and joins again and again makes nothing grow", async () => {
    const { io, url } = await startServer();
    const [peer, own] = openPlain(url, [CHAT, "/"], { query: { ns: CHAT }, transports: ["websocket"] });
    await Promise.all([joined(peer!), joined(own!)]); // the second one keeps the connection open
    const [atServer] = await peersOf(io, "/", 1);
    const before = atServer!.conn.listenerCount("close");
    for (let time = 0; time < 5; time++) {
      peer!.disconnect();
      await peersOf(io, CHAT, 0);
      await joined(peer!.connect());
    }
    expect(atServer!.conn.listenerCount("close")).to.equal(before);
  });

  it("a server that is closed lets its process end, however long its namespaces would have lived", async () => {
    const script = `
      const io = new (require("socket.io").Server)({ connectionStateRecovery: {} });
      require("./backend/io-handler").default(io, { retireAfter: 600000 });
      io.listen(0);
      io.of("${CHAT}").emit("news");
      io.close(() => console.log("closed"));`;
    const { stdout } = await promisify(execFile)(process.execPath, ["-r", "ts-node/register", "-e", script], {
      cwd: path(__dirname, ".."),
      timeout: 45_000,
    });
    expect(stdout).to.equal("closed\n");
  });

  it("with retireAfter: Infinity a namespace stays, as in the article", async () => {
    const { io, url, namespaces } = await startServer({ retireAfter: Infinity });
    const peer = await join(url, CHAT);
    peer.disconnect();
    await until(() => io.engine.clientsCount === 0);
    await pause(20);
    expect(namespaces()).to.deep.equal([CHAT]);
  });

  it("io.use decides who may create, namespace.use in namespace.created who may join", async () => {
    const { io, ee, url, created } = await startServer();
    io.use((socket, done) =>
      done(socket.handshake.auth["role"] === "stranger" ? new Error("members only") : undefined),
    );
    ee.on("namespace.created", (namespace) => {
      namespace.use(({ handshake: { auth } }, done) => done(auth["invited"] ? undefined : new Error("not invited")));
    });
    const refusal = async (auth: object) =>
      (await next<[Error]>(open(url, CHAT, { auth }), "connect_error"))[0].message;

    expect(await refusal({ role: "stranger", invited: true })).to.equal("members only");
    expect(created).to.deep.equal([]);
    await join(url, CHAT, { auth: { role: "member", invited: true } });
    expect(created).to.deep.equal([CHAT]);
    expect(await refusal({ role: "member" })).to.equal("not invited");
  });
});

// Connection state recovery: the last peer comes back to what it missed, and nobody comes back past a refusal.

import { expect } from "chai";
import { mock } from "node:test";
import type { Socket } from "socket.io-client";
import { io as connectAsPrinted } from "socket.io-client";
import {
  atTheEnd,
  joined,
  next,
  onEachTransport,
  open,
  openPlain,
  pause,
  peersOf,
  refusal,
  startServer,
  until,
  warnings,
} from "./support/harness";

const CHAT = "/category/1/item/2/chat";
const WITHIN = 15_000;

/** What Socket.IO's adapter for recovery keeps. */
interface Kept {
  sessions: Map<string, { disconnectedAt: number }>;
  packets: { emittedAt: number }[];
}

/** A server whose peers can come back, with a ban that begins when the test says so. */
async function startRecovering() {
  const server = await startServer({
    io: { connectionStateRecovery: { maxDisconnectionDuration: WITHIN } },
    retireAfter: WITHIN,
  });
  const handed: boolean[] = [];
  server.ee.on("dynamic.group.chat", (socket) => {
    handed.push(socket.recovered);
    socket.emit("welcome"); // a peer can only be recovered when it has received something
  });
  return { ...server, handed };
}

/** Cuts a peer off, as when the network fails; resolves when the server has noticed. */
async function cutOff(server: Awaited<ReturnType<typeof startRecovering>>, socket: Socket): Promise<void> {
  const [peer] = await peersOf(server.io, CHAT, 1);
  const gone = next(peer as never, "disconnect");
  socket.io.engine.close();
  await gone; // it is back in a moment
}

onEachTransport("connection state recovery", (transports) => {
  it("brings the only peer of a namespace back, ten times in ten, with what was emitted meanwhile", async () => {
    const server = await startRecovering();
    const { io, url, created, handed, retired } = server;
    const socket = open(url, CHAT, { transports });
    await next(socket, "welcome");

    for (let time = 1; time <= 10; time++) {
      const missed: number[] = [];
      socket.on("news", (n: number) => missed.push(n));
      await cutOff(server, socket);
      io.of(CHAT).emit("news", time);
      io.of(CHAT).emit("news", -time);
      if (!socket.connected) await next(socket, "connect");
      await until(() => missed.length === 2);

      expect(socket.recovered).to.equal(true);
      expect(missed).to.deep.equal([time, -time]);
      socket.off("news");
    }

    expect(handed).to.deep.equal([false, ...Array.from({ length: 10 }, () => true)]);
    expect([created, retired]).to.deep.equal([[CHAT], []]);
  });

  const ways: [string, (url: string) => Socket[]][] = [
    ["connect()", (url) => [open(url, CHAT, { transports })]],
    [
      "the article's call",
      (url) => {
        const socket = connectAsPrinted(url + CHAT, {
          query: { ns: CHAT },
          transports,
          reconnectionDelay: 20,
          forceNew: true,
        });
        atTheEnd(() => socket.disconnect());
        return [socket];
      },
    ],
    ["a CONNECT for both namespaces", (url) => openPlain(url, [CHAT, "/"], { transports, query: { ns: CHAT } })],
    [
      "a CONNECT for both, the default one first",
      (url) => openPlain(url, ["/", CHAT], { transports, query: { ns: CHAT } }),
    ],
  ];
  for (const [way, connect] of ways) {
    it(`lets nobody back in whom the default namespace refuses now, with ${way}`, async () => {
      const server = await startRecovering();
      const { io, url, handed } = server;
      let banned = false;
      io.use((_socket, done) => done(banned ? new Error("banned") : undefined));
      const sockets = connect(url);
      const welcomed = sockets.map((socket) => new Promise<void>((resolve) => socket.on("welcome", () => resolve())));
      await Promise.all(sockets.map(joined));
      io.emit("welcome"); // so that it could be recovered in the default namespace too
      await Promise.all(welcomed);

      banned = true;
      const refusals = Promise.all(sockets.map(refusal));
      await cutOff(
        server,
        sockets.find((socket) => (socket as unknown as { nsp: string }).nsp === CHAT)!,
      );

      for (const { message } of await refusals) expect(message).to.equal("banned");
      await until(() => io.engine.clientsCount === 0);
      expect(handed).to.deep.equal([false]);
    });
  }

  it("is the namespace's alone: the default one is never asked for a session that is not its own", async () => {
    const server = await startRecovering();
    const asked: unknown[] = [];
    server.io.sockets.adapter.restoreSession = (...session) => asked.push(session) as never; // some adapters share them
    const socket = open(server.url, CHAT, { transports });
    await next(socket, "welcome");
    await cutOff(server, socket);
    if (!socket.connected) await next(socket, "connect");
    expect(socket.recovered).to.equal(true);
    expect(asked).to.deep.equal([]);
  });

  it("skips namespace.use, as Socket.IO says, unless skipMiddlewares is false", async () => {
    for (const skipMiddlewares of [true, false]) {
      const { io, ee, url } = await startServer({
        io: { connectionStateRecovery: { maxDisconnectionDuration: WITHIN, skipMiddlewares } },
        retireAfter: WITHIN,
      });
      let banned = false;
      ee.on("namespace.created", (namespace) => {
        namespace.use((_socket, done) => done(banned ? new Error("banned") : undefined));
      });
      ee.on("dynamic.group.chat", (socket) => socket.emit("welcome"));
      const socket = open(url, CHAT, { transports });
      await next(socket, "welcome");

      banned = true;
      const answer = Promise.race([next(socket, "connect"), refusal(socket)]);
      const [peer] = await peersOf(io, CHAT, 1);
      const gone = next(peer as never, "disconnect");
      socket.io.engine.close();
      await gone;
      await answer;
      expect(socket.connected).to.equal(skipMiddlewares);
    }
  });
});

describe("connection state recovery", () => {
  beforeEach(() => void warnings()); // Node.js calls its mock timers experimental
  afterEach(() => mock.timers.reset());

  /** Makes all that an adapter keeps ten minutes older, and lets a minute pass for its sweep. */
  function age(kept: Kept): void {
    for (const packet of kept.packets) packet.emittedAt -= 600_000;
    for (const session of kept.sessions.values()) session.disconnectedAt -= 600_000;
    mock.timers.tick(60_000);
  }

  it("keeps nothing of a namespace that nobody can come back to any more, also when the server was closed meanwhile", async () => {
    mock.timers.enable({ apis: ["setInterval"] });
    const { io, url, close } = await startServer({ io: { connectionStateRecovery: {} }, retireAfter: Infinity });
    const socket = open(url, CHAT, { reconnection: false });
    const [peer] = await peersOf(io, CHAT, 1);
    const kept = peer!.nsp.adapter as unknown as Kept;
    peer!.emit("news");
    const gone = next(peer as never, "disconnect");
    socket.io.engine.close();
    await gone;
    expect([kept.sessions.size, kept.packets.length]).to.deep.equal([1, 1]);
    age(kept);
    expect([kept.sessions.size, kept.packets.length]).to.deep.equal([0, 0]);

    await close();
    io.of(CHAT).emit("news");
    expect(kept.packets.length).to.equal(1);
    age(kept);
    expect(kept.packets.length).to.equal(0);
  });

  it("keeps what Socket.IO's own adapter may still keep, which looks once a minute too, at another moment", async () => {
    mock.timers.enable({ apis: ["setInterval"] });
    const { io } = await startServer({ io: { connectionStateRecovery: {} }, retireAfter: Infinity });
    io.of(CHAT).emit("news");
    const kept = io.of(CHAT).adapter as unknown as Kept;
    kept.packets[0]!.emittedAt -= 150_000; // half a minute longer than two minutes, the default
    mock.timers.tick(60_000);
    expect(kept.packets.length).to.equal(1);
  });

  for (const whose of ["the pattern's", "a native"]) {
    it(`brings a peer of ${whose} namespace back after minutes in which nothing was said`, async () => {
      mock.timers.enable({ apis: ["setInterval"] });
      const recovery = { connectionStateRecovery: { maxDisconnectionDuration: WITHIN } };
      const { io, url } = await startServer({
        io: recovery,
        retireAfter: WITHIN,
        before: (io) => io.of(/^\/native$/).on("connection", () => undefined),
      });
      const name = whose === "a native" ? "/native" : CHAT;
      const [socket] = openPlain(url, [name], { query: { ns: name === CHAT ? CHAT : "" } });
      const [peer] = await peersOf(io, name, 1);
      peer!.emit("welcome");
      await next(socket!, "welcome");
      const kept = peer!.nsp.adapter as unknown as Kept;
      mock.timers.tick(59_000); // silence, but not yet the sweep
      for (const packet of kept.packets) packet.emittedAt -= 59_000;

      const gone = next(peer as never, "disconnect");
      socket!.io.engine.close();
      await gone;
      await next(socket!, "connect");
      expect(socket!.recovered).to.equal(true);
    });
  }

  it("keeps no session in the default namespace, where nobody can use it", async () => {
    const { io, url } = await startServer({ io: { connectionStateRecovery: {} } });
    const [peer, own] = openPlain(url, [CHAT, "/"], { query: { ns: CHAT } });
    await Promise.all([next(peer!, "connect"), next(own!, "connect")]);
    io.emit("news");
    own!.io.engine.close();
    await next(own!, "connect");
    expect(own!.recovered).to.not.equal(true);
    expect((io.sockets.adapter as unknown as Kept).sessions.size).to.equal(0);
  });

  for (const session of [null, { sid: "sid", pid: "pid", rooms: [], data: {}, missedPackets: [] }]) {
    it(`a peer holds its namespace while its ${session ? "" : "lost "}session is looked up, however long that takes`, async () => {
      const { io, ee, url, retired, namespaces } = await startServer({ io: { connectionStateRecovery: {} } });
      const lookedUp: ((found: typeof session) => void)[] = []; // some adapters ask a database
      ee.on("namespace.created", ({ adapter }) => {
        adapter.restoreSession = () => new Promise((resolve) => lookedUp.push(resolve as never));
      });
      const creator = open(url, CHAT);
      await peersOf(io, CHAT, 1);
      const [direct] = openPlain(url, [CHAT], { auth: { pid: "pid", offset: "offset" }, reconnection: false });
      await until(() => lookedUp.length === 1);
      creator.disconnect();
      await until(() => io.engine.clientsCount === 1);
      await pause(20);

      lookedUp[0]!(session);
      await next(direct!, "connect");
      expect(namespaces()).to.deep.equal([CHAT]);
      expect(io.of(CHAT).sockets.get(direct!.id!)?.recovered).to.equal(session !== null);
      direct!.disconnect();
      await until(() => retired.length === 1);
    });
  }
});

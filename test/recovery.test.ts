// Connection state recovery: the last peer comes back to what it missed, and nobody comes back past a refusal.

import { expect } from "chai";
import type { Socket } from "socket.io-client";
import { io as connectAsPrinted } from "socket.io-client";
import {
  atTheEnd,
  next,
  onEachTransport,
  open,
  openPlain,
  peersOf,
  refusal,
  startServer,
  until,
} from "./support/harness";

const CHAT = "/category/1/item/2/chat";
const WITHIN = 15_000;

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
      io.on("connection", (socket) => void socket.emit("welcome")); // so that it could be recovered there too
      const sockets = connect(url);
      await Promise.all(sockets.map((socket) => new Promise<void>((resolve) => socket.on("welcome", () => resolve()))));

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
  it("keeps nothing of a namespace that nobody can come back to any more", async () => {
    const { io, url } = await startServer({
      io: { connectionStateRecovery: { maxDisconnectionDuration: 20 } },
      retireAfter: WITHIN,
    });
    const socket = open(url, CHAT, { reconnection: false });
    const [peer] = await peersOf(io, CHAT, 1);
    const kept = peer!.nsp.adapter as unknown as { sessions: Map<string, object>; packets: object[] };
    peer!.emit("news");
    const gone = next(peer as never, "disconnect");
    socket.io.engine.close();
    await gone;
    expect([kept.sessions.size, kept.packets.length]).to.deep.equal([1, 1]);

    await until(() => kept.sessions.size === 0 && kept.packets.length === 0);
    expect(io._nsps.has(CHAT)).to.equal(true);
  });

  for (const session of [null, { sid: "sid", pid: "pid", rooms: [], data: {}, missedPackets: [] }]) {
    const what = session ? "cut off" : "refused";
    it(`a peer is ${what} whose ${session ? "" : "lost "}session was looked up for longer than its namespace lived`, async () => {
      const { io, ee, url, retired } = await startServer({ io: { connectionStateRecovery: {} } });
      const lookedUp: ((found: typeof session) => void)[] = []; // some adapters ask a database
      ee.on("namespace.created", ({ adapter }) => {
        adapter.restoreSession = () => new Promise((resolve) => lookedUp.push(resolve as never));
      });
      const creator = open(url, CHAT);
      await peersOf(io, CHAT, 1);
      const [direct] = openPlain(url, [CHAT], { auth: { pid: "pid", offset: "offset" }, reconnection: false });
      await until(() => lookedUp.length === 1);
      creator.disconnect();
      await until(() => retired.length === 1);

      const answer = session ? next<[string]>(direct!, "disconnect") : refusal(direct!);
      lookedUp[0]!(session);
      const result = await answer;
      expect(result instanceof Error ? result.message : result[0]).to.equal(
        session ? "transport close" : "Invalid namespace",
      );
      await until(() => io.engine.clientsCount === 0);
    });
  }
});

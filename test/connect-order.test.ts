// The default namespace goes first: what Socket.IO 2 did for every client, and the article relies on.

import { expect } from "chai";
import type { Server, Socket as ServerSocket } from "socket.io";
import * as msgpack from "socket.io-msgpack-parser";
import {
  join,
  joined,
  next,
  onEachTransport,
  onTheWayIn,
  openPlain,
  pause,
  peersOf,
  refusal,
  startServer,
  until,
  type ClientOptions,
} from "./support/harness";

const CHAT = "/category/1/item/2/chat";
const WRONG = "/category/one/item/2/chat";

/** A middleware that takes its time, and refuses those whose `auth.refuse` says so. */
async function slowly({ handshake: { auth } }: ServerSocket, done: (err?: Error) => void): Promise<void> {
  await pause(60);
  done(auth["refuse"] ? Object.assign(new Error("not you"), { data: { code: 401 } }) : undefined);
}

/** Who connects at the server, by namespace, in order. */
function follow(io: Server): string[] {
  const entered: string[] = [];
  io.on("new_namespace", (namespace) => namespace.on("connection", ({ nsp }) => entered.push(nsp.name)));
  io.on("connection", ({ nsp }) => entered.push(nsp.name));
  return entered;
}

onEachTransport("the default namespace goes first", (transports) => {
  for (const [parserName, parser] of [
    ["Socket.IO's parser", undefined],
    ["socket.io-msgpack-parser", msgpack],
  ] as const) {
    describe(`with ${parserName}`, () => {
      const asked: ClientOptions = { transports, query: { ns: CHAT }, parser };

      it("the server puts a peer into it that asks for its namespace alone, and does not tell it so", async () => {
        const { io, url, created } = await startServer({ io: { parser } });
        const entered = follow(io);
        const [peer] = openPlain(url, [CHAT], asked);
        const heard: string[] = [];
        peer!.io.on("packet", ({ type, nsp }) => heard.push(`${type} ${nsp}`));

        await joined(peer!);
        await peersOf(io, "/", 1);

        expect(entered).to.deep.equal(["/", CHAT]);
        expect(created).to.deep.equal([CHAT]);
        expect(heard).to.deep.equal([`0 ${CHAT}`]);
      });

      for (const names of [
        ["/", CHAT],
        [CHAT, "/"],
      ]) {
        it(`a peer that asks for ${names.join(" and ")} in one go enters both once`, async () => {
          const { io, url, created } = await startServer({ io: { parser }, before: (io) => io.use(slowly) });
          const entered = follow(io);
          const sockets = openPlain(url, names, asked);
          const connects: string[] = [];
          for (const [i, socket] of sockets.entries()) socket.on("connect", () => connects.push(names[i]!));

          await Promise.all(sockets.map(joined));

          expect(entered).to.deep.equal(["/", CHAT]);
          expect([...connects].sort()).to.deep.equal(["/", CHAT]);
          expect(created).to.deep.equal([CHAT]);
        });
      }

      for (const when of ["before", "long after"] as const) {
        it(`a peer that asks for it itself ${when} its namespace is in it once, and hears io.emit once`, async () => {
          const { io, ee, url } = await startServer({ io: { parser } });
          const entered = follow(io);
          const [peer, own] = openPlain(url, [CHAT, "/"], { ...asked, autoConnect: false }).map((s) => s.disconnect());
          for (const socket of when === "before" ? [own!, peer!] : [peer!, own!]) {
            await joined(socket.connect());
            await pause(30);
          }

          const heard: unknown[][] = [];
          own!.onAny((...args) => heard.push(args));
          io.emit("news", 1);
          io.emit("last");
          await until(() => heard.length >= 2);
          expect(heard).to.deep.equal([["news", 1], ["last"]]);

          const [atServer] = await peersOf(io, "/", 1);
          expect(own!.id).to.equal(atServer!.id);
          own!.emit("hello");
          await next(atServer!, "hello");
          expect(entered).to.deep.equal(["/", CHAT]);
          expect(peer!.connected).to.equal(true);

          own!.disconnect();
          await peersOf(io, "/", 0);
          expect(peer!.connected).to.equal(true);
          expect(ee.listenerCount("dynamic.group.chat")).to.equal(0);
        });
      }

      it("a refusal of its middlewares is the answer, with message and data unchanged", async () => {
        const { io, url, created } = await startServer({ io: { parser }, before: (io) => io.use(slowly) });
        const [peer] = openPlain(url, [CHAT], { ...asked, auth: { refuse: true } });

        const err = await refusal(peer!);

        expect([err.message, err.data]).to.deep.equal(["not you", { code: 401 }]);
        expect(peer!.active).to.equal(false);
        await until(() => io.engine.clientsCount === 0);
        expect(created).to.deep.equal([]);
      });

      it("a refusal of the handler is the answer to who asks for a namespace", async () => {
        const { io, url, created } = await startServer({ io: { parser } });
        const [peer] = openPlain(url, [WRONG], { ...asked, query: { ns: WRONG } });

        expect((await refusal(peer!)).message).to.equal(`no route matches ${WRONG}`);
        expect(peer!.active).to.equal(false);
        await until(() => io.engine.clientsCount === 0);
        expect(created).to.deep.equal([]);
      });

      for (const names of [["/"], ["/", WRONG], [WRONG, "/"]]) {
        it(`a refusal of the handler is the event refused to who asks for ${names.join(" and ")}`, async () => {
          const { io, url } = await startServer({ io: { parser } });
          const sockets = openPlain(url, names, { ...asked, query: { ns: WRONG } });
          const own = sockets[names.indexOf("/")]!;
          const reasons: string[] = [];
          own.on("disconnect", (reason) => reasons.push(reason));

          expect(await next(own, "refused")).to.deep.equal([{ err: `no route matches ${WRONG}` }]);
          await until(() => reasons.at(-1) === "io server disconnect"); // for good
          await until(() => io.engine.clientsCount === 0);
        });
      }
    });
  }

  const asked: ClientOptions = { transports, query: { ns: CHAT } };

  for (const when of ["before", "after"] as const) {
    it(`a peer waits for a slow middleware that was added ${when} ioHandler, and then gets in`, async () => {
      const { io, url } = await startServer({ before: when === "before" ? (io) => io.use(slowly) : undefined });
      if (when === "after") io.use(slowly);
      const entered = follow(io);

      await join(url, CHAT, { transports });
      await join(url, CHAT, { transports }); // into one that exists

      expect(entered).to.deep.equal(["/", CHAT, "/", CHAT]);
    });
  }

  it("its middlewares see the auth of the peer's CONNECT, and what they add to the socket stays", async () => {
    const { io, url } = await startServer();
    const seen: unknown[] = [];
    io.use((socket, done) => {
      seen.push(socket.handshake.auth);
      socket.data.user = "Ada";
      done();
    });
    await join(url, CHAT, { transports, auth: { token: "abc" } });
    const [socket] = await peersOf(io, "/", 1);
    expect(seen).to.deep.equal([{ token: "abc" }]);
    expect(socket!.data).to.deep.equal({ user: "Ada" });
  });

  it("a peer that was refused may ask again on the same connection", async () => {
    const { io, url, created } = await startServer({ before: (io) => io.use(slowly) });
    io.of("/news");
    const [news, peer] = openPlain(url, ["/news", CHAT], { ...asked, auth: { refuse: true } });
    await Promise.all([joined(news!), refusal(peer!)]);
    const { id } = news!;

    peer!.auth = {};
    await joined(peer!.connect());

    expect(created).to.deep.equal([CHAT]);
    expect(io.engine.clientsCount).to.equal(1);
    expect(news!.id).to.equal(id);
  });

  it("a peer that the handler refuses comes no further, also where the namespace is there", async () => {
    const { io, url } = await startServer();
    const seen: string[] = [];
    io.of("/news").use(({ id }, done) => {
      seen.push(id);
      done();
    });
    const [peer] = openPlain(url, ["/news"], { transports, query: { ns: "/news" } });
    expect((await refusal(peer!)).message).to.equal("no route matches /news");
    await until(() => io.engine.clientsCount === 0);
    expect(seen).to.deep.equal([]);
  });

  it("a refusal of the handler answers both CONNECTs where both wait for it", async () => {
    const { io, url } = await startServer();
    let packets = 0;
    io.engine.on("connection", (conn: NodeJS.EventEmitter) => conn.on("data", () => packets++));
    io.use(async (_socket, done) => {
      await until(() => packets === 2);
      done();
    });
    const [peer, own] = openPlain(url, [WRONG, "/"], { transports, query: { ns: WRONG }, reconnection: false });
    const answers = await Promise.all([refusal(peer!), next(own!, "refused")]);
    expect(answers[0].message).to.equal(`no route matches ${WRONG}`);
    expect(answers[1]).to.deep.equal([{ err: `no route matches ${WRONG}` }]);
  });

  it("a refusal answers every CONNECT that waits for it", async () => {
    const { url, created } = await startServer({ before: (io) => io.use(slowly) });
    for (const names of [
      ["/", CHAT],
      [CHAT, "/"],
    ]) {
      const sockets = openPlain(url, names, { ...asked, auth: { refuse: true } });
      const errors = await Promise.all(sockets.map(refusal));
      expect(errors.map(({ message }) => message)).to.deep.equal(["not you", "not you"]);
    }
    expect(created).to.deep.equal([]);
  });

  it("everything else passes untouched: other namespaces, and connections without ?ns=", async () => {
    const { io, url } = await startServer({ before: (io) => io.use((_socket, _done) => undefined) });
    io.of("/news");
    io.of(/^\/native\/\d+$/);
    const waiting = openPlain(url, [CHAT, "/news", "/native/1"], asked);
    await Promise.all(waiting.slice(1).map(joined));
    await Promise.all(openPlain(url, ["/news", "/native/2"], { transports }).map(joined));

    const [stranger] = openPlain(url, [CHAT], { transports });
    expect((await refusal(stranger!)).message).to.equal("Invalid namespace"); // nobody waits for somebody else
    expect(waiting[0]!.connected).to.equal(false);
  });

  for (const where of ["the default namespace", "its namespace"]) {
    it(`a peer that a middleware of ${where} forgets is cut off at connectTimeout, and gets in when it tries again`, async () => {
      const { io, ee, url } = await startServer({ io: { connectTimeout: 300 } });
      let calls = 0;
      const forgetful = (_socket: unknown, done: () => void) => {
        if (++calls > 1) done();
      };
      if (where === "its namespace") ee.on("namespace.created", (namespace) => namespace.use(forgetful));
      else io.use(forgetful);
      const [peer] = openPlain(url, [CHAT], asked);
      const lost = next(peer!.io as never, "close");

      await lost;
      await joined(peer!);

      await until(() => io.engine.clientsCount === 1);
      expect(calls).to.equal(2);
    });
  }

  it("a peer that is in stays in, however long after connectTimeout", async () => {
    const { io, url } = await startServer({ io: { connectTimeout: 1000 } });
    const peer = await join(url, CHAT, { transports });
    await pause(1300);
    expect(peer.connected).to.equal(true);
    expect(io.engine.clientsCount).to.equal(1);
  });

  it("a connection that closes at any moment leaves nothing behind", async () => {
    const letIn: (() => void)[] = [];
    const { io, ee, url, created, retired, namespaces } = await startServer({
      io: { pingInterval: 200, pingTimeout: 200 },
    });
    const hold = (_socket: unknown, done: () => void) => void letIn.push(done);
    ee.on("namespace.created", (namespace) => namespace.use(hold));
    io.use(hold);
    const moments: ((peer: ReturnType<typeof openPlain>[number]) => unknown)[] = [
      (peer) => next(peer.io as never, "open"),
      () => until(() => onTheWayIn(io) === 1),
      async () => {
        await until(() => letIn.length === 1);
        letIn.shift()!();
      },
      async () => {
        await until(() => letIn.length === 1);
        letIn.shift()!();
        await until(() => letIn.length === 1);
      },
    ];

    for (const moment of moments) {
      const [peer] = openPlain(url, [CHAT], asked);
      await moment(peer!);
      peer!.disconnect();
      await until(() => io.engine.clientsCount === 0);
      for (const done of letIn.splice(0)) done(); // too late
      await until(() => onTheWayIn(io), 0);
      await until(() => created.length - retired.length, 0);
      expect(io.sockets.sockets.size).to.equal(0);
      expect(namespaces()).to.deep.equal([]);
    }
  });

  it("the peer stays where the application ends its socket in the default namespace alone", async () => {
    const { io, ee, url } = await startServer();
    ee.on("dynamic.group.chat", (socket) => socket.on("ask", (answer: (text: string) => void) => answer("yes")));
    const peer = await join(url, CHAT, { transports });
    io.disconnectSockets();
    await peersOf(io, "/", 0);
    expect(await peer.emitWithAck("ask")).to.equal("yes");
  });

  it("costs nothing once a peer is in: Socket.IO's own functions are back", async () => {
    const { io, url } = await startServer();
    await join(url, CHAT, { transports });
    const [peer] = await peersOf(io, CHAT, 1);
    const client = peer!.client as unknown as Record<string, unknown>;
    const own = Object.getPrototypeOf(client) as Record<string, unknown>;
    for (const name of ["connect", "_packet"]) expect(client[name], name).to.equal(own[name]);
    expect(peer!.conn.listeners("data")).to.have.length(1);
  });

  it("an application that rewrites the query in a middleware keeps nobody waiting", async () => {
    const { io, url, created } = await startServer();
    io.use(({ handshake: { query } }, done) => {
      query["ns"] = "/category/5/item/5/chat";
      done();
    });
    const [peer] = openPlain(url, [CHAT], asked);
    expect((await refusal(peer!)).message).to.equal("Invalid namespace");
    expect(created).to.deep.equal(["/category/5/item/5/chat"]);
  });
});

onEachTransport("auth", (transports) => {
  it("as a function is called once for a connection", async () => {
    const { io, url } = await startServer();
    let calls = 0;
    const peer = await join(url, CHAT, { transports, auth: (send) => send({ call: ++calls }) });
    expect(calls).to.equal(1);

    peer.io.engine.close();
    await joined(peer);
    expect(calls).to.equal(2);
    await until(() => io.engine.clientsCount === 1);
  });

  it("as a function whose first call is slow gets the peer in", async () => {
    const { url } = await startServer();
    let calls = 0;
    await join(url, CHAT, {
      transports,
      auth: async (send) => {
        if (++calls === 1) await pause(1200); // longer than anybody waits for anybody
        send({});
      },
    });
    expect(calls).to.equal(1);
  });

  it("may be a token that makes the former one invalid", async () => {
    let issued = 0;
    const valid = ({ handshake: { auth } }: ServerSocket, done: (err?: Error) => void) =>
      done(auth["token"] === issued ? undefined : new Error("expired"));
    const { io, ee, url } = await startServer();
    io.use(valid);
    ee.on("namespace.created", (namespace) => namespace.use(valid));

    const peer = await join(url, CHAT, { transports, auth: (send) => send({ token: ++issued }) });
    peer.io.engine.close();
    await joined(peer);
    expect(issued).to.equal(2);
  });

  it("may be replaced in a reconnect_attempt", async () => {
    let valid = "old";
    const { io, url } = await startServer();
    io.use(({ handshake: { auth } }, done) => done(auth["token"] === valid ? undefined : new Error("expired")));
    const peer = await join(url, CHAT, { transports, auth: { token: "old" } });
    peer.io.on("reconnect_attempt", () => (peer.auth = { token: "new" }));

    valid = "new";
    peer.io.engine.close();
    await joined(peer);
  });
});

// connect(): the article's call, and what a caller may rely on.

import { expect } from "chai";
import type { Socket } from "socket.io-client";
import {
  atTheEnd,
  join,
  joined,
  next,
  onEachTransport,
  open,
  pause,
  peersOf,
  startServer,
  until,
} from "./support/harness";
import { forward } from "./support/redis";

const CHAT = "/category/1/item/2/chat";

/** Records every event that tells a caller about its connection. */
function record(socket: Socket): string[] {
  const events: string[] = [];
  socket.on("connect", () => events.push("connect"));
  socket.on("connect_error", (err) => events.push(`connect_error: ${err.message}`));
  socket.on("disconnect", (reason) => events.push(`disconnect: ${reason}`));
  return events;
}

onEachTransport("connect()", (transports) => {
  it("does not mind a slash too much or too few", async () => {
    const { url, created } = await startServer();
    await join(`${url}/`, CHAT, { transports });
    await join(url, CHAT.slice(1), { transports });
    await join(`${url}/`, `/${CHAT}`, { transports });
    expect(created).to.deep.equal([CHAT]);
  });

  it("its auth reaches both namespaces, and its query too, beside ns", async () => {
    const { io, ee, url } = await startServer();
    const seen: unknown[] = [];
    io.on("connection", ({ handshake: { auth, query } }) => seen.push([auth, query["ns"], query["lang"]]));
    ee.on("dynamic.group.chat", ({ handshake: { auth, query } }) => seen.push([auth, query["ns"], query["lang"]]));

    await join(url, CHAT, { transports, auth: { token: "abc" }, query: { lang: "eo" } });
    await join(url, CHAT, { transports, auth: (send) => send({ token: "def" }), query: { lang: "is", ns: "/mine" } });

    const first = [{ token: "abc" }, CHAT, "eo"];
    const second = [{ token: "def" }, CHAT, "is"];
    expect(seen).to.deep.equal([first, first, second, second]);
  });

  it("with autoConnect: false waits for socket.connect()", async () => {
    const { io, url } = await startServer();
    const socket = open(url, CHAT, { transports, autoConnect: false });
    await pause(50);
    expect(io.engine.clientsCount).to.equal(0);
    expect(socket.active).to.equal(false);

    await joined(socket.connect());
  });

  it("several namespaces from one page, each with a connection of its own", async () => {
    const { io, url, created } = await startServer();
    const names = ["/category/1/item/1/chat", "/category/1/item/2/chat", "/category/1/item/3/chat"];

    const sockets = await Promise.all(names.map((name) => join(url, name, { transports })));
    expect(io.engine.clientsCount).to.equal(3);
    sockets[0]!.disconnect();
    await until(() => io.engine.clientsCount === 2);

    expect(created).to.have.members(names);
    expect(sockets[1]!.connected && sockets[2]!.connected).to.equal(true);
  });

  it("tells the handler's refusal as one connect_error, and stays closed", async () => {
    const { io, url } = await startServer();
    const socket = open(url, "/nothing/here", { transports });
    const events = record(socket);

    await next(socket, "connect_error");
    expect(socket.active).to.equal(false);
    await until(() => io.engine.clientsCount === 0);
    await pause(100); // a retry would come after 20 ms

    expect(events).to.deep.equal(["connect_error: no route matches /nothing/here"]);
    expect(io.engine.clientsCount).to.equal(0);
  });

  for (const [whose, slow] of [
    ["the default namespace", false],
    ["the default namespace, a slow one,", true],
    ["the peer's namespace", false],
    ["the peer's namespace, a slow one,", true],
  ] as const) {
    it(`tells the refusal of a middleware of ${whose} as one connect_error with its data`, async () => {
      const { io, ee, url } = await startServer();
      const refuse = async (_socket: unknown, done: (err?: Error) => void) => {
        if (slow) await pause(30);
        done(Object.assign(new Error("members only"), { data: { code: 401 } }));
      };
      if (whose.startsWith("the default")) io.use(refuse);
      else ee.on("namespace.created", (namespace) => namespace.use(refuse));

      const socket = open(url, CHAT, { transports });
      const events = record(socket);
      const [err] = await next<[Error & { data?: unknown }]>(socket, "connect_error");

      expect(err.data).to.deep.equal({ code: 401 });
      expect(socket.active).to.equal(false);
      await until(() => io.engine.clientsCount === 0);
      await pause(100);
      expect(events).to.deep.equal(["connect_error: members only"]);
      expect(io.engine.clientsCount).to.equal(0);
    });
  }

  it("after a refusal, new credentials and connect() get in, as Socket.IO documents it", async () => {
    const { url } = await startServer({
      before: (io) =>
        io.use((socket, done) => done(socket.handshake.auth["token"] === "b" ? undefined : new Error("no"))),
    });
    const socket = open(url, CHAT, { transports, auth: { token: "a" } });

    await next(socket, "connect_error");
    socket.auth = { token: "b" };
    await joined(socket.connect());
  });

  for (const where of ["a new namespace", "an existing one"]) {
    it(`the listener of a connect_error may try again at once, for ${where}`, async () => {
      const { url } = await startServer({
        before: (io) =>
          io.use((socket, done) =>
            done(socket.handshake.auth["token"] === "b" ? undefined : new Error("members only")),
          ),
      });
      if (where === "an existing one") await join(url, CHAT, { transports, auth: { token: "b" } });
      const socket = open(url, CHAT, { transports, auth: { token: "a" } });
      const events = record(socket);
      socket.on("connect_error", () => {
        socket.auth = { token: "b" };
        socket.connect();
      });

      await next(socket, "connect");
      expect(events).to.deep.equal(["connect_error: members only", "connect"]);
    });
  }

  it("a peer that the server disconnects keeps no connection open", async () => {
    const { io, ee, url, calm } = await startServer();
    ee.on("dynamic.group.chat", (socket) => socket.on("kick", () => socket.disconnect()));
    const socket = await join(url, CHAT, { transports });
    const events = record(socket);

    socket.emit("kick");
    await next(socket, "disconnect");

    expect(socket.active).to.equal(false);
    await calm();
    expect(io.engine.clientsCount).to.equal(0);
    expect(events).to.deep.equal(["disconnect: io server disconnect"]);
    await joined(socket.connect());
  });

  it("comes back where the server has ended the default namespace's socket alone", async () => {
    const { io, url, created, calm } = await startServer();
    const socket = await join(url, CHAT, { transports });
    const events = record(socket);
    io.disconnectSockets();
    await peersOf(io, "/", 0);

    socket.io.engine.close();
    await next(socket, "connect");

    expect(events.at(-1)).to.equal("connect");
    expect(events.filter((event) => event.startsWith("connect_error"))).to.deep.equal([]);
    socket.disconnect();
    await calm();
    expect(created.length).to.be.at.most(2);
  });

  describe("disconnect() is final", () => {
    const moments: [string, (socket: Socket) => Promise<unknown> | void][] = [
      ["at once", () => undefined],
      ["in the next tick", () => pause(0)],
      ["once the connection is open", (socket) => next(socket.io as never, "open")],
      ["once its CONNECT has left", (socket) => next(socket.io as never, "open").then(() => pause(0))],
      ["once joined", (socket) => joined(socket)],
    ];

    for (const [moment, reached] of moments) {
      it(`${moment}, and connect() afterwards starts the bootstrap again`, async () => {
        // where the client is gone before the handshake's answer has come, the server's ping tells
        const { io, url, calm } = await startServer({ io: { pingInterval: 200, pingTimeout: 200 } });
        const socket = open(url, CHAT, { transports });
        const events = record(socket);
        await reached(socket);

        const wasConnected = socket.connected;
        socket.disconnect();
        const length = events.length;
        await pause(80); // a retry would come after 20 ms
        await calm();

        expect(socket.active).to.equal(false);
        expect(io.engine.clientsCount).to.equal(0);
        expect(events.length).to.equal(length);
        expect(events).to.deep.equal(wasConnected ? ["connect", "disconnect: io client disconnect"] : []);

        await joined(socket.connect());
        await peersOf(io, CHAT, 1);
      });
    }

    it("while it is reconnecting, with the server away", async () => {
      const first = await startServer();
      const socket = await join(first.url, CHAT, { transports });
      await first.close();
      await next(socket.io as never, "reconnect_error");

      socket.disconnect();
      const events = record(socket);
      const second = await startServer({ port: first.port });
      await pause(150);

      expect(second.io.engine.clientsCount).to.equal(0);
      expect(events).to.deep.equal([]);
      await joined(socket.connect());
      expect(second.created).to.deep.equal([CHAT]);
    });

    it("from within the listener of a connect_error", async () => {
      const { port, close } = await startServer();
      await close();
      const socket = open(`http://127.0.0.1:${port}`, CHAT, { transports });
      const events = record(socket);

      await new Promise<void>((resolve) => {
        socket.once("connect_error", () => {
          socket.disconnect();
          resolve();
        });
      });
      await pause(150);

      expect(events).to.have.length(1);
      expect(socket.active).to.equal(false);
    });
  });

  it("peers come back from a restart of the server by themselves, without a single refusal", async () => {
    let server: { port: number; url: string; created: string[]; close: () => Promise<void> } = await startServer();
    const names = Array.from({ length: 20 }, (_, i) => `/category/${i % 4}/item/${i % 5}/chat`);
    const sockets = await Promise.all(names.map((name) => join(server.url, name, { transports })));
    const refusals: string[] = [];
    for (const socket of sockets) {
      socket.on("connect_error", (err) => {
        if (/namespace|route|ns /.test(err.message)) refusals.push(err.message);
      });
    }

    for (let restart = 0; restart < 3; restart++) {
      const { port } = server;
      // a client that is just about to upgrade would only notice at its next ping
      const last = transports.at(-1);
      await until(
        () => sockets.map(({ io }) => io.engine.transport.name),
        sockets.map(() => last),
        "the transports",
      );
      await server.close();
      await Promise.all(sockets.map((socket) => until(() => !socket.connected)));
      server = await startServer({ port });
      await Promise.all(sockets.map((socket) => until(() => socket.connected)));
      expect([...server.created].sort()).to.deep.equal([...new Set(names)].sort());
    }

    expect(refusals).to.deep.equal([]);
  });
});

describe("connect()", () => {
  it("comes back on long polling with round trips of more than a second, also where only its namespace is left", async () => {
    const { io, port } = await startServer();
    const far = await forward([port], 520);
    atTheEnd(far.close);
    const socket = await join(`http://127.0.0.1:${far.port}`, CHAT, { transports: ["polling"] });
    const events = record(socket);
    io.disconnectSockets(); // those in the default namespace

    socket.io.engine.close();
    await next(socket, "connect", 15_000);
    expect(events.filter((event) => event.startsWith("connect_error"))).to.deep.equal([]);
  });

  it("says at once which names no peer can create", () => {
    for (const namespace of ["", "/", "//", "/a,b", "/a?b", "/a#b", "/a,", "/a[b", "/a]b", "/[::1]"]) {
      expect(() => open("http://localhost", namespace), namespace).to.throw(TypeError, "no peer can create");
    }
  });

  it("takes a query as a string too, as the article gives it, and adds ns to it", async () => {
    const { io, url } = await startServer();
    await join(url, CHAT, { query: `ns=${CHAT}&name=Ada` as never });
    const [peer] = await peersOf(io, CHAT, 1);
    expect(peer!.handshake.query).to.include({ ns: CHAT, name: "Ada" });
  });

  it("says at once that a server's address has neither path nor query", () => {
    for (const address of [
      "http://localhost/",
      "http://localhost:3000",
      "https://user:pass@localhost:3000/",
      "ws://[::1]:3000",
      "localhost:3000",
      "//localhost:3000/",
      "", // in a browser: where the page comes from
    ]) {
      expect(() => open(address, CHAT, { autoConnect: false }), address).to.not.throw();
    }
    for (const address of [
      "http://h/a",
      "http://h//",
      "http://h/a/",
      "http://h?a=1",
      "http://h/?",
      "h#a",
      "/a",
      "h/a",
    ]) {
      expect(() => open(address, CHAT, { autoConnect: false }), address).to.throw(TypeError, address);
    }
  });

  it("sends one CONNECT packet, and hears one answer", async () => {
    const { url } = await startServer();
    const socket = open(url, CHAT, { transports: ["websocket"] });
    const log: string[] = [];
    socket.io.engine.on("packetCreate", ({ data }) => log.push(`sent ${data}`));
    socket.io.engine.on("packet", ({ type, data }) => type === "message" && log.push(`received ${data}`));

    await joined(socket);

    expect(log).to.deep.equal([`sent 0${CHAT},`, `received 0${CHAT},{"sid":"${socket.id}"}`]);
  });
});

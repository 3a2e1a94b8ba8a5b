// What backend/README.md and frontend/README.md tell to do, done.

import { expect } from "chai";
import type { Server, Socket as ServerSocket } from "socket.io";
import { WebSocket } from "ws";
import {
  atTheEnd,
  join,
  joined,
  next,
  open,
  openPlain,
  openSocket,
  peersOf,
  refusal,
  startServer,
  until,
  warnings,
} from "./support/harness";
import { limitEachAddress } from "./support/limit";
import { blocks, startExample } from "./support/readmes";

const CHAT = "/category/1/item/2/chat";

/** Resolves when nobody is connected, and no namespace but the default one is left. */
const empty = (io: Server) =>
  until(() => [io.engine.clientsCount, io._nsps.size], [0, 1], "connections and namespaces");

describe("the auction", () => {
  const LAMP = "/auction/lamp";

  it("keeps the highest bid when everybody has left, however long it takes to save it", async () => {
    const { io, url } = await startExample("auction", (code) =>
      code.replace(
        "=> void database.set",
        "=> void (await require('node:timers/promises').setTimeout(50), database).set",
      ),
    );
    const first = open(url, LAMP);
    let highest: unknown;
    first.on("highest", (amount) => (highest = amount));
    first.emit("bid", 10);
    await until(() => highest === 10);
    first.disconnect();
    await empty(io);

    expect(await next(open(url, LAMP), "highest")).to.deep.equal([10]);
  });

  it("tells each peer that it could not be loaded, and is loaded again for the next one", async () => {
    const errors: unknown[] = [];
    const { error } = console;
    console.error = (err) => errors.push(err);
    atTheEnd(() => (console.error = error));
    const { io, url, database } = await startExample<{ database: Map<string, number> }>(
      "auction",
      (code) => `${code}\nexport { database };`,
    );
    database.get = () => {
      throw new Error("no database");
    };

    const both = [open(url, LAMP), open(url, LAMP)].map(refusal);
    for (const err of await Promise.all(both)) expect(err.message).to.equal("the auction could not be loaded");
    await empty(io);
    expect(String(errors[0])).to.equal("Error: no database");

    database.get = () => 7;
    expect(await next(open(url, LAMP), "highest")).to.deep.equal([7]);
  });
});

describe("the guarded server", () => {
  it("lets some create, and others only join, as the guide shows", async () => {
    const { io, ee, url } = await startServer();
    const logged = warnings();
    const mayCreate = (socket: ServerSocket) => socket.handshake.auth["user"] === "Ada";
    const there = new Set<string>();
    io.use((socket, next) => {
      const name = String(socket.handshake.query["ns"]).replace(/^\/?/, "/");
      next(there.has(name) || mayCreate(socket) ? undefined : new Error("only Ada may open a chat"));
    });
    ee.on("namespace.created", (namespace, _route, creator) => {
      if (creator && !mayCreate(creator)) throw new Error("only Ada may open a chat");
      there.add(namespace.name);
      namespace.use((socket, next) => next(socket.handshake.auth["user"] === "Eve" ? new Error("not Eve") : undefined));
    });
    ee.on("namespace.retired", ({ name }) => there.delete(name));
    const ben = { auth: { user: "Ben" } };
    expect((await refusal(open(url, CHAT, ben))).message).to.equal("only Ada may open a chat");
    const ada = await join(url, CHAT, { auth: { user: "Ada" } });
    const joinedLater = await join(url, CHAT, { ...ben, query: { ns: CHAT.slice(1) } });

    const eve = openSocket(url, `ns=${CHAT}`);
    const ask = () => eve.send(`40${CHAT},{"user":"Eve"}`);
    let heard = "";
    eve.on("message", (packet) => (heard += String(packet)));
    await next(eve as never, "open");
    ask();
    await until(() => heard.includes("not Eve"));
    for (const socket of [ada, joinedLater]) socket.disconnect();
    await until(() => !there.has(CHAT)); // Eve, who was refused, has kept her connection
    ask();
    await next(eve as never, "close");
    await empty(io);
    expect(logged).to.deep.equal(["only Ada may open a chat"]);
    expect((await refusal(open(url, CHAT, ben))).message).to.equal("only Ada may open a chat");
  });

  const token = (name: string) => ({ auth: { token: `token of ${name}` } });

  it("takes a peer for the one whom io.use has seen, whatever its second auth says", async () => {
    const { url } = await startExample("guarded");
    const both = (first: string, second: string) => {
      const [plain, chat] = openPlain(url, ["/", CHAT], { query: { ns: CHAT } });
      plain!.auth = token(first).auth;
      chat!.auth = { ...token(second).auth, user: second };
      return chat!;
    };
    expect((await refusal(both("Mallory", "Ada"))).message).to.equal("not here");
    const ada = await joined(both("Ada", "Mallory"));
    ada.emit("message", "hello");
    expect(await next(ada, "message")).to.deep.equal(["Ada: hello"]);
  });

  it("lets members in, and nobody else create a namespace", async () => {
    const { io, url } = await startExample("guarded");
    expect((await refusal(open(url, CHAT))).message).to.equal("members only");
    await empty(io);

    const ada = await join(url, CHAT, token("Ada"));
    ada.emit("message", "hello");
    expect(await next(ada, "message")).to.deep.equal(["Ada: hello"]);
  });

  it("refuses who is banned, and who comes past io.use without ns", async () => {
    const { url } = await startExample("guarded");
    await join(url, CHAT, token("Ada"));
    expect((await refusal(open(url, CHAT, token("Mallory")))).message).to.equal("not here");
    const [past] = openPlain(url, [CHAT], token("Ada"));
    expect((await refusal(past!)).message).to.equal("members only");
  });

  it("is not harmed by a message that is no text", async () => {
    const { url } = await startExample("guarded");
    const ada = await join(url, CHAT, token("Ada"));
    ada.emit("message", { toString: null, valueOf: null });
    ada.emit("message", "still here");
    expect(await next(ada, "message")).to.deep.equal(["Ada: still here"]);
  });

  it("lets a page of the origin it names read its answers, and no other", async () => {
    const { url } = await startExample("guarded");
    const handshake = `${url}/socket.io/?EIO=4&transport=polling&ns=${CHAT}`;
    const { headers } = await fetch(handshake, { headers: { Origin: "http://localhost:5173" } });
    expect(headers.get("access-control-allow-origin")).to.equal("http://localhost:5173");
  });
});

describe("the shop", () => {
  it("emits from an HTTP route to the peers, and leaves nothing behind where nobody is", async () => {
    const { io, url } = await startExample("shop");
    const sell = async (item: number) =>
      (await fetch(`${url}/category/1/item/${item}/sold`, { method: "POST" })).status;
    const ada = await join(url, CHAT);
    const sold = next(ada, "sold");
    expect(await sell(2)).to.equal(204);
    await sold;

    expect(await sell(3)).to.equal(204);
    await until(() => io._nsps.size === 2); // the default one and Ada's
  });
});

describe("on a server of one's own", () => {
  it("an origin check in allowRequest also holds for WebSocket", async () => {
    const { url } = await startServer({
      io: { allowRequest: (request, decide) => decide(null, request.headers.origin === "https://shop.example") },
    });
    const answer = (origin: string) => {
      const socket = new WebSocket(`${url.replace("http", "ws")}/socket.io/?EIO=4&transport=websocket`, { origin });
      atTheEnd(() => socket.terminate());
      return new Promise((resolve) => socket.on("open", () => resolve("open")).on("error", () => resolve("refused")));
    };
    expect(await answer("https://shop.example")).to.equal("open");
    expect(await answer("https://evil.example")).to.equal("refused");
  });

  it("a limit for each address refuses and closes what is too much, until there is room again", async () => {
    const { io, ee, url, namespaces } = await startServer();
    limitEachAddress(io, ee);
    const chat = (item: number) => `/category/1/item/${item}/chat`;
    const sockets = await Promise.all(Array.from({ length: 50 }, (_, item) => join(url, chat(item)))); // two each

    const tooMuch = open(url, chat(50), { transports: ["websocket"] });
    expect((await refusal(tooMuch)).message).to.equal("too much from your address");
    expect(tooMuch.active).to.equal(false); // it does not try again
    const hostile = new WebSocket(`${url.replace("http", "ws")}/socket.io/?EIO=4&transport=websocket&ns=${chat(51)}`);
    atTheEnd(() => hostile.terminate());
    hostile.on("message", (data) => String(data).startsWith("0") && hostile.send(`40${chat(51)},`));
    await next(hostile, "close"); // by the server, at once
    expect(namespaces()).to.have.length(50);

    let leaving = sockets[0]!;
    for (const item of [51, 52, 53]) {
      leaving.disconnect();
      await until(() => namespaces().length === 49);
      leaving = await join(url, chat(item));
    }
  });

  it("a limit for each address counts nobody whose connection has closed before", async () => {
    const { io, ee, url } = await startServer();
    limitEachAddress(io, ee);
    const poll = `${url}/socket.io/?EIO=4&transport=polling&ns=${CHAT}`;
    for (let i = 0; i < 100; i++) {
      const { sid } = JSON.parse((await (await fetch(poll)).text()).slice(1)) as { sid: string };
      await fetch(`${poll}&sid=${sid}`, { method: "POST", body: `40${CHAT},\x1e1` }); // CONNECT, and the end
    }
    await empty(io);
    await join(url, CHAT);
  });

  it("what io.use writes into socket.data is not in the namespace; the connection and the request are shared", async () => {
    let first: ServerSocket | undefined;
    const { io, ee, url } = await startServer({
      before: (io) =>
        io.use((socket, done) => {
          socket.data.user = "Ada";
          first = socket;
          done();
        }),
    });
    let creator: ServerSocket | undefined;
    ee.on("namespace.created", (_namespace, _route, socket) => (creator = socket));
    await join(url, CHAT, { auth: { token: 1 } });
    const [peer] = await peersOf(io, CHAT, 1);

    expect(creator).to.equal(first);
    expect(creator!.data).to.deep.equal({ user: "Ada" });
    expect(peer!.data).to.deep.equal({});
    expect(peer!.conn).to.equal(first!.conn);
    expect(peer!.request).to.equal(first!.request);
    for (const same of ["query", "headers", "address"] as const) {
      expect(peer!.handshake[same]).to.deep.equal(first!.handshake[same]);
    }
  });

  it("auth is each CONNECT's own: io.use has seen the first one only, and the namespace gets its own", async () => {
    const seen: unknown[] = [];
    const { io, url } = await startServer({
      before: (io) => io.use((socket, done) => (seen.push(socket.handshake.auth), done())),
    });
    const [plain, chat] = openPlain(url, ["/", CHAT], { query: { ns: CHAT } });
    plain!.auth = { token: "token of Mallory" };
    chat!.auth = { user: "Ada" };
    await joined(chat!);

    expect(seen).to.deep.equal([{ token: "token of Mallory" }]);
    const [peer] = await peersOf(io, CHAT, 1);
    expect(peer!.handshake.auth).to.deep.equal({ user: "Ada" });
  });

  it("an application counts who is refused by the handler, and not whom its own middleware refuses", async () => {
    const refused: string[] = [];
    const { io, ee, url } = await startServer({
      before: (io) => io.use((socket, done) => done(socket.handshake.auth["banned"] ? new Error("banned") : undefined)),
    });
    ee.on("peer.refused", (socket, { err }) => {
      expect(socket.connected).to.equal(false);
      refused.push(err);
    });
    expect((await refusal(open(url, "/evil"))).message).to.equal("no route matches /evil");
    const [plain] = openPlain(url, ["/"]);
    await next(plain!, "refused");
    expect((await refusal(open(url, CHAT, { auth: { banned: true } }))).message).to.equal("banned");
    const [without] = openPlain(url, [CHAT]);
    expect((await refusal(without!)).message).to.equal("Invalid namespace");
    await empty(io);
    expect(refused).to.deep.equal(["no route matches /evil", "ns not provided"]);
  });

  it("what is emitted in the default namespace is heard by clients that have asked for it, and kept for nobody", async () => {
    const { io, url } = await startServer({
      before: (io) => io.on("connection", (socket) => socket.emit("welcome")),
    });
    const ada = await join(url, CHAT);
    const later = ada.io.socket("/"); // asks for the default namespace after the server has put it there
    atTheEnd(() => later.disconnect());
    const heard: string[] = [];
    later.onAny((event: string) => heard.push(event));
    io.emit("early");
    await joined(later);
    io.emit("news");
    await next(later, "news");
    expect(heard).to.deep.equal(["news"]);
  });

  it("disconnect(true) in the default namespace ends the connection of a peer that never asked for it", async () => {
    const { io, url } = await startServer();
    const ada = await join(url, CHAT, { reconnection: false });
    const ended = next(ada, "disconnect");
    for (const socket of io.sockets.sockets.values()) socket.disconnect(true);
    await ended;
    await empty(io);
  });

  it("a peer is not recovered if io.use takes longer than is left of its time", async () => {
    const { now } = Date;
    atTheEnd(() => (Date.now = now));
    const recovered = async (takes: number) => {
      let come = 0;
      const { io, url } = await startServer({
        retireAfter: 60_000,
        io: { connectionStateRecovery: { maxDisconnectionDuration: 60_000 } },
        before: (io) =>
          io.use((_socket, done) => {
            if (++come === 2) Date.now = () => now() + takes; // instead of a wait
            done();
          }),
      });
      const ada = await join(url, CHAT);
      io.of(CHAT).emit("news"); // a peer that has heard nothing has nothing to be recovered
      await next(ada, "news");
      ada.io.engine.close();
      await next(ada, "connect");
      Date.now = now;
      return ada.recovered;
    };
    expect(await recovered(0)).to.equal(true);
    expect(await recovered(60_001)).to.equal(false);
  });

  it("a broadcast in the default namespace is not acknowledged by peers that the server has put there", async () => {
    const { io, url } = await startServer();
    const ada = await join(url, CHAT);
    ada.on("question", (answer: (text: string) => void) => answer("here"));
    expect(await io.of(CHAT).timeout(15_000).emitWithAck("question")).to.deep.equal(["here"]);
    expect(await io.timeout(50).emitWithAck("question").catch(String)).to.contain("timed out");
  });

  it("the request can be dropped when the peer is in, not when it connects", async () => {
    const { io, ee, url } = await startServer();
    ee.on("dynamic.group.chat", (socket) => {
      Object.assign(socket.conn, { request: null });
      socket.on("message", (text) => socket.nsp.emit("message", text));
    });
    const ada = await join(url, CHAT);
    ada.emit("message", "hello");
    expect(await next(ada, "message")).to.deep.equal(["hello"]);
    const [peer] = await peersOf(io, CHAT, 1);
    expect(peer!.request).to.equal(null);
    expect(peer!.handshake.query["ns"]).to.equal(CHAT);
    const ownRequest = ada.io.socket("/");
    atTheEnd(() => ownRequest.disconnect());
    await joined(ownRequest); // its own CONNECT for the default namespace is answered all the same

    io.engine.on("connection", (conn) => Object.assign(conn, { request: null }));
    expect((await refusal(open(url, "/category/1/item/3/chat"))).message).to.equal("Invalid namespace");
  });
});

describe("a client", () => {
  it("is asked for its token once for each connection, and keeps ns when its query is changed", async () => {
    const tokens: unknown[] = [];
    const { io, url } = await startServer({
      before: (io) => io.use((socket, done) => (tokens.push(socket.handshake.auth["token"]), done())),
    });
    let asked = 0;
    const ada = await join(url, CHAT, {
      auth: (send: (auth: object) => void) => setTimeout(send, 5, { token: ++asked }),
    });
    ada.io.opts.query = { ...ada.io.opts.query, language: "en" };
    ada.io.engine.close();
    await next(ada, "connect");

    expect(tokens).to.deep.equal([1, 2]);
    const [peer] = await peersOf(io, CHAT, 1);
    expect(peer!.handshake.auth).to.deep.equal({ token: 2 });
    expect(peer!.handshake.query).to.include({ ns: CHAT, language: "en" });
  });

  it("that gives its handshake up on long polling leaves a connection until its ping, and no namespace", async () => {
    const { io, url, created } = await startServer({ io: { pingInterval: 100, pingTimeout: 100 } });
    const ended = new Promise((resolve) =>
      io.engine.on("connection", (conn: ServerSocket["conn"]) => conn.on("close", resolve)),
    );
    const socket = open(url, CHAT, { transports: ["polling"] });
    await new Promise((resolve) => setTimeout(resolve)); // now the request is on its way
    socket.disconnect();

    expect(await ended).to.equal("ping timeout");
    expect(created).to.deep.equal([]);
  });
});

describe("a client that begins with WebTransport", () => {
  const global = globalThis as { WebTransport?: unknown };

  it("sends no query, so it cannot ask for a namespace", async () => {
    atTheEnd(() => delete global.WebTransport);
    const address = new Promise<string>((resolve) => {
      global.WebTransport = function (this: object, to: string) {
        resolve(to); // Node.js has no WebTransport: what a browser would be asked for is enough
        throw new Error("no WebTransport");
      };
    });
    open("http://127.0.0.1:1", CHAT, { transports: ["webtransport"], reconnection: false });
    expect(await address).to.equal("https://127.0.0.1:1/socket.io/");
  });
});

describe("the wire", () => {
  for (const [name, packets] of blocks("wire")) {
    it(`is as the guide for clients shows it: ${name}`, async () => {
      const { ee, url } = await startServer({ io: { pingInterval: 25_000, pingTimeout: 20_000 } });
      ee.on("dynamic.group.chat", (peer) => peer.on("message", (text) => peer.nsp.emit("message", text)));
      const [request, ...lines] = packets.split("\n").map((line) => line.split("  ") as [who: "C" | "S", what: string]);
      const socket = new WebSocket(url.replace("http", "ws") + request![1].replace("GET ", ""));
      atTheEnd(() => socket.terminate());
      const heard: string[] = [];
      socket.on("message", (data) => heard.push(String(data).replace(/"sid":"[^"]+"/, '"sid":"..."')));
      for (const [who, what] of lines) {
        if (who === "C") socket.send(what);
        else {
          await until(() => heard.length > 0);
          expect(heard.shift()).to.equal(what);
        }
      }
    });
  }
});

// The article's promise: the first peer creates the namespace, later peers join it.

import { expect } from "chai";
import type { Socket as ServerSocket } from "socket.io";
import ioHandler from "../backend/io-handler";
import {
  join,
  joined,
  next,
  onEachTransport,
  open,
  openPlain,
  peersOf,
  Server,
  startServer,
  until,
} from "./support/harness";

const CHAT = "/category/1/item/2/chat";

onEachTransport("the pattern", (transports) => {
  it("the first peer creates the namespace", async () => {
    const { url, created, namespaces } = await startServer();
    expect(namespaces()).to.deep.equal([]);

    await join(url, CHAT, { transports });

    expect(created).to.deep.equal([CHAT]);
    expect(namespaces()).to.deep.equal([CHAT]);
  });

  it("later peers join the one that exists", async () => {
    const { io, url, created } = await startServer();

    const first = await join(url, CHAT, { transports });
    const second = await join(url, CHAT, { transports });

    expect(created).to.deep.equal([CHAT]);
    const ids = (await peersOf(io, CHAT, 2)).map(({ id }) => id);
    expect(ids).to.have.members([first.id, second.id]);
  });

  it("every peer is handed to dynamic.group.<route> once, with the captures of the pattern", async () => {
    const { ee, url } = await startServer();
    const handed: unknown[][] = [];
    ee.on("dynamic.group.chat", (socket, ...captures) => handed.push([socket.id, ...captures]));

    const first = await join(url, CHAT, { transports });
    const second = await join(url, CHAT, { transports });
    const third = await join(url, "/category/33/item/44/chat", { transports });

    expect(handed).to.deep.equal([
      [first.id, "1", "2"],
      [second.id, "1", "2"],
      [third.id, "33", "44"],
    ]);
  });

  it("a message stays in its namespace", async () => {
    const { ee, url } = await startServer();
    ee.on("dynamic.group.chat", (socket) => {
      socket.on("say", (text: string) => socket.nsp.emit("said", text));
    });
    const [here, there] = await Promise.all([
      join(url, CHAT, { transports }),
      join(url, "/category/1/item/3/chat", { transports }),
    ]);
    const heardThere: string[] = [];
    there.on("said", (text: string) => heardThere.push(text));

    here.emit("say", "only here");
    expect(await next(here, "said")).to.deep.equal(["only here"]);
    there.emit("say", "only there");
    await next(there, "said");

    expect(heardThere).to.deep.equal(["only there"]);
  });

  it("simultaneous first peers create the namespace once, and all get in", async () => {
    const { io, url, created } = await startServer();

    await Promise.all(Array.from({ length: 20 }, () => join(url, CHAT, { transports })));

    expect(created).to.deep.equal([CHAT]);
    await peersOf(io, CHAT, 20);
  });

  it("an address that no route matches is refused with the reason, and creates nothing", async () => {
    const { io, url, created, namespaces } = await startServer();
    const socket = open(url, "/category/one/item/2/chat", { transports });

    const [err] = await next<[Error]>(socket, "connect_error");

    expect(err.message).to.equal("no route matches /category/one/item/2/chat");
    expect(created).to.deep.equal([]);
    expect(namespaces()).to.deep.equal([]);
    await until(() => io.engine.clientsCount === 0);
  });
});

describe("the pattern", () => {
  it("two servers in one process know nothing of each other", async () => {
    const one = await startServer();
    const two = await startServer();

    await join(one.url, CHAT);

    expect(one.namespaces()).to.deep.equal([CHAT]);
    expect(two.namespaces()).to.deep.equal([]);
    await join(two.url, CHAT);
    expect(two.created).to.deep.equal([CHAT]);
    expect(one.created).to.deep.equal([CHAT]);
  });

  it("routes of the application's own replace the article's, and the first that matches is taken", async () => {
    const { ee, url, created } = await startServer({
      routes: { auction: /^\/auction\/(\w+)$/, anything: /^\/(.+)$/ },
    });
    const handed: unknown[][] = [];
    ee.on("dynamic.group.auction", (_socket, lot) => handed.push(["auction", lot]));
    ee.on("dynamic.group.anything", (_socket, name) => handed.push(["anything", name]));

    await join(url, "/auction/lamp");
    await join(url, CHAT);

    expect(created).to.deep.equal(["/auction/lamp", CHAT]);
    expect(handed).to.deep.equal([
      ["auction", "lamp"],
      ["anything", CHAT.slice(1)],
    ]);
  });

  it("a name without its leading slash means the same as with it", async () => {
    const { url, created } = await startServer({ routes: { room: /^\/room-\d+$/ } });
    await join(url, "room-1");
    const [wrong] = openPlain(url, ["/"], { query: { ns: "room-x" } });
    expect(await next(wrong!, "refused")).to.deep.equal([{ err: "no route matches /room-x" }]);
    expect(created).to.deep.equal(["/room-1"]);
  });

  it("the default namespace is no route's, even where a pattern matches it", async () => {
    const { ee, url } = await startServer({ routes: { any: /^\/(\w*)$/ } });
    const handed: string[] = [];
    ee.on("dynamic.group.any", ({ nsp }) => handed.push(nsp.name));
    const [peer] = openPlain(url, ["/"], { query: { ns: "/" } });
    expect(await next(peer!, "refused")).to.deep.equal([{ err: "no route matches /" }]);
    await join(url, "/room");
    expect(handed).to.deep.equal(["/room"]);
  });

  it("namespace.created comes with its creator, before any peer is in the namespace", async () => {
    const { ee, url } = await startServer();
    const seen: unknown[] = [];
    ee.on("namespace.created", (namespace, route, creator) => {
      seen.push([namespace.name, route, namespace.sockets.size, creator?.nsp.name, creator?.handshake.auth["name"]]);
    });

    await join(url, CHAT, { auth: { name: "Ada" } });

    expect(seen).to.deep.equal([[CHAT, "chat", 0, "/", "Ada"]]);
  });

  it("works on a server that is attached to its port afterwards", async () => {
    const io = new Server();
    const created: string[] = [];
    ioHandler(io).on("namespace.created", (namespace) => created.push(namespace.name));
    io.listen(0);
    try {
      const { port } = (io as unknown as { httpServer: { address(): { port: number } } }).httpServer.address();
      const url = `http://127.0.0.1:${port}`;
      for (const transports of [["polling"], ["websocket"]]) {
        await join(url, CHAT, { transports });
        const asked = { transports, query: { ns: "/category/2/item/2/chat" } };
        await Promise.all(openPlain(url, ["/category/2/item/2/chat"], asked).map(joined));
      }
      expect(created[0]).to.equal(CHAT);
    } finally {
      await io.close();
    }
  });

  it("a mistake in the options is told at once", async () => {
    const io = new Server();
    expect(() => ioHandler(io, { routes: { all: /^\/(\w+)$/g } })).to.throw(TypeError, /route all .* flag g/);
    expect(() => ioHandler(io, { retireAfter: -1 })).to.throw(RangeError, /retireAfter/);
    expect(() => ioHandler(io, { retireAfter: NaN })).to.throw(RangeError, /retireAfter/);
    expect(() => ioHandler(io, { retireAfter: 2 ** 31 })).to.throw(RangeError, /retireAfter/);
    expect(io.listeners("connection")).to.deep.equal([]);
  });

  it("a misspelt event does not compile", () => {
    const compile = () => {
      const ee = ioHandler(new Server());
      const own = ioHandler(new Server(), { routes: { auction: /^\/auction\/(\w+)$/ } });
      const listener = (socket: ServerSocket, id: string) => void [socket, id];

      ee.on("dynamic.group.chat", listener);
      own.on("dynamic.group.auction", listener);
      // @ts-expect-error: the article's table has no such route
      ee.on("dynamic.group.chta", listener);
      // @ts-expect-error: nor has the application's own one
      own.on("dynamic.group.chat", listener);
      // @ts-expect-error: a namespace is `retired`
      own.on("namespace.removed", () => undefined);
      // @ts-expect-error: captures are strings
      own.on("dynamic.group.auction", (_socket, lot: number) => lot);
    };
    expect(compile).to.not.throw();
  });

  it("a typed server hands over typed sockets", () => {
    const compile = () => {
      const io = new Server<
        { bid: (amount: number) => void },
        { highest: (amount: number) => void },
        never,
        { user: string }
      >();
      const ee = ioHandler(io);

      ee.on("dynamic.group.chat", (socket, categoryId) => {
        socket.on("bid", (amount) => socket.emit("highest", amount * 2));
        const user: string = socket.data.user;
        // @ts-expect-error: an amount is a number
        socket.emit("highest", categoryId + user);
        // @ts-expect-error: no such event
        socket.on("bit", () => undefined);
      });
      ee.on("namespace.created", (namespace, route, creator) => {
        namespace.emit("highest", 0);
        // @ts-expect-error: no such event
        namespace.emit("lowest", route + creator?.data.user);
      });
    };
    expect(compile).to.not.throw();
  });
});

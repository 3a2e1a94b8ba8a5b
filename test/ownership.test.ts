// Whose is a namespace? One that was there before ioHandler is the application's. One that appears later under a name
// that a route matches is the pattern's, whoever has called io.of().

import { instrument } from "@socket.io/admin-ui";
import { expect } from "chai";
import { createServer } from "node:http";
import type { Namespace } from "socket.io";
import ioHandler from "../backend/io-handler";
import {
  atTheEnd,
  join,
  joined,
  next,
  onEachTransport,
  openPlain,
  pause,
  peersOf,
  Server,
  startServer,
  until,
} from "./support/harness";

const CHAT = "/category/1/item/2/chat";

onEachTransport("a namespace", (transports) => {
  it("that was there before ioHandler is the application's: its peers are handed over, and it is never retired", async () => {
    let own: Namespace | undefined;
    const { io, ee, url, created, retired } = await startServer({
      before: (io) => {
        own = io.of(CHAT);
        io.of("/news");
      },
    });
    const handed: unknown[] = [];
    ee.on("dynamic.group.chat", (socket, ...captures) => handed.push([socket.nsp, ...captures]));

    (await join(url, CHAT, { transports })).disconnect();
    await until(() => io.engine.clientsCount === 0);
    const [direct] = openPlain(url, [CHAT], { transports });
    await joined(direct!);
    await pause(20);

    expect(handed).to.deep.equal([
      [own, "1", "2"],
      [own, "1", "2"],
    ]);
    expect(io.of(CHAT)).to.equal(own);
    expect([created, retired]).to.deep.equal([[], []]);
  });

  for (const when of ["before its first peer", "after its last peer"]) {
    it(`that the application emits to ${when} is like any other: its peers are handed over, and it goes`, async () => {
      const { io, ee, url, created, retired, namespaces, calm } = await startServer();
      const handed: string[] = [];
      const creators: unknown[] = [];
      ee.on("dynamic.group.chat", (socket) => handed.push(socket.id));
      ee.on("namespace.created", (_namespace, route, creator) => creators.push([route, creator?.nsp.name]));
      if (when === "after its last peer") {
        (await join(url, CHAT, { transports })).disconnect();
        await calm();
      }
      handed.length = creators.length = 0;

      io.of(CHAT).emit("news", "for nobody");
      const peer = await join(url, CHAT, { transports });
      expect(handed).to.deep.equal([peer.id]);
      expect(creators[0]).to.deep.equal(["chat", undefined]);

      const heard = next(peer, "news");
      io.of(CHAT).emit("news", "for somebody");
      expect(await heard).to.deep.equal(["for somebody"]);
      peer.disconnect();
      await calm();
      expect(namespaces()).to.deep.equal([]);
      expect(retired).to.deep.equal(created);
    });
  }

  for (const order of ["before", "after"] as const) {
    it(`whose name a pattern of the application matches too, registered ${order} ioHandler, is handed over all the same`, async () => {
      const { io, ee, url, created, calm } = await startServer({
        io: { cleanupEmptyChildNamespaces: true },
        before: order === "before" ? (io) => io.of(/^\/category\/.*$/) : undefined,
      });
      if (order === "after") io.of(/^\/category\/.*$/);
      const handed: string[] = [];
      ee.on("dynamic.group.chat", (socket) => handed.push(socket.id));

      const [peer] = openPlain(url, [CHAT], { transports, query: { ns: CHAT } });
      const [direct] = openPlain(url, ["/category/2/item/2/chat"], { transports });
      await Promise.all([joined(peer!), joined(direct!)]);
      expect(handed).to.have.members([peer!.id, direct!.id]);
      expect(created).to.have.members([CHAT, "/category/2/item/2/chat"]);

      peer!.disconnect();
      direct!.disconnect();
      await calm();
    });
  }

  it("that Socket.IO itself has removed meanwhile is created anew, and told as retired first", async () => {
    const { io, ee, url, calm } = await startServer({
      io: { cleanupEmptyChildNamespaces: true },
      before: (io) => io.of(/^\/category\/.*$/),
    });
    const events: string[] = [];
    ee.on("namespace.created", () => events.push("created"));
    ee.on("namespace.retired", () => events.push("retired"));
    ee.on("dynamic.group.chat", () => events.push("joined"));
    const [peer, own] = openPlain(url, [CHAT, "/"], { transports, query: { ns: CHAT } });
    await Promise.all([joined(peer!), joined(own!)]); // the second one keeps the connection open
    peer!.disconnect();
    await until(() => !io._nsps.has(CHAT));
    await joined(peer!.connect());
    expect(events).to.deep.equal(["created", "joined", "retired", "created", "joined"]);

    peer!.disconnect();
    own!.disconnect();
    await calm();
    expect(events.slice(5)).to.deep.equal(["retired"]);
  });
});

describe("a namespace", () => {
  it("whose name no route matches is never touched", async () => {
    const { io, url, created, retired } = await startServer();
    const before = new Server().of("/news");
    const own = io.of("/news");
    const [reader] = openPlain(url, ["/news"], {});
    await joined(reader!);
    reader!.disconnect();
    await peersOf(io, "/news", 0);
    await pause(20);

    expect(io.of("/news")).to.equal(own);
    for (const event of ["connection", "connect"] as const) {
      expect(own.listenerCount(event)).to.equal(before.listenerCount(event));
    }
    expect([created, retired]).to.deep.equal([[], []]);
  });

  it("that nobody comes to after an emit from outside leaves nothing behind", async () => {
    const { io, created, retired, namespaces } = await startServer();
    for (let i = 0; i < 100; i++) io.of(`/category/1/item/${i}/chat`).to("some room").emit("news");
    expect(created).to.have.length(100);
    await until(() => retired.length === 100);
    expect(namespaces()).to.deep.equal([]);
  });

  it("that the application makes while a peer creates another one has no creator", async () => {
    const { io, ee, url } = await startServer();
    const other = "/category/9/item/9/chat";
    const creators: unknown[] = [];
    ee.on("namespace.created", ({ name }, _route, creator) => {
      creators.push([name, creator?.nsp.name]);
      io.of(other);
    });
    await join(url, CHAT);
    expect(creators).to.deep.equal([
      [CHAT, "/"],
      [other, undefined],
    ]);
  });

  it("is handed over also when its route was deleted from the application's table meanwhile", async () => {
    const table: Partial<{ chat: RegExp }> & Record<string, RegExp> = { chat: /^\/category\/(\d+)$/ };
    const { ee, url } = await startServer({ routes: table });
    const handed: unknown[] = [];
    ee.on("dynamic.group.chat", (_socket, ...captures) => handed.push(captures));
    await join(url, "/category/1");
    delete table.chat;
    await join(url, "/category/1");
    expect(handed).to.deep.equal([["1"], ["1"]]);
  });

  it("is guarded for its first peer too by what namespace.created adds at once", async () => {
    const { ee, url } = await startServer();
    ee.on("namespace.created", (namespace) => namespace.use((_socket, done) => done(new Error("closed"))));
    const err = await join(url, CHAT).catch((err: Error) => err);
    expect((err as Error).message).to.equal("closed");
  });

  it("comes and goes beside the admin UI, which disconnects a peer that has just gone", async () => {
    const { io, ee, url, created, calm, namespaces } = await startServer({
      before: (io) => instrument(io, { auth: false, mode: "development" }),
    });
    const handed: string[] = [];
    ee.on("dynamic.group.chat", (socket) => handed.push(socket.id));
    const [admin] = openPlain(url, ["/admin"]);
    await joined(admin!);

    const peers = await Promise.all(Array.from({ length: 50 }, (_, i) => join(url, `/category/1/item/${i}/chat`)));
    expect(handed).to.have.members(peers.map(({ id }) => id));
    const gone = peers.map(({ id }, i) => [`/category/1/item/${i}/chat`, id] as const);
    for (const peer of peers) peer.disconnect();
    await until(() => io.engine.clientsCount, 1);
    await until(() => namespaces().length, 1);
    for (const [name, id] of gone) admin!.emit("_disconnect", name, false, id);
    await until(() => created.length === 100);

    admin!.disconnect();
    await calm();
    expect(namespaces()).to.deep.equal(["/admin"]);
  });
});

describe("ioHandler", () => {
  it("is an Error for a second time on the same server", () => {
    const io = new Server();
    ioHandler(io);
    expect(() => ioHandler(io)).to.throw(Error, "this server has an ioHandler already");
  });

  const parts: [string, string, (io: Server, client: object) => [object, string]][] = [
    ["server._nsps", "a server has no _nsps", (io) => [io, "_nsps"]],
    ["namespace._add", "a namespace has no _add", (io) => [Object.getPrototypeOf(io.sockets), "_add"]],
    [
      "namespace._doConnect",
      "a namespace has no _doConnect",
      (io) => [Object.getPrototypeOf(io.sockets), "_doConnect"],
    ],
    ["client.connect", "no client can be made", (_io, client) => [Object.getPrototypeOf(client), "connect"]],
    ["client._packet", "a client has no _packet", (_io, client) => [Object.getPrototypeOf(client), "_packet"]],
  ];
  for (const [name, what, find] of parts) {
    it(`is an Error for a Socket.IO without ${name}, and changes nothing`, async () => {
      const started = await startServer();
      await join(started.url, CHAT);
      const [peer] = await peersOf(started.io, CHAT, 1);
      const io = new Server(createServer());
      const { engine } = io;
      atTheEnd(() => engine.close());
      const [owner, key] = find(io, peer!.client);
      const part = Object.getOwnPropertyDescriptor(owner, key)!;

      Object.defineProperty(owner, key, { ...part, value: undefined });
      try {
        expect(() => ioHandler(io)).to.throw(Error, `made for Socket.IO 4.6, 4.7 and 4.8: in this one, ${what}`);
      } finally {
        Object.defineProperty(owner, key, part);
      }
      expect(io.engine).to.equal(engine);
      expect(io.listenerCount("connection")).to.equal(0);
    });
  }
});

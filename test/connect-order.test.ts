// The default namespace goes first: what Socket.IO 2 did for every client, and the article stands on.

import { expect } from "chai";
import type { Server } from "socket.io";
import {
  atTheEnd,
  join,
  joined,
  next,
  onEachTransport,
  onTheWayIn,
  openPlain,
  pause,
  peersOf,
  startServer,
  until,
} from "./support/harness";

const CHAT = "/category/1/item/2/chat";

/** A middleware of the default namespace that takes its time, and refuses those whose `auth.refuse` says so. */
function slowMiddleware(io: Server, ms = 60) {
  io.use(async (socket, done) => {
    await pause(ms);
    done(socket.handshake.auth["refuse"] ? new Error("not you") : undefined);
  });
}

onEachTransport("the order of the two CONNECTs", (transports) => {
  const asked = { transports, query: { ns: CHAT } };

  for (const [title, names] of [
    ["a plain socket.io-client that asks for both in one go gets in", ["/", CHAT]],
    ["one that asks for them the other way round gets in too", [CHAT, "/"]],
  ] as const) {
    it(title, async () => {
      const { url, created } = await startServer();
      await Promise.all(openPlain(url, [...names], asked).map(joined));
      expect(created).to.deep.equal([CHAT]);
    });
  }

  for (const when of ["before", "after"] as const) {
    it(`both get in past a slow middleware that was added ${when} ioHandler`, async () => {
      const { io, url, created } = await startServer({ before: when === "before" ? slowMiddleware : undefined });
      if (when === "after") slowMiddleware(io);

      await Promise.all(openPlain(url, ["/", CHAT], asked).map(joined));
      await join(url, CHAT, { transports });

      expect(created).to.deep.equal([CHAT]);
    });
  }

  it("a CONNECT waits for somebody else who is on the way in to create the namespace", async () => {
    const { io, url } = await startServer({ before: (io) => slowMiddleware(io, 300) });
    const creator = openPlain(url, ["/", CHAT], asked);
    await until(() => io.engine.clientsCount === 1);
    await until(() => onTheWayIn(io) === 1);

    const [follower] = openPlain(url, [CHAT], { transports });

    await Promise.all([...creator, follower!].map(joined));
    await peersOf(io, CHAT, 2);
  });

  it("a CONNECT is refused once those it waits for are refused", async () => {
    const { url, created } = await startServer({ before: slowMiddleware });
    const sockets = openPlain(url, ["/", CHAT], { ...asked, auth: { refuse: true } });

    const errors = await Promise.all(sockets.map((socket) => next<[Error]>(socket, "connect_error")));

    expect(errors.map(([err]) => err.message)).to.deep.equal(["not you", "Invalid namespace"]);
    expect(created).to.deep.equal([]);
  });

  it("a CONNECT is refused once those it waits for have gone", async () => {
    const { io, url } = await startServer({ before: (io) => slowMiddleware(io, 400) });
    const [creator] = openPlain(url, ["/"], asked);
    await until(() => onTheWayIn(io) === 1);
    const [follower] = openPlain(url, [CHAT], { transports });
    await until(() => io.engine.clientsCount === 2);

    creator!.disconnect();

    const [err] = await next<[Error]>(follower!, "connect_error");
    expect(err.message).to.equal("Invalid namespace");
  });

  it("a CONNECT that nobody on the way in asks for is refused at once", async () => {
    const { io, url } = await startServer({ before: (io) => slowMiddleware(io, 5000) });
    openPlain(url, ["/"], { transports, query: { ns: "/category/8/item/8/chat" } });
    await until(() => io.engine.clientsCount === 1);

    const [stranger] = openPlain(url, [CHAT], { transports });

    const started = Date.now();
    const [err] = await next<[Error]>(stranger!, "connect_error");
    expect(err.message).to.equal("Invalid namespace");
    expect(Date.now() - started).to.be.lessThan(3000);
  });

  it("a peer that never asks for the default namespace does not wait for ever", async () => {
    const { url } = await startServer();
    const [alone] = openPlain(url, [CHAT], asked);

    const [err] = await next<[Error]>(alone!, "connect_error");

    expect(err.message).to.equal("Invalid namespace");
  });

  it("a connection that never asks for the default namespace keeps nobody waiting, whenever it came", async () => {
    const { io, url } = await startServer({ before: (io) => slowMiddleware(io, 1300) });
    io.of("/lobby");
    const [refused] = openPlain(url, ["/"], { ...asked, auth: { refuse: true } });
    await until(() => onTheWayIn(io) === 1);
    const [waiting] = openPlain(url, [CHAT], { transports });
    const verdict = next(refused!, "connect_error");
    const answer = next<[Error]>(waiting!, "connect_error");
    await next(waiting!.io as never, "open");
    await pause(1100); // its patience has been tried once
    const [idle] = openPlain(url, ["/lobby"], asked);
    await joined(idle!);

    await verdict;
    expect((await answer)[0].message).to.equal("Invalid namespace");
    expect(idle!.connected).to.equal(true);
  });

  it("an application that rewrites the query in a middleware keeps nobody waiting", async () => {
    const { io, url, created } = await startServer();
    io.use(({ handshake: { query } }, done) => {
      query["ns"] = "/category/5/item/5/chat";
      done();
    });
    const [bootstrap, peer] = openPlain(url, ["/", CHAT], asked);
    const answer = next<[Error]>(peer!, "connect_error");

    await joined(bootstrap!);
    expect((await answer)[0].message).to.equal("Invalid namespace");
    expect(created).to.deep.equal(["/category/5/item/5/chat"]);
    const [stranger] = openPlain(url, [CHAT], { transports });
    await next(stranger!, "connect_error");
  });

  it("a namespace that exists lets a peer in only after the default one has", async () => {
    const { io, url } = await startServer({ before: slowMiddleware });
    await join(url, CHAT, { transports });
    const entered: string[] = [];
    io.on("connection", () => entered.push("/"));
    io.of(CHAT).on("connection", ({ nsp }) => entered.push(nsp.name));

    await join(url, CHAT, { transports });
    const [, refused] = openPlain(url, ["/", CHAT], { ...asked, auth: { refuse: true } });
    await next(refused!, "connect_error");

    expect(entered).to.deep.equal(["/", CHAT]);
  });

  it("the namespaces that the application matches with a pattern of its own still work", async () => {
    const { io, url } = await startServer();
    io.of(/^\/native\/\d+$/);
    const [socket] = openPlain(url, ["/native/1"], { transports });
    atTheEnd(() => socket!.disconnect());
    await joined(socket!);
  });
});

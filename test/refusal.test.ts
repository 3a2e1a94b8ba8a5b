// A refusal concerns the default namespace and the one that was asked for. Whatever else is on the connection stays.

import { expect } from "chai";
import { Manager } from "socket.io-client";
import {
  atTheEnd,
  joined,
  next,
  onEachTransport,
  openPlain,
  openSocket,
  pause,
  peersOf,
  refusal,
  startServer,
  until,
} from "./support/harness";

const CHAT = "/category/1/item/2/chat";
const WRONG = "/category/one/item/2/chat";

onEachTransport("a refusal", (transports) => {
  for (const names of [
    ["/app", "/"],
    ["/", "/app"],
  ]) {
    for (const ns of [undefined, WRONG]) {
      it(`in the default namespace leaves /app alone, asked for ${names.join(" and then ")}, with ns=${ns}`, async () => {
        const { io, url } = await startServer();
        io.of("/app").on("connection", (socket) => socket.on("ask", (answer: (text: string) => void) => answer("yes")));
        const sockets = openPlain(url, names, { transports, query: ns ? { ns } : {} });
        const [app, own] = [sockets[names.indexOf("/app")]!, sockets[names.indexOf("/")]!];
        const left = next<[string]>(own, "disconnect");
        const lost: string[] = [];
        app.on("disconnect", (reason) => lost.push(reason));

        const [refused] = await next<[{ err: string }]>(own, "refused");
        expect(refused.err).to.equal(ns ? `no route matches ${ns}` : "ns not provided");
        expect(await left).to.deep.equal(["io server disconnect", undefined]);
        await joined(app);
        expect(await app.emitWithAck("ask")).to.equal("yes");

        for (let time = 0; time < 5; time++) await next(own.connect(), "refused"); // who insists loses nothing else
        expect(await app.emitWithAck("ask")).to.equal("yes");
        expect(lost).to.deep.equal([]);
        expect(io.sockets.sockets.size).to.equal(0);
      });
    }
  }

  it("of a namespace leaves /app alone, and nothing in the default namespace", async () => {
    const { io, url } = await startServer();
    io.of("/app").on("connection", (socket) => socket.on("ask", (answer: (text: string) => void) => answer("yes")));
    const heard: string[] = [];
    const [app, peer] = openPlain(url, ["/app", WRONG], { transports, query: { ns: WRONG } });
    app!.io.on("packet", ({ type, nsp }) => heard.push(`${type} ${nsp}`));

    expect((await refusal(peer!)).message).to.equal(`no route matches ${WRONG}`);
    await joined(app!);
    expect(await app!.emitWithAck("ask")).to.equal("yes");
    expect(io.sockets.sockets.size).to.equal(0);
    expect(heard.filter((packet) => packet.endsWith(" /"))).to.deep.equal([]); // it has not asked for the default one
    expect(peer!.active).to.equal(false);
  });

  it("by namespace.use lets go of the namespace at once, though the connection stays, and the peer may ask again", async () => {
    const { io, ee, url, created, retired, namespaces } = await startServer();
    io.of("/app");
    ee.on("namespace.created", (namespace) => {
      namespace.use(({ handshake: { auth } }, done) => done(auth["invited"] ? undefined : new Error("not invited")));
    });
    const [app, peer] = openPlain(url, ["/app", CHAT], { transports, query: { ns: CHAT }, auth: {} });
    expect((await refusal(peer!)).message).to.equal("not invited");
    await joined(app!);
    await until(() => retired.length === 1);
    expect(namespaces()).to.deep.equal(["/app"]);

    peer!.auth = { invited: true };
    await joined(peer!.connect());
    expect(created).to.deep.equal([CHAT, CHAT]);
    expect(io.engine.clientsCount).to.equal(1);
    expect(io.of(CHAT).sockets.has(peer!.id!)).to.equal(true);
  });
});

onEachTransport("a repeated CONNECT", (transports) => {
  it("does not cut off its client, which connects again in an open listener", async () => {
    const { io, url } = await startServer({ before: (io) => io.use((_socket, done) => void setTimeout(done, 30)) });
    const manager = new Manager(url, { transports, query: { ns: CHAT }, autoConnect: false });
    const peer = manager.socket(CHAT);
    atTheEnd(() => peer.disconnect());
    manager.on("open", () => peer.connect());
    let lost = 0;
    manager.on("close", () => lost++);
    await joined(peer.connect());
    expect(lost).to.equal(0);
    await peersOf(io, CHAT, 1);
  });
});

describe("a repeated CONNECT", () => {
  it("changes nothing while the former waits, whose auth io.use has seen, and is answered once", async () => {
    const seen: unknown[] = [];
    const { ee, url } = await startServer({ before: (io) => io.use((_socket, done) => void setTimeout(done, 30)) });
    ee.on("dynamic.group.chat", ({ handshake: { auth } }) => seen.push(auth));
    const socket = openSocket(url, `ns=${CHAT}`);
    const heard: string[] = [];
    socket.on("message", (data) => heard.push(String(data)));
    await next(socket as never, "open");
    for (const time of [1, 2]) socket.send(`40${CHAT},{"time":${time}}`);
    await until(() => heard.length >= 2);
    await pause(50);
    expect(heard.slice(1).map((packet) => packet.slice(0, 27))).to.deep.equal([`40${CHAT},{`.slice(0, 27)]);
    expect(seen).to.deep.equal([{ time: 1 }]);
  });
});

// Who holds a namespace: a peer from its CONNECT on, and neither a handshake alone nor who was refused.

import { expect } from "chai";
import { request } from "node:http";
import type { Namespace } from "socket.io";
import {
  join,
  joined,
  next,
  onEachTransport,
  onTheWayIn,
  open,
  openPlain,
  pause,
  peersOf,
  refusal,
  Server,
  startServer,
  until,
} from "./support/harness";

const CHAT = "/category/1/item/2/chat";

/** A middleware in which those whose `auth.slow` is set wait until the test lets them go on. */
function gate() {
  const waiting: ((err?: Error) => void)[] = [];
  const before = (io: Server) =>
    io.use(({ handshake: { auth } }, done) => (auth["slow"] ? void waiting.push(done) : done()));
  return { waiting, before };
}

onEachTransport("a namespace", (transports) => {
  it("that comes into being while its peer is in a slow io.use is held by that peer", async () => {
    const { waiting, before } = gate();
    const { io, url, created, retired } = await startServer({ before });
    const slow = open(url, CHAT, { transports, auth: { slow: true } });
    await until(() => waiting.length === 1);
    const quick = await join(url, CHAT, { transports });
    const namespace = io.of(CHAT);
    quick.disconnect();
    await until(() => io.engine.clientsCount === 1);
    await pause(20);

    waiting[0]!();
    await joined(slow);
    expect(io.of(CHAT), "the same namespace").to.equal(namespace);
    expect([created, retired]).to.deep.equal([[CHAT], []]);
  });

  it("is not held by a peer that io.use refuses after a while, and that keeps its connection for another one", async () => {
    const { waiting, before } = gate();
    const { io, url, retired } = await startServer({ before });
    io.of("/app");
    const [app, slow] = openPlain(url, ["/app", CHAT], { transports, query: { ns: CHAT }, auth: { slow: true } });
    await joined(app!);
    await until(() => waiting.length === 1);
    const quick = await join(url, CHAT, { transports });
    const refused = refusal(slow!);
    waiting[0]!(new Error("not you"));
    expect((await refused).message).to.equal("not you");

    quick.disconnect();
    await until(() => retired.length === 1);
    expect(app!.connected).to.equal(true);
  });

  it("is held by a peer that has asked for the default namespace first, and comes to it much later", async () => {
    const { io, url, created, retired } = await startServer();
    const [own, peer] = openPlain(url, ["/", CHAT], { transports, query: { ns: CHAT } }).map((s) => s.disconnect());
    await joined(own!.connect());
    await pause(30);
    await joined(peer!.connect());
    expect([created, retired]).to.deep.equal([[CHAT], []]);
    expect(io.of(CHAT).sockets.has(peer!.id!)).to.equal(true);
  });
});

describe("a namespace", () => {
  it("is not held by a long-polling handshake whose client sends no CONNECT", async () => {
    const { io, url, retired } = await startServer();
    const peer = await join(url, CHAT);
    await new Promise<void>((resolve, reject) => {
      const handshake = request(`${url}/socket.io/?EIO=4&transport=polling&ns=${CHAT}`, (response) => {
        response.resume().on("end", resolve);
      });
      handshake.on("error", reject).end();
    });
    expect(io.engine.clientsCount).to.equal(2);
    peer.disconnect();
    await until(() => retired.length === 1);
    expect(io.engine.clientsCount).to.equal(1); // the handshake lives on until Engine.IO's ping times out
  });

  it("is not created by a handshake whose connection closes before a CONNECT", async () => {
    const { io, url, created } = await startServer();
    const peer = open(url, CHAT, { autoConnect: false });
    peer.io.on("open", () => peer.disconnect());
    peer.connect();
    await next(peer.io as never, "close");
    await until(() => [io.engine.clientsCount, onTheWayIn(io)], [0, 0], "connections, and peers on the way in");
    expect(created).to.deep.equal([]);
  });

  it("holds its adapter open until the server or a retirement closes it, once", async () => {
    const closed: string[] = [];
    const Base = new Server().adapter() as unknown as new (namespace: Namespace) => Namespace["adapter"];
    class Counting extends Base {
      override close(): void {
        closed.push(this.nsp.name);
      }
    }
    const { url, retired, close, calm } = await startServer({ io: { adapter: Counting as never } });
    (await join(url, CHAT)).disconnect();
    await calm();
    expect(closed).to.deep.equal([CHAT]);

    await join(url, CHAT);
    await close(); // closes all adapters first, and the connections then
    await until(() => retired.length === 2);
    expect(closed.filter((name) => name === CHAT)).to.have.length(2);
  });

  it("one of thousands on a connection is let go of like the others", async () => {
    // a pattern of the application that matches too creates them for a connection without `?ns=`
    const { io, url, created, retired } = await startServer({ before: (io) => io.of(/^\/category\//) });
    const names = Array.from({ length: 2000 }, (_, i) => `/category/${i}/item/1/chat`);
    const sockets = openPlain(url, names, { transports: ["websocket"] });
    await Promise.all(sockets.map(joined));
    expect(io.engine.clientsCount).to.equal(1);
    for (const name of names) await peersOf(io, name, 1);
    sockets[0]!.io.reconnection(false);
    sockets[0]!.io.engine.close();
    await until(() => retired.length === created.length);
    expect(retired).to.have.length(2000);
  });
});

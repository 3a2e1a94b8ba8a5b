// An application, or a part of it, that does something at an awkward moment. Each of these was wrong once.

import { expect } from "chai";
import type { Namespace } from "socket.io";
import {
  join,
  joined,
  next,
  onEachTransport,
  open,
  openPlain,
  pause,
  peersOf,
  refusal,
  Server,
  startServer,
  until,
  warnings,
} from "./support/harness";

const CHAT = "/category/1/item/2/chat";

type AdapterClass = new (namespace: Namespace) => Namespace["adapter"];

/** Socket.IO's plain adapter, and its own for recovery. */
const Plain = new Server().adapter() as unknown as AdapterClass;
const Recovering = new Server({ connectionStateRecovery: {} }).adapter() as unknown as AdapterClass;

let away: boolean; // the server of the adapter below

/** An adapter of CHAT that cannot be made while its server is away. */
class Failing extends Plain {
  constructor(namespace: Namespace) {
    super(namespace);
    if (away && namespace.name === CHAT) throw new Error("its server is away");
  }
}

onEachTransport("a peer", (transports) => {
  it("gets in though an acknowledgement in the default namespace comes late", async () => {
    const answers: (() => void)[] = [];
    const waiting: (() => void)[] = [];
    let slow = false;
    const { io, url } = await startServer();
    io.of("/app"); // keeps the connection open
    io.use((_socket, done) => (slow ? void waiting.push(done) : done()));
    io.on("connection", (socket) => socket.on("save", (answer: () => void) => answers.push(answer)));
    const [app, own, peer] = openPlain(url, ["/app", "/", CHAT], { transports, query: { ns: CHAT } });
    await Promise.all([app!, own!, peer!].map(joined));
    peer!.disconnect();
    own!.emit("save", () => undefined);
    await until(() => answers.length === 1);
    own!.disconnect();
    await peersOf(io, "/", 0);

    slow = true;
    const back = joined(peer!.connect());
    await until(() => waiting.length === 1);
    answers[0]!();
    waiting[0]!();
    await back;
  });

  it("stays in its namespace though the default one refuses it when it comes back there", async () => {
    let banned = false;
    const { io, ee, url, retired } = await startServer({
      before: (io) => io.use((_socket, done) => done(banned ? new Error("expired") : undefined)),
    });
    ee.on("dynamic.group.chat", (socket) => socket.on("ask", (answer: (text: string) => void) => answer("yes")));
    const [own, peer] = openPlain(url, ["/", CHAT], { transports, query: { ns: CHAT } });
    await Promise.all([own!, peer!].map(joined));
    own!.disconnect();
    await peersOf(io, "/", 0);

    banned = true;
    expect((await refusal(own!.connect())).message).to.equal("expired");
    await pause(20);
    expect(retired).to.deep.equal([]);
    expect(await peer!.emitWithAck("ask")).to.equal("yes");
  });

  it("is in its namespace once, though a middleware has called next twice", async () => {
    const { io, ee, url } = await startServer();
    io.use((_socket, done) => {
      done();
      done();
    });
    let handed = 0;
    ee.on("dynamic.group.chat", () => handed++);
    await join(url, CHAT, { transports });
    await pause(20);
    expect([handed, io.of(CHAT).sockets.size]).to.deep.equal([1, 1]);
  });

  it("is cut off alone where its namespace cannot be created, and gets in when it can", async () => {
    away = true;
    const heard = warnings();
    const { io, url, created } = await startServer({ io: { adapter: Failing as never } });
    io.of("/app");
    const [other] = openPlain(url, ["/app"], { transports });
    await joined(other!);
    const [peer] = openPlain(url, [CHAT], { transports, query: { ns: CHAT } });
    await next(peer!.io as never, "close");
    expect(heard).to.include("its server is away");

    away = false;
    await joined(peer!);
    expect(created).to.deep.equal([CHAT]);
    expect(other!.connected).to.equal(true);
  });

  for (const failure of [new Error("the application's own"), Object.create(null) as object]) {
    const what = failure instanceof Error ? "an error" : "something that is no Error";
    it(`meets the guards of its namespace also where a first attempt to add them has failed with ${what}`, async () => {
      const heard = warnings();
      const { io, ee, url, created, retired } = await startServer({ retireAfter: 60_000 });
      ee.once("namespace.created", () => {
        throw failure;
      });
      ee.on("namespace.created", (namespace) => namespace.use((_socket, done) => done(new Error("members only"))));
      const err = await refusal(open(url, CHAT, { transports })); // its first connection was closed

      expect(err.message).to.equal("members only");
      expect(heard).to.have.length(1);
      expect(created).to.deep.equal([CHAT, CHAT]);
      expect(retired).to.deep.equal([CHAT]);
      expect(io._nsps.has(CHAT)).to.equal(true);
    });
  }

  it("is handed over, and its namespace retired, though a listener of new_namespace has failed once", async () => {
    let failed = false;
    const { ee, url, retired } = await startServer({
      before: (io) =>
        io.on("new_namespace", () => {
          if (failed) return;
          failed = true;
          throw new Error("the application's own");
        }),
    });
    const heard = warnings();
    const handed = next(ee as never, "dynamic.group.chat");
    const peer = await join(url, CHAT, { transports });
    expect((await handed).slice(1)).to.deep.equal(["1", "2"]);
    expect(heard).to.deep.equal(["the application's own"]);
    peer.disconnect();
    await until(() => retired.includes(CHAT));
  });
});

describe("a namespace that could not be created", () => {
  for (const culprit of ["its adapter", "a listener of namespace.created"]) {
    it(`has no creator when the application makes it later, where ${culprit} has failed`, async () => {
      away = culprit === "its adapter";
      const heard = warnings();
      const { io, ee, url } = await startServer({ io: { adapter: Failing as never } });
      const fail = () => {
        throw new Error("the application's own");
      };
      if (!away) ee.once("namespace.created", fail);
      await next(open(url, CHAT, { reconnection: false }).io as never, "close");
      expect(heard).to.have.length(1);

      away = false;
      const made = next(ee as never, "namespace.created");
      io.of(CHAT);
      expect((await made)[2]).to.equal(undefined);
    });
  }
});

describe("a namespace that Socket.IO itself has removed", () => {
  it("is retired once, though its countdown ran", async () => {
    const { io, url, created, retired, calm } = await startServer({
      retireAfter: 40,
      io: { cleanupEmptyChildNamespaces: true },
      before: (io) => io.of(/^\/category\/.*$/),
    });
    (await join(url, CHAT)).disconnect();
    await until(() => io.engine.clientsCount, 0);
    await until(() => !io._nsps.has(CHAT));
    const [direct] = openPlain(url, [CHAT]);
    await joined(direct!);
    await pause(80); // the first countdown would end now
    expect(io.of(CHAT).sockets.has(direct!.id!)).to.equal(true);
    direct!.disconnect();
    await calm();
    expect(retired).to.deep.equal(created);
  });

  it("is created anew by the next peer that asks for it, also before retireAfter is over", async () => {
    let allowed = true;
    const { io, url, created } = await startServer({
      retireAfter: 60_000,
      io: { cleanupEmptyChildNamespaces: true },
      before: (io) => io.of((_name, _auth, done) => done(null, allowed)),
    });
    const [direct] = openPlain(url, [CHAT]);
    await joined(direct!);
    direct!.disconnect();
    await until(() => !io._nsps.has(CHAT));
    allowed = false;
    await join(url, CHAT);
    expect(created).to.deep.equal([CHAT, CHAT]);
  });
});

describe("an adapter for recovery", () => {
  it("of the application's own, which extends what io.adapter() returns, is built whole", async () => {
    const { io, url } = await startServer({ io: { connectionStateRecovery: {} } });
    const Base = io.adapter() as unknown as AdapterClass;
    class Counting extends Base {
      readonly log: string[] = [];
      override broadcast(...args: Parameters<Namespace["adapter"]["broadcast"]>): void {
        this.log.push(String(args[0].data));
        super.broadcast(...args);
      }
    }
    io.adapter(Counting as never);
    const peer = await join(url, CHAT);
    io.of(CHAT).emit("news");
    await next(peer, "news");
    expect((io.of(CHAT).adapter as Counting).log).to.deep.equal(["news"]);
    expect(io.of(CHAT).adapter).to.be.instanceOf(Recovering);
  });

  it("is not what an adapter of the application's own is that has packets too", async () => {
    class Logging extends Plain {
      readonly packets: unknown[] = [];
      readonly log = new Map<string, number>();
    }
    const { io } = await startServer({ io: { adapter: Logging as never } });
    expect((io.of(CHAT).adapter as Logging).log).to.be.instanceOf(Map);
  });

  it("of the application's own, which extends Socket.IO's, is built whole", async () => {
    class Logging extends Recovering {
      readonly log: string[] = [];
      override broadcast(...args: Parameters<Namespace["adapter"]["broadcast"]>): void {
        this.log.push(String(args[0].data));
        super.broadcast(...args);
      }
    }
    const { io } = await startServer({ io: { adapter: Logging as never, connectionStateRecovery: {} } });
    io.of(CHAT).emit("news");
    expect((io.of(CHAT).adapter as Logging).log).to.have.length(1);
  });

  it("of any kind keeps no session in the default namespace", async () => {
    const kept: string[] = [];
    class Keeping extends Plain {
      override persistSession(): void {
        kept.push(this.nsp.name);
      }
    }
    const { io, url } = await startServer({ io: { adapter: Keeping as never, connectionStateRecovery: {} } });
    const peer = await join(url, CHAT, { reconnection: false });
    peer.io.engine.close();
    await until(() => io.engine.clientsCount === 0);
    expect(kept).to.deep.equal([CHAT]);
  });
});

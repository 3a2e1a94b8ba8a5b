// Every engine and HTTP server of a server, and every server of a process: the order is where Socket.IO itself takes a
// CONNECT in, and reads the query where Socket.IO does.

import { expect } from "chai";
import { createServer, type Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Server as SocketIoServer } from "socket.io";
import { io as connectPlainly } from "socket.io-client";
import ioHandler from "../backend/io-handler";
import {
  atTheEnd,
  endPolls,
  join,
  joined,
  next,
  onEachTransport,
  openPlain,
  refusal,
  Server,
  startServer,
} from "./support/harness";

const CHAT = "/category/1/item/2/chat";

/** What Engine.IO hands to a middleware. */
type EngineRequest = { url: string; _query: Record<string, string> };

async function listen(http: HttpServer): Promise<string> {
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
}

onEachTransport("the query of a handshake", (transports) => {
  it("is what socket.handshake.query shows: a middleware of the engine may add ns", async () => {
    const { io, url, created } = await startServer();
    io.engine.use((request: EngineRequest, _response: unknown, done: () => void) => {
      request._query["ns"] = CHAT;
      done();
    });
    const [peer] = openPlain(url, [CHAT], { transports });
    await joined(peer!);
    expect(created).to.deep.equal([CHAT]);
  });

  it("is refused where ns is no string, as Engine.IO before 6.6 makes of one that is repeated", async () => {
    const { io, url } = await startServer();
    io.engine.use((request: { _query: Record<string, unknown> }, _response: unknown, done: () => void) => {
      request._query["ns"] = [CHAT, CHAT];
      done();
    });
    const [own] = openPlain(url, ["/"], { transports });
    expect(await next(own!, "refused")).to.deep.equal([{ err: "ns not provided" }]);
  });

  it("may be kept apart from the URL by the engine", async () => {
    const { io, url, created } = await startServer();
    io.engine.on("connection", ({ request }: { request: EngineRequest }) => {
      request.url = request.url.replace(/\?.*/, "");
    });
    await join(url, CHAT, { transports });
    expect(created).to.deep.equal([CHAT]);
  });
});

onEachTransport("a server", (transports) => {
  for (const when of ["before", "after"]) {
    it(`that is attached to two HTTP servers ${when} ioHandler has peers on both`, async () => {
      const io = new Server();
      const both = [createServer(), createServer()];
      const attach = () => {
        for (const http of both) {
          io.attach(http);
          endPolls(io);
          const { engine } = io; // `io.close()` closes the last one alone
          atTheEnd(() => (engine.close(), http.closeAllConnections(), http.close()));
        }
      };
      if (when === "before") attach();
      const ee = ioHandler(io);
      if (when === "after") attach();
      const handed: string[] = [];
      ee.on("dynamic.group.chat", (socket) => handed.push(socket.id));

      const peers = [];
      for (const http of both) peers.push(await join(await listen(http), CHAT, { transports }));
      expect(handed).to.deep.equal(peers.map(({ id }) => id));
      expect(io.of(CHAT).sockets.size).to.equal(2);
    });
  }

  it("without an ioHandler in the same process is as Socket.IO made it", async () => {
    await startServer();
    const http = createServer();
    const io = new Server(http);
    atTheEnd(() => io.close());
    const url = await listen(http);
    const [own, peer] = openPlain(url, ["/", CHAT], { transports, query: { ns: CHAT } });
    expect((await refusal(peer!)).message).to.equal("Invalid namespace");
    await joined(own!);
    expect(io.sockets.sockets.size).to.equal(1);
  });

  it("whose application closes a connection at once lives on, and the next peer gets in", async () => {
    const { io, url, created } = await startServer();
    let closed = 0;
    io.engine.on("connection", (conn: { close(discard?: boolean): void }) => {
      if (closed++ < 1) conn.close(true);
    });
    await join(url, CHAT, { transports, reconnectionDelay: 10 }).catch(() => undefined);
    await join(url, CHAT, { transports });
    expect(closed).to.be.greaterThan(1);
    expect(created[0]).to.equal(CHAT);
  });

  it("whose engine has an emitter of its own, as Bun's, needs nothing of it but `on`", async () => {
    const { io, url, created, calm } = await startServer();
    io.engine.on("connection", (conn: object) => {
      Object.assign(conn, { listenerCount: undefined, setMaxListeners: undefined, prependListener: undefined });
    });
    const peer = await join(url, CHAT, { transports });
    expect(created).to.deep.equal([CHAT]);
    peer.disconnect();
    await calm();
  });

  it("shows the application's listeners what came over the wire, and nothing else", async () => {
    const { io, url } = await startServer();
    const received: string[] = [];
    io.engine.on("connection", (conn: NodeJS.EventEmitter) => conn.on("data", (data) => received.push(String(data))));
    await join(url, CHAT, { transports });
    expect(received).to.deep.equal([`0${CHAT},`]);
  });
});

describe("servers of Socket.IO 4.6, 4.7 and 4.8", () => {
  it("work side by side in one process", async () => {
    for (const name of ["socket.io-4.6", "socket.io-4.7", "socket.io"]) {
      const { Server: Other } = require(name) as { Server: typeof SocketIoServer };
      const http = createServer();
      const io = new Other(http);
      const ee = ioHandler(io);
      atTheEnd(() => {
        const closed = io.close();
        http.closeAllConnections();
        return closed;
      });
      const handed = next<[unknown, string, string]>(ee as never, "dynamic.group.chat");
      const retired = next(ee as never, "namespace.retired");
      const socket = connectPlainly((await listen(http)) + CHAT, { query: { ns: CHAT }, forceNew: true });
      await joined(socket);
      expect((await handed).slice(1), name).to.deep.equal(["1", "2"]);
      socket.disconnect();
      await retired;
    }
  });
});

describe("the timers of a server", () => {
  it("are Node's own, where the global ones return numbers, as under jsdom", async () => {
    const { setTimeout: timeout, setInterval: interval } = globalThis;
    const numbered = (timer: NodeJS.Timeout) => Number(timer);
    try {
      globalThis.setTimeout = ((...args: Parameters<typeof timeout>) => numbered(timeout(...args))) as never;
      globalThis.setInterval = ((...args: Parameters<typeof interval>) => numbered(interval(...args))) as never;
      const io = new Server();
      const ee = ioHandler(io);
      const retired = next(ee as never, "namespace.retired");
      io.of(CHAT);
      await retired;
    } finally {
      Object.assign(globalThis, { setTimeout: timeout, setInterval: interval });
    }
  });
});

// Nothing that a client sends does harm: it is told why it is refused, and leaves nothing behind.

import { expect } from "chai";
import { request } from "node:http";
import { connect as dial } from "node:net";
import {
  join,
  next,
  onEachTransport,
  onTheWayIn,
  openPlain,
  openSocket,
  pause,
  startServer,
  until,
} from "./support/harness";

const CHAT = "/category/1/item/2/chat";

const bad: [string, string][] = [
  ["no ns", "x=1"],
  ["an empty ns", "ns="],
  ["ns repeated, the last one matching nothing", `ns=${CHAT}&ns=/b`],
  ["ns[]", `ns[]=${CHAT}`],
  ["NS", `NS=${CHAT}`],
  ["__proto__", "ns=__proto__"],
  ["/__proto__", "ns=/__proto__"],
  ["constructor", "ns=constructor"],
  ["the default namespace", "ns=/"],
  ["a name without a slash", "ns=category"],
  ["a prefix", `ns=/x${CHAT}`],
  ["a suffix", `ns=${CHAT}/x`],
  ["a slash at the end", `ns=${CHAT}/`],
  ["two slashes", `ns=/${CHAT}`],
  ["a query", `ns=${encodeURIComponent(`${CHAT}?a=1`)}`],
  ["a newline", `ns=${CHAT}%0A`],
  ["a NUL", `ns=${CHAT}%00`],
  ["Arabic digits", `ns=${encodeURIComponent("/category/١/item/٢/chat")}`],
  ["bad percent-encoding", `ns=${CHAT}%E0%A4%A`],
  ["a traversal", "ns=/category/1/item/../item/2/chat"],
  ["12 kB of digits in the wrong place", `ns=/category/${"9".repeat(12_000)}`],
  ["12 kB of anything", `ns=${"%F0%9F%A6%9C".repeat(1000)}`],
];

/** A bare long-polling client: one GET or POST, and the text that comes back. */
function poll(url: string, query: string, body?: string): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url);
    const path = `/socket.io/?EIO=4&transport=polling&${query}`;
    const headers = body === undefined ? {} : { "content-type": "text/plain;charset=UTF-8" };
    const call = request({ hostname, port, path, method: body === undefined ? "GET" : "POST", headers }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
    });
    call.on("error", reject);
    call.end(body);
  });
}

/** Opens a long-polling connection; resolves with its id. */
async function handshake(url: string, query: string): Promise<string> {
  return (JSON.parse((await poll(url, query)).text.slice(1)) as { sid: string }).sid;
}

/** A bare WebSocket client: sends Engine.IO packets as they are, and keeps what comes back until it is closed. */
async function speak(url: string, query: string, packets: (string | Buffer)[]): Promise<string[]> {
  const socket = openSocket(url, query);
  const heard: string[] = [];
  socket.on("message", (data) => heard.push(String(data)));
  socket.on("error", () => undefined);
  await next(socket as never, "open");
  for (const packet of packets) socket.send(packet);
  await next(socket as never, "close");
  return heard;
}

describe("a handshake that asks for nothing that a route matches", () => {
  for (const [what, query] of bad) {
    it(`${what} is told why and creates nothing, on WebSocket and on long polling`, async () => {
      const { io, url, created, namespaces } = await startServer();
      const missing = /^(no ns|an empty ns|ns\[\]|NS)$/.test(what);
      const reason = missing ? "ns not provided" : "no route matches ";
      const isReason = (packet: string) => packet.startsWith(`42["refused",{"err":"${reason}`);

      const socket = openSocket(url, query);
      const heard: string[] = [];
      socket.on("message", (data) => heard.push(String(data)));
      await next(socket as never, "open");
      for (const packet of ["40", `40${CHAT},`]) socket.send(packet);
      await until(() => heard.some(isReason));
      socket.close();

      const session = `${query}&sid=${await handshake(url, query)}`;
      await poll(url, session, `40\x1e40${CHAT},`);
      for (let packets: string[] = []; !packets.some(isReason);) {
        packets = (await poll(url, session)).text.split("\x1e");
      }
      await poll(url, session, "1");

      await until(() => io.engine.clientsCount === 0);
      expect(created).to.deep.equal([]);
      expect(namespaces()).to.deep.equal([]);
    });
  }

  it("whose client stays is closed at connectTimeout, whether it has asked for a namespace or for the default one", async () => {
    const { io, url } = await startServer({ io: { connectTimeout: 300 } });
    for (const packet of ["40", "40/wrong,"]) {
      await speak(url, "ns=/wrong", [packet]);
      const session = `ns=/wrong&sid=${await handshake(url, "ns=/wrong")}`;
      await poll(url, session, packet);
      for (let status = 200, text = ""; status === 200 && text !== "1";) ({ status, text } = await poll(url, session));
    }
    await until(() => io.engine.clientsCount === 0);
  });

  it("where ns is repeated, the last one counts, and the article's server would have crashed", async () => {
    const { url, created } = await startServer();
    const socket = openSocket(url, `ns=/nothing/here&ns=${CHAT}`);
    const heard: string[] = [];
    socket.on("message", (data) => heard.push(String(data)));
    await next(socket as never, "open");
    socket.send(`40${CHAT},`);
    await until(() => heard.length === 2);
    expect(heard[1]).to.match(/^40\/category\/1\/item\/2\/chat,\{"sid":/);
    expect(created).to.deep.equal([CHAT]);
  });

  it("WebTransport, which has no query, is told that ns was not provided", async () => {
    const { io, url } = await startServer({ io: { connectTimeout: 1000 } });
    // Engine.IO hands on such a connection without a request; a WebSocket's stands in for one here
    io.engine.prependListener("connection", (conn: { request: unknown }) => {
      conn.request = null;
    });
    const afterwards = next(io.engine as never, "connection");
    expect((await speak(url, `ns=${CHAT}`, ["40"]))[2]).to.equal('42["refused",{"err":"ns not provided"}]');
    await afterwards; // the application's own listeners hear of it too
  });

  it("16 kB are refused by Node.js itself, and the process lives", async () => {
    const { url } = await startServer();
    expect((await poll(url, `ns=${"x".repeat(17_000)}`)).status).to.equal(431);
    await join(url, CHAT);
  });
});

describe("packets that break the protocol", () => {
  const broken: [string, (string | Buffer)[]][] = [
    ["an event for the namespace before its CONNECT is answered", [`40${CHAT},`, `42${CHAT},["message","x"]`]],
    ["a DISCONNECT for the namespace before its CONNECT is answered", [`40${CHAT},`, `41${CHAT},`]],
    ["an event for the default namespace, never asked for", [`40${CHAT},`, '42["message","x"]']],
    ["an event for a namespace never joined", ["40", '42/category/9/item/9/chat,["message","x"]']],
    ["an event before any CONNECT", ['42["message","x"]']],
    ["a DISCONNECT for a namespace never joined", ["40", "41/category/9/item/9/chat,"]],
    ["an acknowledgement that nobody asked for, then rubbish", ["40", `40${CHAT},`, `43${CHAT},77["x"]`, "4x"]],
    ["a packet that is no JSON", ["40", "42{"]],
    ["a CONNECT with a payload that is no object", ["40[1,2]"]],
    ["a CONNECT with a payload that is no JSON", ["40{{"]],
    ["a reserved event name", ["40", `40${CHAT},`, `42${CHAT},["disconnect"]`, "4x"]],
    ["an event without a name", ["40", "42[]"]],
    ["an event whose name is an object", ["40", "42[{}]"]],
    ["an attachment that was not announced", ["40", Buffer.from([1, 2, 3])]],
    ["attachments that never come", ["40", '452-["message",{"_placeholder":true,"num":0}]', "40"]],
    ["too many attachments announced", ["40", '4599999999999-["x"]', "4x"]],
    ["an unknown Engine.IO packet", ["9"]],
    ["an empty packet", ["", "4"]],
  ];

  for (const [what, packets] of broken) {
    it(`${what}: the connection is closed, nothing stays, and the others do not notice`, async () => {
      const { io, url, namespaces } = await startServer();
      const other = await join(url, "/category/3/item/4/chat");

      await speak(url, `ns=${CHAT}`, packets);

      await until(() => io.engine.clientsCount === 1);
      await until(() => namespaces().length === 1);
      expect(other.connected).to.equal(true);
      await join(url, CHAT);
    });
  }

  it("a CONNECT and a goodbye in one go leave nothing behind", async () => {
    const { io, url, namespaces } = await startServer();
    for (const connect of ["40", `40${CHAT},`]) {
      await poll(url, `ns=${CHAT}&sid=${await handshake(url, `ns=${CHAT}`)}`, `${connect}\x1e1`);
      await until(() => [io.engine.clientsCount, onTheWayIn(io), namespaces().length], [0, 0, 0]);
    }
  });

  it("an auth with __proto__ changes nothing for anybody else", async () => {
    const { io, url } = await startServer();
    const seen: unknown[] = [];
    io.on("connection", ({ handshake: { auth } }) => seen.push(auth["admin"], Object.keys(auth)));
    const socket = openSocket(url, `ns=${CHAT}`);
    await next(socket as never, "open");
    socket.send(`40${CHAT},{"__proto__":{"admin":true},"constructor":1}`);
    await until(() => seen.length === 2);
    expect(seen).to.deep.equal([undefined, ["__proto__", "constructor"]]);
    expect({}).to.not.have.property("admin");
  });

  it("events that only the server sends do nothing when a client sends them", async () => {
    const { ee, url } = await startServer();
    ee.on("dynamic.group.chat", (socket) => socket.on("ask", (ack: () => void) => ack()));
    const peer = await join(url, CHAT);
    const other = await join(url, CHAT);
    const heard: string[] = [];
    other.onAny((event: string) => heard.push(event));

    for (const event of ["refused", "topic", "joined", "left"]) peer.emit(event, { err: "x" });
    await peer.emitWithAck("ask");
    await other.emitWithAck("ask");

    expect(heard).to.deep.equal([]);
    expect(peer.connected && other.connected).to.equal(true);
  });

  it("a connection that is torn down in the middle of anything leaves nothing behind", async () => {
    const { io, url, namespaces } = await startServer({ io: { pingInterval: 200, pingTimeout: 200 } });
    const { hostname, port } = new URL(url);
    for (const start of [
      "",
      "GET /socket.io/?EIO=4&transport=polling&ns=",
      `GET /socket.io/?EIO=4&transport=polling&ns=${CHAT} HTTP/1.1\r\nHost: x\r\n\r\n`,
    ]) {
      const socket = dial(Number(port), hostname).on("error", () => undefined);
      await next(socket, "connect");
      await new Promise<void>((resolve) => socket.write(start, () => resolve()));
      await pause(10);
      socket.resetAndDestroy();
    }
    await until(() => io.engine.clientsCount === 0);
    expect(namespaces()).to.deep.equal([]);
  });
});

onEachTransport("a crowd of refused clients", (transports) => {
  it("leaves no namespace, no connection and no name behind, also with connection state recovery", async () => {
    const { io, url, created, namespaces } = await startServer({ io: { connectionStateRecovery: {} } });
    const kept = () => (io.sockets.adapter as unknown as { packets: unknown[] }).packets.length;
    const refused = Array.from({ length: 100 }, (_, i) =>
      openPlain(url, i % 2 ? ["/"] : [`/wrong/${i}`], { transports, query: { ns: `/wrong/${i}` } }),
    );

    await Promise.all(refused.map(([peer], i) => next(peer!, i % 2 ? "refused" : "connect_error")));

    await until(() => io.engine.clientsCount === 0);
    expect(created).to.deep.equal([]);
    expect(namespaces()).to.deep.equal([]);
    expect(io.sockets.sockets.size).to.equal(0);
    expect(kept()).to.equal(0);
  });
});

// Clients that this project did not write: those of every version of Socket.IO since the article's own, with the
// article's literal call, and one in another language.

import { expect } from "chai";
import { spawn, type ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import type { Server, Socket as ServerSocket } from "socket.io";
import { atTheEnd, next, onEachTransport, pause, peersOf, startServer, until } from "../support/harness";
import { pythonOrSkip } from "../support/python";

const CHAT = "/category/1/item/2/chat";
const WRONG = "/category/one/item/2/chat";

/** What all versions of socket.io-client have in common; their own types clash with one another. */
interface AnySocket {
  connected: boolean;
  on(event: string, listener: (...args: never[]) => void): unknown;
  once(event: string, listener: (...args: never[]) => void): unknown;
  emit(event: string, ...args: unknown[]): unknown;
  close(): unknown;
}
type AnyClient = (url: string, options: object) => AnySocket;

/** Before 4.4 a refused socket stays active: when its connection closes it opens another one, and is refused again. */
const clients = [
  { version: "2", name: "socket.io-client-v2", staysActive: true },
  { version: "3.0", name: "socket.io-client-3.0", staysActive: true },
  { version: "4.0", name: "socket.io-client-4.0", staysActive: true },
  { version: "4.5", name: "socket.io-client-4.5", staysActive: false },
  { version: "4.8", name: "socket.io-client", staysActive: false },
];

const slowly = (io: Server) => io.use((_socket, done) => void setTimeout(done, 30));

/** A middleware that refuses everybody. */
const refuse = (_socket: ServerSocket, done: (err?: Error) => void) =>
  done(Object.assign(new Error("members only"), { data: { code: 401 } }));

/** What a peer of the chat can do: hear what its namespace is about, and talk to everybody in it. */
function chat(socket: ServerSocket, ...captures: string[]): void {
  socket.emit("topic", ...captures);
  socket.on("say", (text: string) => socket.nsp.emit("said", text));
}

for (const { version, name, staysActive } of clients) {
  const literally = require(name) as AnyClient;

  onEachTransport(`socket.io-client ${version} with the article's call`, (transports) => {
    const connect = (url: string, ns: string): AnySocket => {
      const socket = literally(url + ns, {
        query: version === "2" ? `ns=${ns}` : { ns },
        transports,
        forceNew: true, // each is a page of its own
        reconnectionDelay: 20,
        reconnectionDelayMax: 60,
      });
      atTheEnd(() => socket.close());
      return socket;
    };

    /** The reasons that a peer hears, in order; a transport that fails is none. */
    const reasonsOf = (socket: AnySocket): unknown[] => {
      const reasons: unknown[] = [];
      socket.on("error", (reason: unknown) => reasons.push(reason)); // of Socket.IO 2: a string, or the data alone
      socket.on("connect_error", ({ message, data, type }: Error & { data?: unknown; type?: string }) => {
        if (type !== "TransportError") reasons.push([message, data]);
      });
      return reasons;
    };

    for (const slow of [false, true]) {
      const options = { io: { allowEIO3: true }, before: slow ? slowly : undefined };

      describe(slow ? "past a slow io.use" : "at once", () => {
        it("creates its namespace as the first peer, and joins it as a later one", async () => {
          const { io, ee, url, created } = await startServer(options);
          ee.on("dynamic.group.chat", chat);
          const sockets: AnySocket[] = [];
          for (let count = 1; count <= 3; count++) {
            const socket = connect(url, CHAT);
            expect(await next(socket, "topic")).to.deep.equal(["1", "2"]);
            for (const name of ["/", CHAT]) await peersOf(io, name, count);
            sockets.push(socket);
          }

          const heard = sockets.map((socket) => next(socket, "said"));
          sockets[2]!.emit("say", "hello");
          expect(await Promise.all(heard)).to.deep.equal([["hello"], ["hello"], ["hello"]]);
          expect(created).to.deep.equal([CHAT]);
        });

        it("is told by the handler why it is refused, and leaves it at that", async () => {
          const { io, url, created } = await startServer(options);
          let connections = 0;
          io.engine.on("connection", () => connections++);
          const socket = connect(url, WRONG);
          const reasons = reasonsOf(socket);

          await until(() => reasons.length > 0 && io.engine.clientsCount === 0);
          await pause(100); // it would try again after 20 ms

          const reason = `no route matches ${WRONG}`;
          expect(reasons).to.deep.equal(version === "2" ? [reason] : [[reason, undefined]]);
          expect(connections).to.equal(1);
          expect(created).to.deep.equal([]);
        });

        for (const where of ["the default namespace", "its namespace"]) {
          it(`is told by a middleware of ${where} why it is refused`, async () => {
            const { io, ee, url } = await startServer(options);
            if (where === "its namespace") ee.on("namespace.created", (namespace) => namespace.use(refuse));
            else io.use(refuse);
            const socket = connect(url, CHAT);
            const reasons = reasonsOf(socket);

            await until(() => reasons.length > 0);
            if (staysActive) socket.close();
            await until(() => io.engine.clientsCount === 0);

            const data = { code: 401 };
            for (const heard of reasons) expect(heard).to.deep.equal(version === "2" ? data : ["members only", data]);
            if (!staysActive) expect(reasons).to.have.length(1);
            expect(socket.connected).to.equal(false);
          });
        }

        it("comes back from a restart of the server", async () => {
          const first = await startServer(options);
          const sockets = [connect(first.url, CHAT), connect(first.url, CHAT)];
          const peers = await peersOf(first.io, CHAT, 2);
          // a client that is just about to upgrade would only notice at its next ping
          await until(() => peers.every(({ conn }) => conn.transport.name === transports.at(-1)));
          await first.close();

          const second = await startServer({ ...options, port: first.port });
          const news = sockets.map((socket) => next(socket, "news"));
          for (const name of ["/", CHAT]) await peersOf(second.io, name, 2);
          second.io.of(CHAT).emit("news", "after it");

          expect(await Promise.all(news)).to.deep.equal([["after it"], ["after it"]]);
          expect(second.created).to.deep.equal([CHAT]);
        });
      });
    }
  });
}

/**
 * Peers in Python that come back when they lose their connection, but not when they are refused. The reconnection of
 * python-socketio itself makes no difference between the two. A line of JSON tells whatever happens, and to which peer.
 */
const PYTHON = `
import json, os, sys, threading, socketio

def be_a_peer(number, url, ns, transport, names, auth):
    client = socketio.Client(reconnection=False)
    done = threading.Event()

    def tell(*what):
        sys.stdout.write(json.dumps([number, what]) + "\\n")
        sys.stdout.flush()

    def refused(name, err):
        tell("refused", name, err)
        done.set()
        client.disconnect()

    def watch(name):
        client.on("connect", lambda: tell("connect", name), namespace=name)
        client.on("connect_error", lambda err: isinstance(err, dict) and refused(name, err), namespace=name)
        client.on("refused", lambda reason: refused(name, reason), namespace=name)
        client.on("news", lambda news: tell("news", name, news), namespace=name)
    for name in names:
        watch(name)

    while not done.is_set():
        try:
            client.connect(url + "?ns=" + ns, auth=auth, transports=[transport], namespaces=names, wait=False)
            client.wait()
        except socketio.exceptions.ConnectionError:
            pass # nobody is there yet
        done.wait(0.1)

def end_with_the_test():
    sys.stdin.read()
    os._exit(0)
threading.Thread(target=end_with_the_test, daemon=True).start()

for number, peer in enumerate(json.loads(sys.argv[1])):
    threading.Thread(target=be_a_peer, args=[number, *peer]).start()
`;

describe("a client in another language, python-socketio", () => {
  let python: string;
  before(function () {
    python = pythonOrSkip(this);
  });

  // before the servers are closed: a WebSocket of python-socketio stays half open until its process ends
  let child: ChildProcess | undefined;
  afterEach(() => child?.kill("SIGKILL"));

  /** Starts peers; what each tells is added to its list in `told`, and `ended` resolves when all have ended. */
  const start = (peers: [url: string, ns: string, transport: string, names: string[], auth: object][]) => {
    child = spawn(python, ["-c", PYTHON, JSON.stringify(peers)], { stdio: ["pipe", "pipe", "inherit"] });
    const told: unknown[][][] = peers.map(() => []);
    createInterface({ input: child.stdout! }).on("line", (line) => {
      const [number, what] = JSON.parse(line) as [number, unknown[]];
      told[number]!.push(what);
    });
    return { told, ended: next(child, "close") };
  };
  /** The namespaces that it may ask for. */
  const ways = (ns: string) => [[ns], ["/", ns], [ns, "/"]];

  for (const transport of ["polling", "websocket"]) {
    it(`is the first peer, ten times in ten, and comes back from a restart of the server, on ${transport}`, async () => {
      const names = Array.from({ length: 10 }, (_, i) => `/category/1/item/${i}/chat`);
      const everybodyIn = async ({ io, created }: Pick<Awaited<ReturnType<typeof startServer>>, "io" | "created">) => {
        for (const name of names) await peersOf(io, name, 1);
        await peersOf(io, "/", 10);
        expect([...created].sort()).to.deep.equal(names);
      };
      const first = await startServer();
      const { told } = start(names.map((name, i) => [first.url, name, transport, ways(name)[i % 3]!, {}]));
      await everybodyIn(first);
      await until(() => told.every((lines, i) => lines.length === ways(names[i]!)[i % 3]!.length));

      void first.close(); // which takes as long as they run
      await until(() => !first.io.httpServer.listening);
      const second = await startServer({ port: first.port });
      await everybodyIn(second);
      for (const name of names) second.io.of(name).emit("news", "after it");

      for (const [i, lines] of told.entries()) {
        const asked = ways(names[i]!)[i % 3]!.map((name) => ["connect", name]);
        await until(() => lines.length > 2 * asked.length);
        expect(lines).to.have.deep.members([...asked, ...asked, ["news", names[i], "after it"]]);
      }
    });

    for (const [whose, ns, auth] of [
      ["the handler", WRONG, {}],
      ["a middleware of the default namespace", CHAT, { refuse: "/" }],
      ["a middleware of its namespace", CHAT, { refuse: CHAT }],
    ] as const) {
      it(`is told by ${whose} why it is refused, and can leave it at that, on ${transport}`, async () => {
        const guard = (socket: ServerSocket, done: (err?: Error) => void) =>
          socket.handshake.auth["refuse"] === socket.nsp.name ? refuse(socket, done) : done();
        const { io, ee, url } = await startServer({ before: (io) => io.use(guard) });
        ee.on("namespace.created", (namespace) => namespace.use(guard));
        let connections = 0;
        io.engine.on("connection", () => connections++);

        const { told, ended } = start(ways(ns).map((names) => [url, ns, transport, names, auth]));
        await ended;

        const reason = whose === "the handler" ? `no route matches ${ns}` : "members only";
        for (const lines of told) {
          const refusals = lines.filter(([what]) => what === "refused");
          expect(refusals).to.not.deep.equal([]);
          for (const refusal of refusals) expect(JSON.stringify(refusal)).to.contain(reason);
        }
        expect(connections).to.equal(3);
      });
    }
  }
});

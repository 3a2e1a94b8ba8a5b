// anywhere.ts: a server for any runtime and any engine, and a client in the same process. The test of the runtimes copies
// it with the files of the pattern, and talks to it through a namespace of its own, `/control`.

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Server } from "socket.io";
import ioHandler from "../../backend/io-handler";
import { connect } from "../../frontend/client";

/** What listens to a server of Socket.IO; resolves with the port on the loopback. */
type Listen = (io: Server) => number | Promise<number>;
type Engine = Server["engine"] & { handler(): object };
declare const Bun: { serve(options: object): { port: number }; gc(now: boolean): void } | undefined;

const load = (name: string): Promise<unknown> => import(name); // no compiler or bundler shall look for it

const engines: Record<string, Listen> = {
  "node:http": async (io) => {
    const http = createServer();
    io.attach(http);
    await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
    return (http.address() as AddressInfo).port;
  },
  "@socket.io/bun-engine": async (io) => {
    const bun = (await load("@socket.io/bun-engine")) as { Server: new (options: { path: string }) => Engine };
    const engine = new bun.Server({ path: "/socket.io/" });
    io.bind(engine);
    return Bun!.serve({ port: 0, hostname: "127.0.0.1", ...engine.handler() }).port;
  },
  "uWebSockets.js": async (io) => {
    type App = { listen(host: string, port: number, listening: (socket: object) => void): void };
    const { default: uws } = (await load("uWebSockets.js")) as {
      default: { App(): App; us_socket_local_port(socket: object): number };
    };
    const app = uws.App();
    io.attachApp(app);
    return new Promise((resolve) => app.listen("127.0.0.1", 0, (socket) => resolve(uws.us_socket_local_port(socket))));
  },
};

async function start(engine: string): Promise<void> {
  const io = new Server({ connectionStateRecovery: { maxDisconnectionDuration: 60_000 } });
  const control = io.of("/control");
  const namespaces: WeakRef<object>[] = [];

  const tell = (event: string, ...about: string[]) => control.emit(event, [event, ...about].join(" "));

  const ee = ioHandler(io);
  ee.on("namespace.created", (namespace) => {
    namespaces.push(new WeakRef(namespace));
    tell("created", namespace.name);
  });
  ee.on("dynamic.group.chat", (peer, category, item) => {
    tell(peer.recovered ? "recovered" : "joined", category, item);
    peer.on("say", (text: string) => peer.nsp.emit("said", text));
    peer.on("disconnect", () => tell("left", category, item));
  });
  ee.on("namespace.retired", ({ name }) => tell("retired", name));

  const port = await engines[engine]!(io);
  control.on("connection", (socket) => {
    socket.on("namespaces", (answer: (names: string[]) => void) => answer([...io._nsps.keys()]));
    socket.on("in memory", (answer: (count: number) => void) => {
      if (typeof Bun === "undefined") globalThis.gc!();
      else Bun.gc(true);
      answer(namespaces.filter((namespace) => namespace.deref() !== undefined).length);
    });
    socket.on("join and leave", (namespace: string, transports: string[], answer: (outcome: string) => void) => {
      const peer = connect(`http://127.0.0.1:${port}`, namespace, { transports });
      peer.once("connect", () => peer.disconnect() && answer("joined"));
      peer.once("connect_error", (err) => answer(err.message));
    });
  });
  console.log(port);
  process.stdin.resume().once("end", () => process.exit()); // whatever becomes of the test
}

void start(process.argv[2]!);

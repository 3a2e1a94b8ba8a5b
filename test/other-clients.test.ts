// Clients that this project did not write: the article's own, of Socket.IO 2, and one in another language.

import { expect } from "chai";
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import clientV2 from "socket.io-client-v2";
import { atTheEnd, onEachTransport, peersOf, startServer } from "./support/harness";
import { pythonOrSkip } from "./support/python";

const CHAT = "/category/1/item/2/chat";

onEachTransport("the article's client, socket.io-client 2", (transports) => {
  const connect = (serverIoUrl: string, namespace: string) => {
    const socket = clientV2.connect(`${serverIoUrl}${namespace}`, {
      query: `ns=${namespace}`,
      transports,
      forceNew: true,
    });
    atTheEnd(() => socket.close());
    return socket;
  };

  it("creates its namespace and joins it where the server sets allowEIO3", async () => {
    const { io, ee, url, created } = await startServer({ io: { allowEIO3: true } });
    ee.on("dynamic.group.chat", (socket, ...captures) => socket.emit("topic", ...captures));

    for (let peer = 1; peer <= 3; peer++) {
      const topic = await new Promise<unknown[]>((resolve, reject) => {
        const socket = connect(url, CHAT);
        socket.on("topic", (...captures: unknown[]) => resolve(captures));
        socket.on("error", reject);
        socket.on("connect_error", reject);
      });
      expect(topic).to.deep.equal(["1", "2"]);
      await peersOf(io, CHAT, peer);
    }
    expect(created).to.deep.equal([CHAT]);
  });

  it("is told why it is refused", async () => {
    const { url } = await startServer({ io: { allowEIO3: true } });
    const bootstrap = clientV2.connect(url, { query: "ns=/nothing/here", transports, forceNew: true });
    atTheEnd(() => bootstrap.close());
    const reason = await new Promise((resolve) => bootstrap.on("refused", resolve));
    expect(reason).to.deep.equal({ err: "no route matches /nothing/here" });
  });
});

/** A first peer in Python that asks for both namespaces in one go, leaves their order to chance, and waits for both. */
const PYTHON = `
import sys, threading, socketio
url, ns, transport = sys.argv[1:]
client = socketio.Client(reconnection=False)
both = {"/": threading.Event(), ns: threading.Event()}
def watch(name):
    client.on("connect", lambda: both[name].set(), namespace=name)
    client.on("connect_error", lambda *err: print("refused", name, err, flush=True), namespace=name)
for name in both:
    watch(name)
client.connect(url + "?ns=" + ns, transports=[transport], namespaces=list(set(both)), wait=False)
ok = all(event.wait(5) for event in both.values())
client.disconnect()
sys.exit(0 if ok else 1)
`;

describe("a client in another language, python-socketio", () => {
  let python: string;
  before(function () {
    python = pythonOrSkip(this);
  });

  for (const transport of ["polling", "websocket"]) {
    it(`creates its namespace as the first peer, ten times in ten, on ${transport}`, async () => {
      // it does not always say goodbye before its process ends; then the server's ping tells
      const { url, created, calm } = await startServer({ io: { pingInterval: 1000, pingTimeout: 1000 } });
      for (let time = 1; time <= 10; time++) {
        const { stdout } = await promisify(execFile)(python, ["-c", PYTHON, url, CHAT, transport]);
        expect(stdout).to.equal("");
        await calm();
        expect(created).to.have.length(time);
      }
    });
  }
});

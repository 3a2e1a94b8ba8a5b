// Several machines: nodes of a cluster on a real redis-server. Most are servers in this process, each with its own
// connection to Redis; those that are killed or start wrongly are processes.

import { spawn, type ChildProcess } from "node:child_process";
import { createServer as createNetServer } from "node:net";
import { join as path } from "node:path";
import { expect } from "chai";
import type { Socket } from "socket.io-client";
import { io } from "socket.io-client";
import { Cluster } from "../backend/cluster/cluster";
import { Link } from "../backend/cluster/link";
import { chat } from "../backend/demo/chat";
import { chatServer } from "../backend/server";
import {
  atTheEnd,
  joined,
  next,
  open,
  pause,
  peersOf,
  startServer,
  until,
  type ClientOptions,
} from "./support/harness";
import { forward, freePort, lacksRedis, listening, RedisServer } from "./support/redis";

const CHAT = "/category/1/item/2/chat";
const channelOf = (namespace: string) => `socket.io#${namespace}#`;

/** Something that happened to a peer: the event, and what came with it. */
type Heard = [event: string, data: Record<string, unknown>, ...more: unknown[]];

/** A peer of the chat, and all it has heard. */
class Peer {
  readonly heard: Heard[] = [];

  constructor(readonly socket: Socket) {
    socket.onAny((...heard: Heard) => this.heard.push(heard));
  }

  /** Joins a chat; resolves when the chat has told its topic. */
  static async join(node: { url: string }, name: string, options: ClientOptions & { to?: string } = {}): Promise<Peer> {
    const { to = CHAT, ...rest } = options;
    const peer = new Peer(open(node.url, to, { transports: ["websocket"], auth: { name }, ...rest }));
    await joined(peer.socket);
    await peer.hears("topic");
    return peer;
  }

  /** Says something; resolves when the server has taken it. */
  async says(text: string): Promise<void> {
    expect(await this.socket.emitWithAck("message", text)).to.deep.equal({ ok: true });
  }

  /** Resolves with the data of the first such event, as soon as there is one. */
  async hears(event: string, which: Record<string, unknown> = {}): Promise<Record<string, unknown>> {
    const fits = ([name, data]: Heard) =>
      name === event && Object.entries(which).every(([key, value]) => data[key] === value);
    await until(() => this.heard.some(fits));
    return this.heard.find(fits)![1];
  }

  /** The texts of all messages. */
  get texts(): unknown[] {
    return this.heard.filter(([event]) => event === "message").map(([, { text }]) => text);
  }
}

/** A node in this process. */
async function startNode({ url: redisUrl }: { url: string }) {
  const cluster = await Cluster.join(redisUrl);
  const { server, io, ee } = chatServer(undefined, cluster);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  let closing: Promise<void> | undefined;
  const close = () => (closing ??= io.close().then(() => cluster.close()));
  atTheEnd(() => {
    const closed = close();
    server.closeAllConnections();
    return closed;
  });
  return { io, ee, cluster, port, url: `http://127.0.0.1:${port}`, close, knows: (name: string) => io._nsps.has(name) };
}

/** A node that is a process of its own. */
function spawnNode(env: NodeJS.ProcessEnv) {
  const child: ChildProcess = spawn(process.execPath, ["-r", "ts-node/register", "backend/server.ts"], {
    cwd: path(__dirname, ".."),
    env: { ...process.env, HOST: "127.0.0.1", PORT: "0", ...env },
  });
  const node = { child, out: "", err: "", ended: next<[number | null, string | null]>(child, "close"), url: "" };
  child.stdout?.on("data", (chunk) => (node.out += chunk));
  child.stderr?.on("data", (chunk) => (node.err += chunk));
  atTheEnd(() => child.kill("SIGKILL") && node.ended);
  return node;
}

async function spawnListening(env: NodeJS.ProcessEnv) {
  const node = spawnNode(env);
  const address = /^Listening on (\S+)$/m;
  await until(() => address.test(node.out) || node.child.exitCode !== null);
  node.url = address.exec(node.out)?.[1] ?? expect.fail(node.err);
  return node;
}

it("others hear of a peer before they hear from it, and last that it has left, however long a count takes", async () => {
  const { io, ee, url } = await startServer();
  let counted: (peers: number) => void = () => {};
  const counts = [1, new Promise<number>((resolve) => (counted = resolve)), 1];
  const askAll = async () => [{ peers: await counts.shift()!, names: [] }];
  ee.on("dynamic.group.chat", (socket, categoryId, itemId) => {
    void chat(socket, { categoryId, itemId }, askAll);
  });
  const ann = await Peer.join({ url }, "ann");
  const bob = open(url, CHAT, { transports: ["websocket"] });
  const [, atServer] = await peersOf(io, CHAT, 2);
  bob.emit("message", "I am in a hurry");
  await next(atServer!, "message");
  bob.disconnect();
  await peersOf(io, CHAT, 1);

  expect(ann.heard).to.have.lengthOf(1);
  counted(2);
  await ann.hears("left");
  expect(ann.heard.map(([event]) => event)).to.deep.equal(["topic", "joined", "message", "left"]);
});

/** Resolves when an expectation that no event announces is fulfilled; rejects with its error after 15 s. */
async function eventually(expectation: () => Promise<unknown>): Promise<void> {
  for (const deadline = Date.now() + 15_000; ; await pause(5)) {
    try {
      return void (await expectation());
    } catch (err) {
      if (Date.now() > deadline) throw err;
    }
  }
}

/** Counts those who look for a Redis that has been stopped, and turns them away. */
async function atDoorOf({ port }: RedisServer) {
  const server = createNetServer((socket) => {
    door.knocks++;
    socket.destroy();
  });
  const door = { knocks: 0, close: () => new Promise((resolve) => server.close(resolve)) };
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return door;
}

describe("a cluster", () => {
  let redis: RedisServer;
  let log: string[];
  const { log: consoleLog, error: consoleError } = console;

  before(async function () {
    const lacking = lacksRedis();
    if (lacking && process.env["CI"]) throw new Error(lacking);
    if (lacking) {
      console.log(`  Skipped: ${lacking}.`);
      this.skip();
    }
    redis = await RedisServer.start();
    console.log = console.error = (line: string) => log.push(line);
  });

  beforeEach(() => {
    log = [];
  });

  after(async () => {
    await redis?.stop();
    Object.assign(console, { log: consoleLog, error: consoleError });
  });

  const logged = (part: string) => log.filter((line) => line.includes(part));

  it("is one namespace for peers on three nodes: messages, joined, left, the count of peers", async () => {
    const [a, b, c] = [await startNode(redis), await startNode(redis), await startNode(redis)];
    const ann = await Peer.join(a, "ann");
    const bob = await Peer.join(b, "bob");
    const eve = await Peer.join(c, "eve");

    expect(await ann.hears("topic")).to.include({ peers: 1, created: true });
    expect(await bob.hears("topic")).to.include({ peers: 2, created: true }); // new on this node
    expect(await eve.hears("topic")).to.include({ peers: 3 });
    expect(await ann.hears("joined", { name: "bob" })).to.include({ peers: 2 });
    expect(await bob.hears("joined", { name: "eve" })).to.include({ peers: 3 });

    await Promise.all([ann.says("a"), bob.says("b"), eve.says("c")]);
    for (const peer of [ann, bob, eve]) for (const text of ["a", "b", "c"]) await peer.hears("message", { text });
    eve.socket.disconnect();
    for (const peer of [ann, bob]) expect(await peer.hears("left", { name: "eve" })).to.include({ peers: 2 });
    for (const peer of [ann, bob]) expect(peer.texts).to.have.members(["a", "b", "c"]);
    for (const heard of bob.heard) expect(heard).to.have.lengthOf(2); // no offsets: there is no state to recover
  });

  it("keeps namespaces apart", async () => {
    const [a, b] = [await startNode(redis), await startNode(redis)];
    const ann = await Peer.join(a, "ann");
    const bob = await Peer.join(b, "bob", { to: "/category/1/item/3/chat" });
    expect(await bob.hears("topic")).to.include({ peers: 1 });

    await bob.says("for nobody");
    await ann.says("for me");
    await ann.hears("message", { text: "for me" });
    expect(ann.texts).to.deep.equal(["for me"]);
  });

  it("lets WebSocket peers arrive at any node, and come back to any other", async () => {
    const [a, b] = [await startNode(redis), await startNode(redis)];
    const balancer = await forward([a.port, b.port]);
    atTheEnd(balancer.close);
    const entrance = { url: `http://127.0.0.1:${balancer.port}` };

    const peers = [];
    for (let i = 0; i < 6; i++) peers.push(await Peer.join(entrance, `peer ${i}`));
    expect([a.io.of(CHAT).sockets.size, b.io.of(CHAT).sockets.size]).to.deep.equal([3, 3]);

    const [first, second] = peers as [Peer, Peer];
    first.socket.io.engine.close(); // as when the network fails
    await next(first.socket, "connect");
    await until(() => first.heard.filter(([event]) => event === "topic").length === 2);
    await first.says("back");
    for (const peer of peers) await peer.hears("message", { text: "back" });
    expect(await second.hears("left", { name: "peer 0" })).to.include({ peers: 5 });
  });

  it("carries messages between long polling peers, each of which stays at its node", async () => {
    const [a, b] = [await startNode(redis), await startNode(redis)];
    const ann = await Peer.join(a, "ann", { transports: ["polling"] });
    const bob = await Peer.join(b, "bob", { transports: ["polling"] });
    expect(await bob.hears("topic")).to.include({ peers: 2 });
    await bob.says("hello");
    await ann.hears("message", { text: "hello" });
  });

  it("cannot serve long polling that does not stay at its node", async () => {
    const [a, b] = [await startNode(redis), await startNode(redis)];
    const poll = "/socket.io/?EIO=4&transport=polling";
    const { sid } = JSON.parse((await (await fetch(a.url + poll)).text()).slice(1)) as { sid: string };

    const elsewhere = await fetch(`${b.url}${poll}&sid=${sid}`);
    expect(elsewhere.status).to.equal(400);
    expect(await elsewhere.json()).to.include({ message: "Session ID unknown" });
  });

  it("tells a landing page of its own node alone", async () => {
    const [a, b] = [await startNode(redis), await startNode(redis)];
    const listed = ({ heard }: Peer) =>
      (heard.at(-1)![1]["first"] as { name: string; peers: number }[]).map(({ name, peers }) => `${name} ${peers}`);
    const [pageA, pageB] = [io(`${a.url}/lobby`), io(`${b.url}/lobby`)].map((socket) => {
      atTheEnd(() => socket.disconnect());
      socket.on("namespaces", (_list, taken: () => void) => taken());
      return new Peer(socket);
    }) as [Peer, Peer];
    await Promise.all([pageA.hears("namespaces"), pageB.hears("namespaces")]);

    await Peer.join(a, "ann");
    await Peer.join(b, "bob", { to: "/category/1/item/3/chat" });
    await eventually(async () => expect(listed(pageA)).to.deep.equal([`${CHAT} 1`]));
    await eventually(async () => expect(listed(pageB)).to.deep.equal(["/category/1/item/3/chat 1"]));
  });

  it("lets a node go when its last peer has left, and nobody elsewhere notices", async () => {
    const [a, b, c] = [await startNode(redis), await startNode(redis), await startNode(redis)];
    const ann = await Peer.join(a, "ann");
    const bob = await Peer.join(b, "bob");
    const eve = await Peer.join(c, "eve");
    expect(await redis.subscribers(channelOf(CHAT))).to.equal(3);

    const before = await redis.channels();
    eve.socket.disconnect();
    expect(await ann.hears("left", { name: "eve" })).to.include({ peers: 2 });
    await until(() => !c.knows(CHAT));
    await eventually(async () => expect(await redis.subscribers(channelOf(CHAT))).to.equal(2));
    expect(await redis.channels()).to.have.lengthOf(before.length - 1); // that for its answers

    await ann.says("still here");
    await bob.hears("message", { text: "still here" });
    expect(eve.texts).to.deep.equal([]);
  });

  it("counts by the name: a namespace may have been created anew, and the application's own are counted here", async () => {
    const a = await startNode(redis);
    const ann = await Peer.join(a, "ann");
    const retired = a.io.of(CHAT);
    ann.socket.disconnect();
    await until(() => !a.knows(CHAT));
    await Peer.join(a, "amy");
    expect(await a.cluster.countPeers(retired)).to.equal(1);

    const page = io(`${a.url}/lobby`);
    atTheEnd(() => page.disconnect());
    await joined(page);
    expect(await a.cluster.countPeers(a.io.of("/lobby"))).to.equal(1);
  });

  it("an emit from outside reaches the peers on the other node", async () => {
    const [a, b] = [await startNode(redis), await startNode(redis)];
    const bob = await Peer.join(b, "bob");
    a.io.of(CHAT).emit("message", { text: "from a job" });
    await bob.hears("message", { text: "from a job" });
    expect(bob.texts).to.deep.equal(["from a job"]);
  });

  it("an emit from outside leaves nothing behind on a node without peers", async () => {
    const [a, b] = [await startNode(redis), await startNode(redis)];
    const bob = await Peer.join(b, "bob");
    const before = await redis.channels();
    a.io.of(CHAT).emit("message", { text: "from a job" });
    await bob.hears("message", { text: "from a job" });
    await until(() => !a.knows(CHAT));
    await eventually(async () => expect(await redis.channels()).to.have.members(before));

    // and the next peer finds what any first peer finds
    const ann = await Peer.join(a, "ann");
    expect(await ann.hears("topic")).to.include({ peers: 2, created: true });
    await bob.says("hello");
    await ann.hears("message", { text: "hello" });
  });

  describe("with a Redis that is far away", () => {
    const FAR = 100; // milliseconds in each direction

    async function startFarNode() {
      const far = await forward([redis.port], FAR);
      atTheEnd(far.close);
      return startNode({ url: `redis://127.0.0.1:${far.port}` });
    }

    it("a peer hears everything that is said after it has joined", async () => {
      const [a, b] = [await startNode(redis), await startFarNode()];
      const ann = await Peer.join(a, "ann");
      const bob = new Peer(open(b.url, CHAT, { transports: ["websocket"] }));
      await joined(bob.socket);
      await ann.says("welcome");
      await bob.hears("message", { text: "welcome" });
    });

    it("a node that closes takes leave for its peers, and counts right", async () => {
      const [a, b] = [await startNode(redis), await startFarNode()];
      const ann = await Peer.join(a, "ann");
      await Peer.join(b, "bob", { reconnection: false });
      await b.close();
      expect(await ann.hears("left")).to.include({ name: "bob", peers: 1 });
    });

    it("a node that closes takes leave also for a peer that has only just come", async () => {
      const [a, b] = [await startNode(redis), await startFarNode()];
      const ann = await Peer.join(a, "ann");
      const bob = open(b.url, CHAT, { transports: ["websocket"], auth: { name: "bob" }, reconnection: false });
      await joined(bob);
      await b.close();
      expect(await ann.hears("joined", { name: "bob" })).to.be.an("object");
      expect(await ann.hears("left", { name: "bob" })).to.include({ peers: 1 });
    });

    it("a node that closes sends also what its application makes of the last count", async () => {
      const [a, b] = [await startNode(redis), await startFarNode()];
      const ann = await Peer.join(a, "ann");
      b.ee.on("dynamic.group.chat", (socket) => {
        socket.on("disconnect", async () => {
          const peers = await b.cluster.countPeers(socket.nsp);
          for (let i = 0; i < 20; i++) await null; // as an application may, before it comes to speak
          socket.nsp.emit("message", { text: `${peers} left` });
        });
      });
      await Peer.join(b, "bob", { reconnection: false });
      await b.close();
      await ann.hears("message", { text: "1 left" });
    });

    it("a peer hears what is said in a room from the moment when it is there", async () => {
      const [a, b] = [await startNode(redis), await startFarNode()];
      await Peer.join(a, "ann");
      const bob = await Peer.join(b, "bob");
      const [atServer] = await peersOf(b.io, CHAT, 1);
      await atServer!.join("corner");
      a.io.of(CHAT).to("corner").emit("message", { text: "psst" });
      await bob.hears("message", { text: "psst" });
    });

    it("a namespace that is retired and created again at once is not deaf, nor is one that is retired again", async () => {
      const [a, b] = [await startNode(redis), await startFarNode()];
      const ann = await Peer.join(a, "ann");
      const namespaces = new Set<unknown>();

      for (let round = 0; round < 3; round++) {
        const bob = new Peer(open(b.url, CHAT, { transports: ["websocket"] }));
        await joined(bob.socket);
        namespaces.add(b.io.of(CHAT));
        await ann.says(`round ${round}`);
        await bob.hears("message", { text: `round ${round}` });
        bob.socket.disconnect();
        await until(() => !b.knows(CHAT));
      }
      expect(namespaces.size).to.equal(3);
      await eventually(async () => expect(await redis.subscribers(channelOf(CHAT))).to.equal(1));
    });
  });

  it("carries 1,000 namespaces with peers on two nodes: nothing lost, nothing doubled, all released", async function () {
    this.timeout(60_000);
    const [a, b] = [await startNode(redis), await startNode(redis)];
    const idle = (await redis.channels()).length;
    const pairs: [Peer, Peer][] = [];

    for (let i = 0; i < 1000; i += 50) {
      const batch = Array.from({ length: 50 }, async (_, k): Promise<[Peer, Peer]> => {
        const to = `/category/${i + k}/item/1/chat`;
        return Promise.all([Peer.join(a, "ann", { to }), Peer.join(b, "bob", { to })]);
      });
      pairs.push(...(await Promise.all(batch)));
    }
    expect(await redis.channels()).to.have.lengthOf(idle + 3 * 1000); // one is shared, and each node has one for answers

    await Promise.all(
      pairs.map(async ([ann, bob], i) => {
        await Promise.all([ann.says(`from a ${i}`), bob.says(`from b ${i}`)]);
        for (const peer of [ann, bob]) {
          await peer.hears("message", { text: `from a ${i}` });
          await peer.hears("message", { text: `from b ${i}` });
        }
      }),
    );
    await pause(100);
    for (const [i, pair] of pairs.entries()) {
      for (const peer of pair)
        expect(peer.texts)
          .to.have.members([`from a ${i}`, `from b ${i}`])
          .and.lengthOf(2);
    }

    for (const pair of pairs) for (const peer of pair) peer.socket.disconnect();
    await until(() => a.io._nsps.size === 2 && b.io._nsps.size === 2); // the default one and the lobby
    await eventually(async () => expect(await redis.channels()).to.have.lengthOf(idle));
    expect([a.cluster["here"].size, b.cluster["here"].size]).to.deep.equal([0, 0]);
    await a.close();
    await b.close();
    expect(await redis.channels()).to.deep.equal([]);
  });

  describe("when Redis is lost", () => {
    afterEach(async () => {
      redis.thaw();
      await redis.stop();
      await redis.start();
    });

    it("the peers of a node have each other, it is said once, and all is well when Redis is back", async () => {
      const [a, b] = [await startNode(redis), await startNode(redis)];
      const [ann, al] = [await Peer.join(a, "ann"), await Peer.join(a, "al")];
      const bob = await Peer.join(b, "bob");
      const gone = await Peer.join(b, "gone", { to: "/category/1/item/3/chat" });

      await redis.stop();
      await until(() => logged("is lost:").length === 2); // once by each node
      for (let i = 0; i < 100; i++) await ann.says(`alone ${i}`);
      await al.hears("message", { text: "alone 99" });
      const amy = await Peer.join(a, "amy");
      expect(await amy.hears("topic")).to.include({ peers: 3 }); // of this node
      const late = await Peer.join(a, "late", { to: "/category/1/item/4/chat" });
      gone.socket.disconnect();
      await until(() => !b.knows("/category/1/item/3/chat"));
      expect(bob.texts).to.deep.equal([]);

      const door = await atDoorOf(redis);
      await until(() => door.knocks === 4); // twice by each node
      await door.close();
      await redis.start();
      await until(() => logged("is back.").length === 2);
      expect(logged("is lost:")).to.have.lengthOf(2);
      await until(() => a.io.of(CHAT).sockets.size === 3);
      await ann.says("back");
      await bob.hears("message", { text: "back" });
      await bob.says("at last");
      await al.hears("message", { text: "at last" });
      expect(bob.texts).to.deep.equal(["back", "at last"]); // what was missed does not come late

      const lou = await Peer.join(b, "lou", { to: "/category/1/item/4/chat" });
      expect(await lou.hears("topic")).to.include({ peers: 2 });
      await lou.says("found you");
      await late.hears("message", { text: "found you" });
      expect(await redis.subscribers(channelOf("/category/1/item/3/chat"))).to.equal(0);
      for (const { socket } of [ann, al, bob, amy, late]) expect(socket.connected).to.equal(true);
    });

    it("the same where it falls silent with its connections open", async () => {
      const [a, b] = [await startNode(redis), await startNode(redis)];
      const [ann, al] = [await Peer.join(a, "ann"), await Peer.join(a, "al")];
      const bob = await Peer.join(b, "bob");

      redis.freeze();
      await ann.says("hello?");
      await al.hears("message", { text: "hello?" });
      await Promise.all([Peer.join(a, "amy"), Peer.join(a, "eve", { to: "/category/1/item/3/chat" })]);
      expect(log).to.deep.equal([]); // all that while Redis does not yet count as lost
      await until(() => logged("is lost:").length === 2);

      redis.thaw();
      await until(() => logged("is back.").length === 2);
      redis.freeze();
      await until(() => logged("is lost:").length === 4);

      redis.thaw();
      await until(() => logged("is back.").length === 4);
      await ann.says("back");
      await bob.hears("message", { text: "back" });
      expect(bob.texts).to.deep.equal(["back"]); // what was missed does not come late
    });

    it("a node says that it is back when its channels are, also those that came while Redis was away", async () => {
      const far = await forward([redis.port], 100);
      atTheEnd(far.close);
      const a = await startNode({ url: `redis://127.0.0.1:${far.port}` });
      await Peer.join(a, "ann");
      await redis.stop();
      await until(() => logged("is lost:").length === 1);
      await Peer.join(a, "late", { to: "/category/1/item/3/chat" });

      await redis.start();
      await until(() => logged("is back.").length === 1);
      expect(await redis.subscribers(channelOf(CHAT))).to.equal(1);
      expect(await redis.subscribers(channelOf("/category/1/item/3/chat"))).to.equal(1);
    });

    it("it does not say so where Redis is lost again before that", async () => {
      const far = await forward([redis.port], 100);
      atTheEnd(far.close);
      const a = await startNode({ url: `redis://127.0.0.1:${far.port}` });
      await redis.stop();
      await until(() => logged("is lost:").length === 1);
      await Peer.join(a, "late");
      await redis.start();
      await until(() => a.cluster["link"]["client"].isReady);
      far.mute(true); // before the channel is there
      far.mute(false); // for the next connection

      await until(() => logged("is back.").length === 1);
      expect(await redis.subscribers(channelOf(CHAT))).to.equal(1);
      expect(log).to.have.lengthOf(2);
    });

    it("what was on its way when Redis died is made up for: a channel that came, and one that went", async () => {
      const a = await startNode(redis);
      await Peer.join(a, "ann");
      const gone = await Peer.join(a, "gone", { to: "/category/1/item/3/chat" });

      redis.freeze();
      gone.socket.disconnect();
      await until(() => !a.knows("/category/1/item/3/chat"));
      await Peer.join(a, "late", { to: "/category/1/item/4/chat" }); // lets nobody wait for longer than a second
      await redis.stop();
      await redis.start();
      await until(() => logged("is back.").length === 1);
      expect(await redis.subscribers(channelOf("/category/1/item/3/chat"))).to.equal(0);
      expect(await redis.subscribers(channelOf("/category/1/item/4/chat"))).to.equal(1);
    });

    it("a connection that is taken and never answered is not waited for", async function () {
      this.timeout(40_000);
      const far = await forward([redis.port]);
      atTheEnd(far.close);
      const a = await startNode({ url: `redis://127.0.0.1:${far.port}` });
      far.mute(true);
      await until(() => logged("is lost:").length === 1);
      await until(() => far.taken() === 2); // the node tries again, and gets no word
      far.mute(false); // for those who come later
      await until(() => far.taken() === 3);
      await until(() => logged("is back.").length === 1);
      await Peer.join(a, "ann");
      expect(await redis.subscribers(channelOf(CHAT))).to.equal(1);
    });

    it("an application that fails on a message of another node loses no later one", async () => {
      const [a, b] = [await startNode(redis), await startNode(redis)];
      const [ann, bob] = [await Peer.join(a, "ann"), await Peer.join(b, "bob")];
      b.io.on("trouble", () => {
        throw new Error("a mistake in the application");
      });
      a.io.serverSideEmit("trouble");
      await until(() => logged("is back.").length === 1);
      await ann.says("are you well?");
      await bob.hears("message", { text: "are you well?" });
      expect(logged("a mistake in the application")).to.have.lengthOf(1);
    });

    it("again and again while namespaces come and go: no channel is missing afterwards, and none is left", async function () {
      this.timeout(120_000);
      const nodes = [await startNode(redis), await startNode(redis)].map((node) => ({
        ...node,
        peers: new Map<string, Socket>(), // one at most for each namespace
      }));
      const idle = await redis.channels();
      let going = true;

      const comeAndGo = nodes.map(async ({ url, peers }) => {
        for (let i = 0; going; i += 7) {
          const to = `/category/2/item/${i % 40}/chat`;
          const old = peers.get(to);
          if (old) peers.delete(to);
          else peers.set(to, open(url, to, { transports: ["websocket"] }));
          old?.disconnect();
          await pause(5);
        }
      });
      for (const [round, trouble] of ["kill", "freeze", "short freeze", "kill", "freeze"].entries()) {
        const before = logged("is lost:").length;
        await pause(100 + 37 * round);
        if (trouble === "kill") await redis.stop();
        else redis.freeze();
        if (trouble === "short freeze") await pause(500);
        else await until(() => logged("is lost:").length === before + 2);
        if (trouble === "kill") await redis.start();
        else redis.thaw();
        await until(() => logged("is back.").length === logged("is lost:").length);
      }
      going = false;
      await Promise.all(comeAndGo);

      const [here, there] = nodes.map(({ peers }) => peers) as [Map<string, Socket>, Map<string, Socket>];
      const all = [...here.values(), ...there.values()];
      const names = new Set([...here.keys(), ...there.keys()]);
      await until(() => all.every((socket) => socket.connected));
      await until(() => nodes.every(({ io, peers }) => io._nsps.size === 2 + peers.size));
      // each namespace has one channel, and each node that has it one for answers
      const length = idle.length + names.size + all.length;
      await eventually(async () => expect(await redis.channels()).to.have.lengthOf(length));
      for (const name of names) {
        expect(await redis.subscribers(channelOf(name))).to.equal(Number(here.has(name)) + Number(there.has(name)));
      }

      const both = [...here].filter(([name]) => there.has(name));
      expect(both).to.not.be.empty;
      for (const [name, socket] of both) {
        const other = new Peer(there.get(name)!);
        await socket.emitWithAck("message", "hello");
        await other.hears("message", { text: "hello" });
      }

      for (const socket of all) socket.disconnect();
      await until(() => nodes.every(({ io }) => io._nsps.size === 2));
      await eventually(async () => expect(await redis.channels()).to.have.members(idle));
    });

    it("a node that leaves does not come back, even where its application fails on the last message", async () => {
      const far = await forward([redis.port], 100);
      atTheEnd(far.close);
      const [near, leaving] = [await Link.to(redis.url), await Link.to(`redis://127.0.0.1:${far.port}`)];
      atTheEnd(() => near.close());
      leaving.sSubscribe("trouble", () => {
        throw new Error("a mistake in the application");
      });
      await leaving.update("trouble");
      void near.sPublish("trouble", "");
      void leaving.sPublish("the last words", "");
      await leaving.close();
      expect(log).to.deep.equal([]);
      expect(far.taken()).to.equal(1);
    });

    it("closing a node takes no longer", async () => {
      const a = await startNode(redis);
      await Peer.join(a, "ann");
      await redis.stop();
      await until(() => logged("is lost:").length === 1);
      const since = Date.now();
      await a.close();
      expect(Date.now() - since).to.be.below(900);

      const door = await atDoorOf(redis);
      await pause(1200);
      await door.close();
      expect(door.knocks).to.equal(0); // a node that has gone looks for Redis no more
    });
  });

  describe("as processes", () => {
    it("a node that dies takes its peers with it, without a word: the next count is right", async () => {
      const a = await startNode(redis);
      const ann = await Peer.join(a, "ann");
      const b = await spawnListening({ REDIS_URL: redis.url });
      const bob = await Peer.join(b, "bob", { reconnection: false });
      expect(await ann.hears("joined")).to.include({ peers: 2 });

      b.child.kill("SIGKILL");
      await next(bob.socket, "disconnect");
      await eventually(async () => expect(await redis.subscribers(channelOf(CHAT))).to.equal(1));
      const since = Date.now();
      const al = await Peer.join(a, "al");
      expect(Date.now() - since).to.be.below(900); // nobody waits for the dead
      expect(await al.hears("topic")).to.include({ peers: 2 });
      await al.says("where is bob?");
      await ann.hears("message", { text: "where is bob?" });
    });

    it("a node that hangs: the others count their own peers, until it answers or is gone", async () => {
      const a = await startNode(redis);
      const ann = await Peer.join(a, "ann");
      const b = await spawnListening({ REDIS_URL: redis.url });
      await Peer.join(b, "bob", { reconnection: false });
      expect(await ann.hears("joined")).to.include({ peers: 2 });

      b.child.kill("SIGSTOP");
      const since = Date.now();
      const al = await Peer.join(a, "al");
      expect(await al.hears("topic")).to.include({ peers: 2 });
      expect(Date.now() - since).to.be.below(4500); // Socket.IO itself would wait for 5 s
      b.child.kill("SIGCONT");
      const amy = await Peer.join(a, "amy");
      expect(await amy.hears("topic")).to.include({ peers: 4 });
      b.child.kill("SIGSTOP");
      b.child.kill("SIGKILL");
      await b.ended;
      await eventually(async () => expect(await redis.subscribers(channelOf(CHAT))).to.equal(1));
      const eve = await Peer.join(a, "eve");
      expect(await eve.hears("topic")).to.include({ peers: 4 });
    });

    it("SIGTERM ends a node with code 0, and the others hear that its peers have left", async () => {
      const a = await startNode(redis);
      const ann = await Peer.join(a, "ann");
      const b = await spawnListening({ REDIS_URL: redis.url });
      await Peer.join(b, "bob", { reconnection: false });

      const since = Date.now();
      b.child.kill("SIGTERM");
      expect(await b.ended).to.deep.equal([0, null]);
      expect(Date.now() - since).to.be.below(3000);
      expect(await ann.hears("left", { name: "bob" })).to.include({ peers: 1 });
      expect(b.err).to.equal("");
    });

    it("SIGTERM ends a node with code 0 while Redis is away", async () => {
      const other = await RedisServer.start();
      atTheEnd(() => other.stop());
      const b = await spawnListening({ REDIS_URL: other.url });
      const bob = await Peer.join(b, "bob", { reconnection: false });
      await other.stop();
      await until(() => b.err !== "");
      await bob.says("anybody?");

      const since = Date.now();
      b.child.kill("SIGTERM");
      expect(await b.ended).to.deep.equal([0, null]);
      expect(Date.now() - since).to.be.below(3000);
      expect(b.err.trim().split("\n")).to.have.lengthOf(1);
    });

    it("SIGTERM ends a node with code 0 within a second and a half while Redis is frozen", async () => {
      const other = await RedisServer.start();
      atTheEnd(() => other.stop());
      const took: number[] = [];
      do {
        const b = await spawnListening({ REDIS_URL: other.url });
        await Peer.join(b, "bob", { reconnection: false });
        other.freeze();
        await joined(open(b.url, CHAT, { transports: ["websocket"], reconnection: false })); // its count is on the way
        const since = Date.now();
        b.child.kill("SIGTERM");
        expect(await b.ended).to.deep.equal([0, null]);
        took.push(Date.now() - since);
        other.thaw();
      } while (Math.min(...took) > 1500 && took.length < 3); // a machine that is busy gets another chance
      expect(Math.min(...took)).to.be.at.most(1500);
    });

    it("a node that cannot listen ends by itself, with code 1", async () => {
      const taken = createNetServer();
      const port = await listening(taken);
      atTheEnd(() => taken.close());
      const b = spawnNode({ REDIS_URL: redis.url, PORT: String(port) });
      expect(await b.ended).to.deep.equal([1, null]);
      expect(b.err).to.match(/^PORT \d+ is taken/);
    });

    it("one plain sentence and exit code 1 where Redis cannot be used, without the password", async () => {
      const refusing = async (error: string) => {
        const server = createNetServer((socket) => {
          socket.on("data", (chunk) => {
            for (const command of String(chunk)
              .split(/\*\d+\r\n/)
              .slice(1)) {
              socket.write(command.includes("SPUBLISH") ? `-${error}\r\n` : "+OK\r\n");
            }
          });
        });
        atTheEnd(() => server.close());
        return listening(server);
      };
      const oldPort = await refusing("ERR unknown command `SPUBLISH`, with args beginning with: `socket.io#` ``");
      const strictPort = await refusing("DENIED Redis is running in protected mode. In this mode it says a lot.");
      const nowhere = await freePort();
      const shut = await RedisServer.start(
        "--requirepass",
        "topsecret",
        "--user",
        ..."guest on >guest ~* +@all".split(" "),
      );
      atTheEnd(() => shut.stop());
      const address = `127.0.0.1:${shut.port}`;

      const cases: [url: string, sentence: string | RegExp][] = [
        [
          `redis://user:secret@127.0.0.1:${nowhere}`,
          `REDIS_URL redis://127.0.0.1:${nowhere} cannot be used: connect ECONNREFUSED 127.0.0.1:${nowhere}.`,
        ],
        [
          `redis://:secret@localhost:${nowhere}`,
          /^REDIS_URL redis:\/\/localhost:\d+ cannot be used: .*ECONNREFUSED.*\.$/,
        ],
        ["127.0.0.1:6379", "REDIS_URL must be the address of a Redis server, such as redis://localhost:6379."],
        [
          `redis://127.0.0.1:${oldPort}`,
          `REDIS_URL redis://127.0.0.1:${oldPort} cannot be used: it is older than version 7.`,
        ],
        [
          `redis://127.0.0.1:${strictPort}`,
          `REDIS_URL redis://127.0.0.1:${strictPort} cannot be used: DENIED Redis is running in protected mode.`,
        ],
        [`redis://${address}`, `REDIS_URL redis://${address} cannot be used: it wants a password.`],
        [
          `redis://:secret@${address}`,
          `REDIS_URL redis://${address} cannot be used: it wants another user name or password.`,
        ],
        [
          `redis://guest:guest@${address}`,
          `REDIS_URL redis://${address} cannot be used: it does not let this user publish.`,
        ],
      ];
      await Promise.all(
        cases.map(async ([url, sentence]) => {
          const node = spawnNode({ REDIS_URL: url });
          expect(await node.ended).to.deep.equal([1, null]);
          expect(node.err.trim()).to.match(sentence instanceof RegExp ? sentence : /^/);
          if (typeof sentence === "string") expect(node.err.trim()).to.equal(sentence);
          expect(node.out).to.equal("");
        }),
      );
    });

    it("gives up on an address that takes connections and says nothing", async () => {
      const silent = createNetServer();
      const port = await listening(silent);
      atTheEnd(() => silent.close());
      const node = spawnNode({ REDIS_URL: `redis://127.0.0.1:${port}` });
      expect(await node.ended).to.deep.equal([1, null]);
      expect(node.err.trim()).to.equal(`REDIS_URL redis://127.0.0.1:${port} cannot be used: no answer within 3 s.`);
    });

    it("without REDIS_URL nothing of Redis is loaded", async () => {
      const script = `
        require("./backend/demo/listen").joinCluster().then((cluster) => {
          const { server, io } = require("./backend/server").chatServer(undefined, cluster);
          console.log(Object.keys(require.cache).filter((file) => /redis/.test(file)).length, String(cluster));
        });`;
      const child = spawn(process.execPath, ["-r", "ts-node/register", "-e", script], {
        cwd: path(__dirname, ".."),
        env: { ...process.env, REDIS_URL: "" },
      });
      let out = "";
      child.stdout.on("data", (chunk) => (out += chunk));
      await next(child, "close");
      expect(out).to.equal("0 undefined\n");
    });
  });
});

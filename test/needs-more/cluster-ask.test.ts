// What a node says from outside of a namespace, and what the nodes ask each other.

import { createShardedAdapter } from "@socket.io/redis-adapter";
import { expect } from "chai";
import { Server, type Namespace } from "socket.io";
import { io } from "socket.io-client";
import type { Presence } from "../../backend/demo/events";
import { Channels } from "../../backend/cluster/channels";
import { CHAT, channelOf, eventually, onRedis, Peer, startNode } from "../support/cluster";
import { atTheEnd, joined, next, until } from "../support/harness";
import { RedisServer } from "../support/redis";

const counts = (answers: Presence[]) => answers.map(({ peers }) => peers);

describe("on a cluster", () => {
  const { log } = onRedis();
  let redis: RedisServer;
  before(async () => {
    redis = await RedisServer.start();
  });
  after(() => redis?.stop());
  afterEach(() => expect(log).to.deep.equal([]));

  it("counts by the name: a namespace may have been created anew, and the application's own are counted here", async () => {
    const a = await startNode(redis);
    const ann = await Peer.join(a, "ann");
    const retired = a.io.of(CHAT);
    ann.socket.disconnect();
    await until(() => !a.knows(CHAT));
    await Peer.join(a, "amy");
    expect(counts(await a.cluster.askAll(retired))).to.deep.equal([1]);

    const page = io(`${a.url}/lobby`);
    atTheEnd(() => page.disconnect());
    await joined(page);
    expect(counts(await a.cluster.askAll(a.io.of("/lobby")))).to.deep.equal([1]);
  });

  it("nobody waits for answers that this node would not hear", async () => {
    const [a, b, c] = [await startNode(redis), await startNode(redis), await startNode(redis)];
    const [ann] = [await Peer.join(a, "ann"), await Peer.join(b, "bob"), await Peer.join(c, "cid")];
    const retired = a.io.of(CHAT);
    ann.socket.disconnect();
    await until(() => !a.knows(CHAT));
    const since = Date.now();
    expect(counts(await a.cluster.askAll(retired))).to.deep.equal([0]);
    expect(Date.now() - since).to.be.below(900);
  });

  it("a peer is told the names of those on the other node too", async () => {
    const [a, b] = [await startNode(redis), await startNode(redis)];
    await Peer.join(a, "ann");
    const bob = await Peer.join(b, "bob");
    expect(await bob.hears("topic")).to.deep.include({ peers: 2, names: ["bob", "ann"] });
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

  describe("on a node where nobody is in a namespace", () => {
    const somewhere = async () => {
      const [a, b] = [await startNode(redis, 60_000), await startNode(redis)];
      const bob = await Peer.join(b, "bob");
      return { a, b, bob, namespace: a.io.of(CHAT) };
    };

    it("fetchSockets has the sockets of the other nodes, the first time", async () => {
      const { namespace, bob } = await somewhere();
      expect((await namespace.fetchSockets()).map(({ id }) => id)).to.deep.equal([bob.socket.id]);
    });

    it("emitWithAck has the answers of the other nodes' peers, the first time", async () => {
      const { namespace, bob } = await somewhere();
      bob.socket.on("question", (answer: (text: string) => void) => answer("bob's answer"));
      expect(await namespace.timeout(10_000).emitWithAck("question")).to.deep.equal(["bob's answer"]);
    });

    it("serverSideEmitWithAck has the answers of the other nodes, the first time", async () => {
      const { b, namespace } = await somewhere();
      (b.io.of(CHAT) as Namespace<object, object, { question: (answer: (text: string) => void) => void }>).on(
        "question",
        (answer) => answer("b's answer"),
      );
      expect(await namespace.serverSideEmitWithAck("question")).to.deep.equal(["b's answer"]);
    });

    it("disconnectSockets reaches the peers on the other nodes, the first time", async () => {
      const { namespace, bob } = await somewhere();
      namespace.disconnectSockets(true);
      await next(bob.socket, "disconnect");
    });

    it("askAll has the answers of the other nodes, the first time", async () => {
      const { a, namespace } = await somewhere();
      expect(counts(await a.cluster.askAll(namespace))).to.deep.equal([0, 1]);
    });
  });

  /** How many messages and subscriptions Redis gets meanwhile. */
  async function commandsOf(comeAndGo: () => Promise<unknown>): Promise<number> {
    await redis.ask(["CONFIG", "RESETSTAT"]);
    await comeAndGo();
    const stats = String(await redis.ask(["INFO", "commandstats"]));
    const counted = /cmdstat_(?:publish|subscribe):calls=(\d+)/g;
    return [...stats.matchAll(counted)].reduce((sum, [, calls]) => sum + Number(calls), 0);
  }

  it("a join and a leave cost the same Redis commands however many nodes there are without that namespace", async () => {
    const [a, b] = [await startNode(redis), await startNode(redis)];
    const ann = await Peer.join(a, "ann");
    const comeAndGo = async () => {
      const bob = await Peer.join(b, "bob");
      await ann.hears("joined");
      bob.socket.disconnect();
      await ann.hears("left");
      await until(() => !b.knows(CHAT));
      await eventually(async () => expect(await redis.subscribers(channelOf(CHAT))).to.equal(1));
      ann.heard.length = 0;
    };
    await comeAndGo();
    const alone = await commandsOf(comeAndGo);
    for (let i = 0; i < 5; i++) await startNode(redis);
    expect(await commandsOf(comeAndGo)).to.equal(alone);
  });

  it("a process that only emits is not waited for, also where it has the namespace", async () => {
    const channels = await Channels.of(redis.url);
    const job = new Server({ adapter: createShardedAdapter(channels, channels, { subscriptionMode: "static" }) });
    atTheEnd(() => channels.close());
    job.of(CHAT).emit("message", { text: "from a job" });
    const [a, b] = [await startNode(redis), await startNode(redis)];
    await Peer.join(b, "bob");
    expect(await redis.subscribers(channelOf(CHAT))).to.equal(2);
    const since = Date.now();
    const ann = await Peer.join(a, "ann");
    expect(await ann.hears("topic")).to.include({ peers: 2 });
    expect(Date.now() - since).to.be.below(900);
  });
});

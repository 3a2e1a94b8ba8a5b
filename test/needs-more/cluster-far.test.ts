// A Redis that is far away: nothing may be lost on the way.

import { expect } from "chai";
import { CHAT, channelOf, eventually, onRedis, Peer, startNode } from "../support/cluster";
import { atTheEnd, joined, open, pause, peersOf, until } from "../support/harness";
import { forward, RedisServer } from "../support/redis";

describe("a cluster", () => {
  onRedis();
  let redis: RedisServer;
  before(async () => {
    redis = await RedisServer.start();
  });
  after(() => redis?.stop());

  describe("with a Redis that is far away", () => {
    const FAR = 100; // milliseconds in each direction

    async function startFarNode() {
      const far = await forward([redis.port], FAR);
      atTheEnd(far.close);
      return startNode({ url: `redis://127.0.0.1:${far.port}` }, 1500); // so that answers can arrive
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
          const [here, there] = await b.cluster.askAll(socket.nsp);
          for (let i = 0; i < 20; i++) await null; // as an application may, before it comes to speak
          socket.nsp.emit("message", { text: `${here?.peers} here, ${there?.peers} there` });
        });
      });
      await Peer.join(b, "bob", { reconnection: false });
      await b.close();
      await ann.hears("message", { text: "0 here, 1 there" });
    });

    it("a node that closes sends also what waits until it hears the answers", async () => {
      const [a, b] = [await startNode(redis), await startFarNode()];
      const ann = await Peer.join(a, "ann");
      b.io.of(CHAT).emit("message", { text: "farewell" });
      await pause(20); // now the subscription is on its way
      await b.close();
      await ann.hears("message", { text: "farewell" });
    });

    it("a node whose namespace has just ended answers, as long as Redis says that it hears the question", async () => {
      const [a, b] = [await startNode(redis), await startFarNode()];
      await Peer.join(a, "ann");
      const bob = await Peer.join(b, "bob");
      bob.socket.disconnect();
      await until(() => !b.knows(CHAT));
      const answers = await a.cluster.askAll(a.io.of(CHAT));
      expect(answers.map(({ peers }) => peers)).to.deep.equal([1, 0]);
    });

    it("messages of a node arrive in their order, also those that it sends while it begins to listen itself", async () => {
      const [a, b] = [await startNode(redis), await startFarNode()];
      const names = [...Array(10).keys()].map((item) => `/category/1/item/${item}/chat`);
      const anns = await Promise.all(names.map((to) => Peer.join(a, "ann", { to })));
      const numbers = [...Array(30).keys()];
      const speak = async (name: string, i: number) => {
        await pause(100 * i); // so that whatever a node does once a second comes while one of them begins
        for (const text of numbers) {
          b.io.of(name).emit("message", { text });
          await pause(10);
        }
      };
      await Promise.all(names.map(speak));
      await until(() => anns.map(({ texts }) => texts.length), Array(10).fill(30));
      for (const { texts } of anns) expect(texts).to.deep.equal(numbers);
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
});

// What a node says from outside of a namespace, and what the nodes ask each other.

import { expect } from "chai";
import { io } from "socket.io-client";
import { CHAT, eventually, onRedis, Peer, startNode } from "./support/cluster";
import { atTheEnd, joined, until } from "./support/harness";
import { RedisServer } from "./support/redis";

describe("on a cluster", () => {
  onRedis();
  let redis: RedisServer;
  before(async () => {
    redis = await RedisServer.start();
  });
  after(() => redis?.stop());

  it("counts by the name: a namespace may have been created anew, and the application's own are counted here", async () => {
    const a = await startNode(redis);
    const ann = await Peer.join(a, "ann");
    const retired = a.io.of(CHAT);
    ann.socket.disconnect();
    await until(() => !a.knows(CHAT));
    await Peer.join(a, "amy");
    expect(await a.cluster.askAll(retired)).to.deep.equal([1]);

    const page = io(`${a.url}/lobby`);
    atTheEnd(() => page.disconnect());
    await joined(page);
    expect(await a.cluster.askAll(a.io.of("/lobby"))).to.deep.equal([1]);
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
});

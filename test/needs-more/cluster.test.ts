// Several machines: nodes of a cluster on a real redis-server, most of them in this process.

import { expect } from "chai";
import { io } from "socket.io-client";
import { chat } from "../../backend/demo/chat";
import { CHAT, channelOf, eventually, onRedis, Peer, startNode } from "../support/cluster";
import { atTheEnd, next, open, pause, peersOf, startServer, until } from "../support/harness";
import { forward, RedisServer } from "../support/redis";

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

describe("a cluster", () => {
  onRedis();
  let redis: RedisServer;
  before(async () => {
    redis = await RedisServer.start();
  });
  after(() => redis?.stop());

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

  it("carries 300 namespaces with peers on two nodes: nothing lost, nothing doubled, all released", async () => {
    const [a, b] = [await startNode(redis), await startNode(redis)];
    const idle = (await redis.channels()).length;
    const pairs: [Peer, Peer][] = [];

    for (let i = 0; i < 300; i += 50) {
      const batch = Array.from({ length: 50 }, async (_, k): Promise<[Peer, Peer]> => {
        const to = `/category/${i + k}/item/1/chat`;
        return Promise.all([Peer.join(a, "ann", { to }), Peer.join(b, "bob", { to })]);
      });
      pairs.push(...(await Promise.all(batch)));
    }
    expect(await redis.channels()).to.have.lengthOf(idle + 4 * 300); // two are shared, and each node has one for answers

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
});

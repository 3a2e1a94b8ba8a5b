// Several machines on a real Redis Cluster of three masters, which die, freeze, and share their slots anew.

import { expect } from "chai";
import { Channels } from "../../backend/cluster/channels";
import { Cluster } from "../../backend/cluster/cluster";
import { CHAT, channelOf, eventually, onRedis, Peer, startNode } from "../support/cluster";
import { atTheEnd, joined, open, pause, until } from "../support/harness";
import { pairs } from "../support/pairs";
import type { RedisServer } from "../support/redis";
import { RedisCluster } from "../support/redis-cluster";

/** The sentence with which an address is refused. */
const reasonAt = (url: string): Promise<string> =>
  Cluster.join(url).then(
    () => expect.fail("the node is let in"),
    ({ message }: Error) => message,
  );

describe("a Redis Cluster", () => {
  const { log, logged } = onRedis();
  const loadsSlowly = "--key-load-delay 30000 --loading-process-events-interval-bytes 1024 --rdbcompression no";
  const clusters = RedisCluster.forEachTest(0, ...loadsSlowly.split(" "));
  let redis: RedisCluster;
  beforeEach(() => {
    redis = clusters();
  });

  it("carries all namespaces between nodes that use different servers of it, and counts them right", async () => {
    const { nodes, names, allHear, allIsWell } = await pairs(redis, 12);
    await allHear();
    for (const { io, cluster } of nodes) {
      const namespace = io.of(names[0]!);
      expect((await cluster.askAll(namespace)).map(({ peers }) => peers)).to.deep.equal([1, 1]);
      expect(await namespace.fetchSockets()).to.have.lengthOf(2);
    }
    await allIsWell();
    expect(log).to.deep.equal([]);
  });

  it("needs user and password on each server, and says which one does not let this user do what it must", async () => {
    const rights = "+ping +subscribe +unsubscribe +publish +pubsub|numsub +cluster|slots"; // enough
    const user = `on >secret resetchannels &socket.io#* ${rights}`.split(" ");
    for (const server of redis.servers) await server.ask(["ACL", "SETUSER", "app", ...user]);
    const url = redis.url.replace("//", "//app:secret@");
    await (await Cluster.join(url)).close();

    const [, , last] = redis.servers as [RedisServer, RedisServer, RedisServer];
    for (const [right, command] of [
      ["publish", "PUBLISH"],
      ["pubsub|numsub", "PUBSUB NUMSUB"],
    ] as const) {
      await last.ask(["ACL", "SETUSER", "app", `-${right}`]);
      const reason = `its server 127.0.0.1:${last.port}: it does not let this user run ${command}`;
      expect(await reasonAt(url)).to.equal(`REDIS_URL ${redis.url} cannot be used: ${reason}.`);
      await last.ask(["ACL", "SETUSER", "app", `+${right}`]);
    }
  });

  it("a server that no node uses is killed: nothing is lost, nobody waits, and new nodes come in", async () => {
    const { nodes, used, names, speak, missing, allIsWell } = await pairs(redis, 12);
    const unused = redis.servers.find((server) => !used.includes(server))!;
    await unused.stop();
    for (let i = 0; i < 20; i++) await speak();
    await until(() => missing(0), 0);
    const since = Date.now();
    expect(await nodes[0].io.of(names[0]!).fetchSockets()).to.have.lengthOf(2);
    const late = await Peer.join(nodes[0], "late", { to: names[0]! });
    expect(await late.hears("topic")).to.include({ peers: 3 });
    late.socket.disconnect();
    expect(Date.now() - since).to.be.below(900);
    await (await Channels.of(used[0].url)).close();
    await unused.start();
    await allIsWell();
    expect(log).to.deep.equal([]);
  });

  for (const trouble of ["killed", "frozen"] as const) {
    it(`the server that a node uses is ${trouble}: the node uses another one, and nobody is told that Redis is lost`, async () => {
      const { used, allHear, allIsWell } = await pairs(redis, 12);
      if (trouble === "killed") await used[1].stop();
      else used[1].freeze();
      await allHear(trouble === "killed" ? 1500 : 8000);
      await allHear();
      if (trouble === "killed") await used[1].start();
      else used[1].thaw();
      await allIsWell();
      expect(log).to.deep.equal([]);
    });
  }

  for (const trouble of ["hangs", "loads its data"] as const) {
    it(`the server that a node uses is killed while another one ${trouble}: the node uses the third one`, async () => {
      const [third] = redis.servers as [RedisServer]; // the one that ioredis names first
      const { used, allHear, allIsWell } = await pairs(redis, 12, third);
      if (trouble === "hangs") third.freeze();
      else await loadSlowly(third);
      await used[1].stop();
      await allHear(1500);
      third.thaw();
      await allHear();
      await eventually(() => third.ask(["FLUSHALL"])); // when it has its data
      await third.ask(["SAVE"]);
      await used[1].start();
      await allIsWell();
      expect(log).to.deep.equal([]);
    });
  }

  /** Starts a server again, which then needs some seconds to load its data. */
  async function loadSlowly(server: RedisServer): Promise<void> {
    const [[first] = [0]] = (await server.info()).slots;
    for (let i = 0, found = 0; found < 100; i++) {
      const isOurs = ((await server.ask(["CLUSTER", "KEYSLOT", `${i}`])) as number) - first < 5461;
      if (isOurs)
        found += await server.ask(["SET", `${i}`, "x".repeat(2000)]).then(
          () => 1,
          () => 0,
        );
    }
    await server.ask(["SAVE"]);
    await server.stop();
    await server.start();
    expect(await server.ask(["INFO", "persistence"])).to.include("loading:1");
    await pause(700); // so that all nodes are connected to it
  }

  it("all servers end, and start again: it is said once, and all is there again", async () => {
    const { allIsWell } = await pairs(redis, 12);
    await Promise.all(redis.servers.map((server) => server.stop()));
    await until(() => logged("is lost:").length === 2);
    await pause(1500); // in which no server answers
    await Promise.all(redis.servers.map((server) => server.start()));
    await until(() => logged("is back.").length === 2);
    await allIsWell();
    expect(log).to.have.lengthOf(4);
  });

  it("only a server that REDIS_URL does not name starts again: it is found", async () => {
    const node = await Channels.of(redis.url);
    atTheEnd(() => node.close());
    node.sSubscribe(CHAT, () => {});
    await node.settled(CHAT);
    await Promise.all(redis.servers.map((server) => server.stop()));
    await until(() => logged("is lost:").length === 1);
    await redis.servers[2]!.start();
    await eventually(async () => expect(await redis.channels()).to.deep.equal([CHAT]));
  });

  it("slots move while namespaces come and go, and everybody speaks: nothing is lost, and nothing is doubled", async () => {
    const { nodes, speak, missing, allIsWell } = await pairs(redis, 24);
    const [a, b] = redis.servers as [RedisServer, RedisServer];
    let going = true;
    const comeAndGo = nodes.map(async ({ url }) => {
      for (let i = 0; going; i++) {
        const socket = open(url, `/category/2/item/${i % 30}/chat`, { transports: ["websocket"] });
        await joined(socket);
        socket.disconnect();
      }
    });
    const talk = async () => {
      while (going) await speak();
    };
    const busy = [...comeAndGo, talk()];
    await redis.move(400, a, b);
    await redis.move(400, b, a);
    going = false;
    await Promise.all(busy);
    await until(() => missing(0), 0);
    await allIsWell();
  });

  it("a server that is new carries messages, and is left when it has no slots any more", async () => {
    const [first] = redis.servers as [RedisServer];
    const added = await redis.join();
    await redis.move(100, first, added);
    const nodes: Channels[] = [];
    atTheEnd(() => Promise.all(nodes.map((node) => node.close())));
    const heard: string[][] = [];
    while (new Set(await redis.usedFor(CHAT)).size < 2 || !(await redis.usedFor(CHAT)).includes(added)) {
      const node = await Channels.of(redis.url);
      const texts: string[] = [];
      nodes.push(node);
      heard.push(texts);
      node.sSubscribe(CHAT, (message) => texts.push(String(message)));
      await node.settled(CHAT);
    }
    for (const node of nodes) await node.sPublish(CHAT, "hello");
    await until(() => heard.every((texts) => texts.length === nodes.length));

    await redis.move(100, added, first);
    await eventually(async () => {
      const used = await redis.usedFor(CHAT);
      expect(used).to.have.lengthOf(nodes.length).and.not.include(added);
    });
    for (const node of nodes) await node.sPublish(CHAT, "again");
    await until(() => heard.every((texts) => texts.length === 2 * nodes.length));
    expect(log).to.deep.equal([]);
  });

  it("messages cross also where some slots have no master", async () => {
    for (const server of redis.servers) await server.ask(["CLUSTER", "DELSLOTS", "0"]);
    for (const server of redis.servers)
      await eventually(async () => expect((await server.info()).state).to.equal("fail"));
    const { allHear } = await pairs(redis, 2);
    await allHear();
  });

  it("is refused with a reason where its servers do not tell their host", async () => {
    for (const type of ["unknown-endpoint", "hostname"]) {
      for (const server of redis.servers) await server.ask(["CONFIG", "SET", "cluster-preferred-endpoint-type", type]);
      expect(await reasonAt(redis.url)).to.include("do not tell their host");
    }
    for (const server of redis.servers) await server.ask(["CONFIG", "SET", "cluster-preferred-endpoint-type", "ip"]);
  });

  it("a node that may no longer ask which servers there are says so once, and goes on", async () => {
    const rights = "on >secret resetchannels &socket.io#* +ping +@pubsub +cluster|slots".split(" ");
    for (const server of redis.servers) await server.ask(["ACL", "SETUSER", "app", ...rights]);
    const url = redis.url.replace("//", "//app:secret@");
    const node = await Channels.of(url);
    atTheEnd(() => node.close());
    for (const server of redis.servers) await server.ask(["ACL", "SETUSER", "app", "-cluster|slots"]);
    expect(await reasonAt(url)).to.include("it does not let this user run CLUSTER SLOTS");
    await until(() => logged("it does not let this user run CLUSTER SLOTS").length === 1);
    await pause(1500); // it has asked again
    const channel = channelOf(CHAT);
    node.sSubscribe(channel, () => {});
    await node.settled(channel);
    expect(await redis.channels()).to.deep.equal([channel]);
    expect(log).to.have.lengthOf(1);
  });

  it("the count of a node that has just come is right", async () => {
    const node = await startNode(redis);
    const ann = await Peer.join(node, "ann");
    for (let i = 2; i < 6; i++) {
      const bob = await Peer.join(await startNode(redis), `bob ${i}`);
      expect(await bob.hears("topic")).to.include({ peers: i });
    }
    await ann.hears("joined", { name: "bob 5" });
  });
});

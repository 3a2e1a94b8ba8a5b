// Several machines on a real Redis Cluster of three masters: its masters die, freeze, are replaced, and share anew.

import { expect } from "chai";
import { Channels } from "../../backend/cluster/channels";
import { Cluster } from "../../backend/cluster/cluster";
import { slotOf } from "../../backend/cluster/slots";
import type { Socket } from "socket.io-client";
import { CHAT, channelOf, eventually, onRedis, Peer, startNode } from "../support/cluster";
import { atTheEnd, joined, open, pause, until } from "../support/harness";
import type { RedisServer } from "../support/redis";
import { RedisCluster } from "../support/redis-cluster";

const FEW = 400; // slots at the beginning of what a master has: those that `redis-cli` moves first

/** So many namespaces whose channels are in these slots. */
function namesFrom(first: number, count: number): string[] {
  const names = [];
  for (let i = first; names.length < count; i++) {
    const name = `/category/${i}/item/1/chat`;
    if (slotOf(channelOf(name)) % 5461 < FEW) names.push(name);
  }
  return names;
}

/** Two nodes, and a peer of each in so many namespaces. */
async function pairs(redis: RedisCluster, count: number) {
  const nodes = [await startNode(redis), await startNode(redis.servers[1]!)] as const;
  const names = namesFrom(1, count);
  const all = await Promise.all(
    names.map(async (to) => Promise.all([Peer.join(nodes[0], "ann", { to }), Peer.join(nodes[1], "bob", { to })])),
  );
  let round = 0;

  /** In which of these namespaces a message of each peer reaches the other one. */
  const crossing = async (which = names): Promise<string[]> => {
    const text = `round ${++round}`;
    const chosen = all.filter((_, i) => which.includes(names[i]!));
    await Promise.all(chosen.map(([ann, bob]) => Promise.all([ann.says(`${text}, ann`), bob.says(`${text}, bob`)])));
    await pause(100);
    return which.filter((_, i) =>
      chosen[i]!.every(({ texts }) => texts.includes(`${text}, ann`) && texts.includes(`${text}, bob`)),
    );
  };

  /** That all messages cross again, nobody has heard one twice, and nothing is left when all have gone. */
  const allIsWell = async () => {
    await eventually(async () => expect(await crossing()).to.deep.equal(names));
    for (const { texts } of all.flat()) expect(texts).to.have.lengthOf(new Set(texts).size);
    for (const name of names) {
      const owner = await redis.ownerOf(channelOf(name));
      expect(await owner.subscribers(channelOf(name))).to.equal(2);
    }
    for (const { socket } of all.flat()) socket.disconnect();
    await until(() => nodes.every(({ io }) => io._nsps.size === 2));
    await Promise.all(nodes.map((node) => node.close()));
    await eventually(async () => expect(await redis.channels()).to.deep.equal([]));
  };

  const namesAt = async (server: RedisServer) => {
    const there = await Promise.all(names.map(async (name) => (await redis.ownerOf(channelOf(name))) === server));
    return names.filter((_, i) => there[i]);
  };
  return { nodes, names, crossing, allIsWell, namesAt };
}

describe("a Redis Cluster of three masters", function () {
  this.timeout(60_000);
  const { log, logged } = onRedis();
  let redis: RedisCluster;
  beforeEach(async () => {
    redis = await RedisCluster.start();
  });
  afterEach(() => redis.stop());

  it("carries all namespaces, spread over the masters, by the address of any of them", async () => {
    const { names, namesAt, crossing, allIsWell } = await pairs(redis, 12);
    expect(await crossing()).to.deep.equal(names);
    for (const server of redis.servers) expect(await namesAt(server)).to.not.be.empty;
    await allIsWell();
    expect(log).to.deep.equal([]);
  });

  it("needs user and password on each master, and says which one does not let this user do what it must", async () => {
    const rights = "on >secret resetchannels &socket.io#* +@pubsub +ping +cluster|slots".split(" "); // enough
    for (const server of redis.servers) await server.ask(["ACL", "SETUSER", "app", ...rights]);
    const url = redis.url.replace("//", "//app:secret@");
    await (await Cluster.join(url)).close();

    const [, , last] = redis.servers as [RedisServer, RedisServer, RedisServer];
    await last.ask(["ACL", "SETUSER", "app", "-spublish"]);
    const reason = `its master 127.0.0.1:${last.port}: it does not let this user run SPUBLISH`;
    const { message } = await Cluster.join(url).then(
      () => expect.fail("the node is let in"),
      (err: Error) => err,
    );
    expect(message).to.equal(`REDIS_URL ${redis.url} cannot be used: ${reason}.`);
  });

  for (const trouble of ["killed", "frozen"] as const) {
    it(`one master ${trouble}: the namespaces of the others notice nothing, and its own are back with it`, async () => {
      const { nodes, names, namesAt, crossing, allIsWell } = await pairs(redis, 12);
      const [, lost] = redis.servers as [RedisServer, RedisServer];
      const there = await namesAt(lost);
      const others = names.filter((name) => !there.includes(name));
      if (trouble === "killed") await lost.stop();
      else lost.freeze();
      expect(await crossing(others)).to.deep.equal(others);
      await until(() => logged("is lost:").length === 2); // once by each node
      for (const line of log) expect(line).to.include(`The master 127.0.0.1:${lost.port} of REDIS_URL`);
      expect(await crossing()).to.deep.equal(others);
      const since = Date.now();
      const late = await Peer.join(nodes[0], "late", { to: there[0]! });
      expect(Date.now() - since).to.be.below(900); // nobody waits for the lost one
      late.socket.disconnect();

      if (trouble === "killed") await lost.start();
      else lost.thaw();
      await until(() => logged("is back.").length === 2);
      expect(log).to.have.lengthOf(4);
      await allIsWell();
    });
  }

  it("slots move while namespaces live on them, and back: nothing is lost for long, nothing is doubled", async () => {
    const { namesAt, allIsWell } = await pairs(redis, 12);
    const [a, b, c] = redis.servers as [RedisServer, RedisServer, RedisServer];
    const before = await namesAt(a);
    await redis.move(FEW, a, b);
    expect((await namesAt(a)).length).to.be.below(before.length);
    await redis.move(FEW, b, c);
    await redis.move(FEW, c, a);
    await allIsWell();
  });

  it("slots move while namespaces come and go", async () => {
    const { nodes, allIsWell } = await pairs(redis, 12);
    const [a, b] = redis.servers as [RedisServer, RedisServer];
    const churned = namesFrom(100_000, 30);
    let going = true;
    const comeAndGo = nodes.map(async ({ url }) => {
      for (let i = 0; going; i++) {
        const socket: Socket = open(url, churned[i % churned.length]!, { transports: ["websocket"] });
        await joined(socket);
        socket.disconnect();
      }
    });
    await redis.move(FEW, a, b);
    await redis.move(FEW, b, a);
    going = false;
    await Promise.all(comeAndGo);
    await allIsWell();
  });

  it("is joined also where its servers do not tell their host, by that of the address", async () => {
    for (const type of ["unknown-endpoint", "hostname"]) {
      for (const server of redis.servers) await server.ask(["CONFIG", "SET", "cluster-preferred-endpoint-type", type]);
      await (await Cluster.join(redis.url)).close();
    }
  });

  it("a node that leaves while a slot moves to a master that is new to it does not stay there", async () => {
    const added = await redis.join();
    const leaving = await Channels.of(redis.url);
    leaving.sSubscribe(CHAT, () => {});
    await leaving.settled("");
    const moved = new Promise<void>((resolve) => {
      leaving["masters"].of(CHAT).client.once("sharded-channel-moved", () => resolve(leaving.close()));
    });
    const { id } = await added.info();
    const slot = `${slotOf(CHAT)}`;
    await added.ask(["CLUSTER", "SETSLOT", slot, "NODE", id]);
    for (const server of redis.servers) await server.ask(["CLUSTER", "SETSLOT", slot, "NODE", id]);
    await moved;
    await pause(500); // in which it would subscribe there
    expect(await redis.channels()).to.deep.equal([]);
  });

  it("a master that is new gets slots, and gives them back", async () => {
    const { names, namesAt, allIsWell } = await pairs(redis, 12);
    const [a, b, c] = redis.servers as [RedisServer, RedisServer, RedisServer];
    const added = await redis.join();
    for (const master of [a, b, c]) await redis.move(FEW, master, added);
    expect(await namesAt(added)).to.deep.equal(names);
    await redis.move(3 * FEW, added, a);
    await allIsWell();
    expect(logged("is replaced")).to.deep.equal([]); // it was not lost
  });
});

describe("a Redis Cluster of three masters with a replica each", function () {
  this.timeout(90_000);
  const { log, logged } = onRedis();
  let redis: RedisCluster;
  beforeEach(async () => {
    redis = await RedisCluster.start(1);
  });
  afterEach(() => redis.stop());

  for (const trouble of ["killed", "frozen"] as const) {
    it(`a master is ${trouble}, and its replica takes over, also when the master comes back`, async () => {
      const { names, crossing, allIsWell } = await pairs(redis, 12);
      const [, lost] = redis.servers as [RedisServer, RedisServer];
      if (trouble === "killed") await lost.stop();
      else lost.freeze();
      await eventually(async () => expect(await crossing()).to.deep.equal(names), 40_000);
      // a frozen master may be replaced before it counts as lost
      expect(logged("is replaced.")).to.have.lengthOf(logged("is lost:").length);
      if (trouble === "killed") expect(log).to.have.lengthOf(4);
      if (trouble === "killed") await lost.start();
      else lost.thaw();
      await allIsWell();
    });
  }

  it("all masters are replaced at once: the cluster is found again by the address", async () => {
    const masters = redis.servers.slice(0, 3);
    const replicas = redis.servers.slice(3);
    const node = await Channels.of(replicas[0]!.url);
    atTheEnd(() => node.close());
    node.sSubscribe(CHAT, () => {});
    await node.settled("");
    await Promise.all(masters.map((master) => master.stop()));
    for (const replica of replicas) await replica.ask(["CLUSTER", "FAILOVER", "TAKEOVER"]);
    await eventually(async () => expect(await redis.channels()).to.deep.equal([CHAT]), 40_000);
  });

  it("an operator makes the replica the master, and then the master again", async () => {
    const { names, crossing, allIsWell } = await pairs(redis, 12);
    const [master] = redis.servers as [RedisServer];
    const replica = await redis.replicaOf(master);
    await redis.promote(replica);
    await eventually(async () => expect(await crossing()).to.deep.equal(names));
    await redis.promote(master);
    await allIsWell();
  });
});

// Several machines on a real Redis Cluster whose masters are replaced by their replicas, or by others.

import { expect } from "chai";
import { Channels } from "../../backend/cluster/channels";
import { CHAT, eventually, onRedis } from "../support/cluster";
import { atTheEnd, pause, until } from "../support/harness";
import { pairs } from "../support/pairs";
import { forward, type RedisServer } from "../support/redis";
import { RedisCluster } from "../support/redis-cluster";

describe("a Redis Cluster of three masters with a replica each", () => {
  const { log, logged } = onRedis();
  const clusters = RedisCluster.forEachTest(1);
  let redis: RedisCluster;
  beforeEach(() => {
    redis = clusters();
  });

  it("an operator makes the replica the master, and then the master again: messages cross, and none is doubled", async () => {
    const { allHear, allIsWell } = await pairs(redis, 12);
    const [master] = redis.servers as [RedisServer];
    let going = true;
    const talk = async () => {
      while (going) await allHear();
    };
    const talking = talk();
    await redis.promote(await redis.replicaOf(master));
    await redis.promote(master);
    going = false;
    await talking;
    await allIsWell();
    expect(log).to.deep.equal([]);
  });

  it("all masters are killed at once, and their replicas take over: messages cross meanwhile and afterwards", async () => {
    const { allHear, allIsWell } = await pairs(redis, 12);
    await Promise.all(redis.servers.slice(0, 3).map((master) => master.stop()));
    await allHear(1500);
    for (const replica of redis.servers.slice(3)) await replica.ask(["CLUSTER", "FAILOVER", "TAKEOVER"]);
    await allHear();
    await Promise.all(redis.servers.slice(0, 3).map((master) => master.start()));
    await allIsWell();
    expect(log).to.deep.equal([]);
  });

  it("all servers are replaced at once by others: they are found by the address", async () => {
    const ports = [redis.servers[0]!.port];
    const address = await forward(ports);
    atTheEnd(address.close);
    const node = await Channels.of(`redis://127.0.0.1:${address.port}`);
    atTheEnd(() => node.close());
    node.sSubscribe(CHAT, () => {});
    await node.settled(CHAT);
    const others = await RedisCluster.start();
    atTheEnd(() => others.stop());
    ports[0] = others.servers[0]!.port;
    await Promise.all(redis.servers.map((server) => server.stop()));
    await eventually(async () => expect(await others.channels()).to.deep.equal([CHAT]));
  });

  it("a server that is no longer in the Redis Cluster leads no node astray, also where REDIS_URL names it", async () => {
    const removed = redis.servers[3]!;
    const nodes: Channels[] = [];
    atTheEnd(() => Promise.all(nodes.map((node) => node.close())));
    for (let i = 0; i < 12; i++) nodes.push(await Channels.of(removed.url)); // some ask it later: it says that there are no slots
    const heard = nodes.map(() => 0);
    nodes.forEach((node, i) => node.sSubscribe(CHAT, () => heard[i]!++));
    const { id } = await removed.info();
    for (const server of redis.servers) if (server !== removed) await server.ask(["CLUSTER", "FORGET", id]);
    await removed.ask(["CLUSTER", "RESET", "HARD"]);
    await pause(2500);

    await eventually(async () => {
      const used = await redis.usedFor(CHAT);
      expect(used).to.have.lengthOf(12).and.not.include(removed);
    });
    heard.fill(0);
    for (let i = 0; i < 40; i++) {
      void nodes[0]!.sPublish(CHAT, "tick");
      await pause(50);
    }
    await until(() => heard, Array(12).fill(40));
    await until(() => logged("is back.").length === logged("is lost:").length); // of each node that has asked it
  });
});

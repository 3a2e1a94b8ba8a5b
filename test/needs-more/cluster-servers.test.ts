// Several machines on a real Redis Cluster that loses all that a node knows of it, or a server for good.

import { expect } from "chai";
import { Channels } from "../../backend/cluster/channels";
import { CHAT, eventually, onRedis } from "../support/cluster";
import { atTheEnd, pause, until } from "../support/harness";
import { pairs } from "../support/pairs";
import { atDoorOf, forward } from "../support/redis";
import { RedisCluster } from "../support/redis-cluster";

describe("the servers of a Redis Cluster", function () {
  this.timeout(90_000);
  const { logged } = onRedis();
  let redis: RedisCluster;
  beforeEach(async () => {
    redis = await RedisCluster.start(1);
  });
  afterEach(() => redis.stop());

  it("all masters are replaced at once by their replicas", async () => {
    const masters = redis.servers.slice(0, 3);
    const replicas = redis.servers.slice(3);
    const node = await Channels.of(replicas[0]!.url);
    node.sSubscribe(CHAT, () => {});
    await node.settled("");
    await Promise.all(masters.map((master) => master.stop()));
    for (const replica of replicas) await replica.ask(["CLUSTER", "FAILOVER", "TAKEOVER"]);
    await eventually(async () => expect(await redis.channels()).to.deep.equal([CHAT]), 40_000);
    await until(() => logged("is replaced.").length === 3);

    const door = await atDoorOf(masters[0]!);
    atTheEnd(door.close);
    await pause(600); // in which a connection that was lost would be tried again
    await node.close();
    expect(door.knocks).to.deep.equal([]);
  });

  it("all servers are replaced at once by others: they are found by the address", async () => {
    const ports = [redis.servers[0]!.port];
    const address = await forward(ports);
    atTheEnd(address.close);
    const node = await Channels.of(`redis://127.0.0.1:${address.port}`);
    atTheEnd(() => node.close());
    node.sSubscribe(CHAT, () => {});
    await node.settled("");
    const others = await RedisCluster.start();
    atTheEnd(() => others.stop());
    ports[0] = others.servers[0]!.port;
    await Promise.all(redis.servers.map((server) => server.stop()));
    await eventually(async () => expect(await others.channels()).to.deep.equal([CHAT]));
  });

  it("all servers end, and start again: all is there again", async () => {
    const { allIsWell } = await pairs(redis, 12);
    await Promise.all(redis.servers.map((server) => server.stop()));
    await until(() => logged("is lost:").length === 6);
    await pause(1500); // in which no server answers
    await Promise.all(redis.servers.map((server) => server.start()));
    await until(() => logged("is back.").length + logged("is replaced.").length === 6);
    await allIsWell();
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

    await eventually(async () => expect(await (await redis.ownerOf(CHAT)).subscribers(CHAT)).to.equal(12));
    heard.fill(0);
    for (let i = 0; i < 40; i++) {
      void nodes[0]!.sPublish(CHAT, "tick");
      await pause(50);
    }
    await until(() => heard, Array(12).fill(40));
    expect(logged("is replaced.")).to.deep.equal([]); // it is no master
    // three of each node that has asked it
    await until(() => logged("is back.").length === logged("is lost:").length);
  });
});

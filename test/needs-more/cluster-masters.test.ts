// Several machines on a real Redis Cluster of three masters, which die, freeze, and share their slots anew.

import { expect } from "chai";
import { Channels } from "../../backend/cluster/channels";
import { Cluster } from "../../backend/cluster/cluster";
import type { Socket } from "socket.io-client";
import { CHAT, onRedis, Peer } from "../support/cluster";
import { joined, open, pause, until } from "../support/harness";
import { FEW, namesFrom, pairs, slotOf } from "../support/pairs";
import type { RedisServer } from "../support/redis";
import { RedisCluster } from "../support/redis-cluster";

/** The sentence with which an address is refused. */
const reasonAt = (url: string): Promise<string> =>
  Cluster.join(url).then(
    () => expect.fail("the node is let in"),
    ({ message }: Error) => message,
  );

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
    expect(await crossing(names, 10_000)).to.deep.equal(names);
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
    expect(await reasonAt(url)).to.equal(`REDIS_URL ${redis.url} cannot be used: ${reason}.`);
  });

  for (const trouble of ["killed", "frozen"] as const) {
    it(`one master ${trouble}: the namespaces of the others notice nothing, and its own are back with it`, async () => {
      const { nodes, names, namesAt, crossing, allIsWell } = await pairs(redis, 12);
      const [, lost] = redis.servers as [RedisServer, RedisServer];
      const there = await namesAt(lost);
      const others = names.filter((name) => !there.includes(name));
      if (trouble === "killed") await lost.stop();
      else lost.freeze();
      expect(await crossing(others, 10_000)).to.deep.equal(others);
      await until(() => logged("is lost:").length === 2); // once by each node
      for (const line of log) expect(line).to.include(`The master 127.0.0.1:${lost.port} of REDIS_URL`);
      expect(await crossing(others, 10_000)).to.deep.equal(others);
      expect(await crossing(there)).to.deep.equal([]);
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

  it("slots move while namespaces come and go, and everybody speaks: nobody is deaf then, or hears a word twice", async () => {
    const { nodes, crossing, allIsWell } = await pairs(redis, 24);
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
    const speak = async () => {
      while (going) await crossing(undefined, 50);
    };
    const busy = [...comeAndGo, speak()];
    await redis.move(FEW, a, b);
    await redis.move(FEW, b, a);
    going = false;
    await Promise.all(busy);
    await allIsWell();
  });

  it("is refused with a reason where its servers do not tell their host", async () => {
    for (const type of ["unknown-endpoint", "hostname"]) {
      for (const server of redis.servers) await server.ask(["CONFIG", "SET", "cluster-preferred-endpoint-type", type]);
      expect(await reasonAt(redis.url)).to.include("does not tell its host");
    }
  });

  it("is refused with a reason where some slots have no master", async () => {
    const [first] = redis.servers as [RedisServer];
    for (const server of redis.servers) await server.ask(["CLUSTER", "DELSLOTS", "0"]);
    expect(await reasonAt(first.url)).to.include("have no master");
  });

  it("a node that leaves while it is told of a master that is new to it does not stay there", async () => {
    const added = await redis.join();
    await added.ask(["CONFIG", "SET", "cluster-allow-replica-migration", "no"]); // else it may give up its only slot
    const slot = `${slotOf(CHAT)}`;
    let [from, to] = [added, await redis.ownerOf(CHAT)];
    for (const ms of [0, 20, 50, 100, 150, 200]) {
      [from, to] = [to, from];
      const leaving = await Channels.of(redis.url);
      leaving.sSubscribe(CHAT, () => {});
      await leaving.settled("");
      const { id } = await to.info();
      for (const server of [to, from, ...redis.servers]) await server.ask(["CLUSTER", "SETSLOT", slot, "NODE", id]);
      await pause(ms);
      await leaving.close();
    }
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

// Several machines on a real Redis Cluster of three masters, which die, freeze, and share their slots anew.

import { execFileSync } from "node:child_process";
import { expect } from "chai";
import { Channels } from "../../backend/cluster/channels";
import { Cluster } from "../../backend/cluster/cluster";
import type { Socket } from "socket.io-client";
import { CHAT, channelOf, eventually, onRedis, Peer } from "../support/cluster";
import { atTheEnd, joined, open, pause, until } from "../support/harness";
import { REDIS } from "../support/installed";
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
      const { nodes, names, namesAt, crossing, crossedIn, allIsWell } = await pairs(redis, 12);
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
      // nor for answers, which have channels of their own: some of them are on the lost one
      await Promise.all(others.map((name) => nodes[0].io.of(name).fetchSockets()));
      expect(Date.now() - since).to.be.below(1500);
      late.socket.disconnect();

      if (trouble === "killed") await lost.start();
      else lost.thaw();
      await until(() => logged("is back.").length === 2);
      expect(log).to.have.lengthOf(4);
      await allIsWell();
      expect(crossedIn(3)).to.equal(0); // what was said while the master was lost does not come late
    });
  }

  /** The master that has a channel, and another one. */
  async function ownerAndNext(channel: string): Promise<[RedisServer, RedisServer]> {
    const owner = await redis.ownerOf(channel);
    return [owner, redis.servers[(redis.servers.indexOf(owner) + 1) % 3]!];
  }

  /** Gives the slot of a channel to the next master, without a word to those who have subscribed there; resolves with it. */
  async function giveAway(channel: string): Promise<RedisServer> {
    const [from, to] = await ownerAndNext(channel);
    const { id } = await to.info();
    for (const server of [to, from, ...redis.servers])
      await server.ask(["CLUSTER", "SETSLOT", `${slotOf(channel)}`, "NODE", id]);
    return to;
  }

  for (const away of [0, 40]) {
    it(`nobody is let in before this node hears, also where the slot of the channel has just moved, ${away} ms away`, async () => {
      const url = await redis.moveAway(away);
      const node = await Channels.of(url);
      atTheEnd(() => node.close());
      const master = await giveAway(CHAT);
      node.sSubscribe(CHAT, () => {});
      await node.settled(CHAT);
      expect(await master.subscribers(CHAT)).to.equal(1);
    });
  }

  it("nobody is let in while a channel that this node has heard is on its way to another master", async () => {
    const node = await Channels.of(redis.url);
    atTheEnd(() => node.close());
    node.sSubscribe(CHAT, () => {});
    await node.settled(CHAT);
    const to = await giveAway(CHAT);
    await pause(20); // so that the node has read that it hears no more
    await node.settled(CHAT);
    expect(await to.subscribers(CHAT)).to.equal(1);
  });

  it("a channel whose slot went away and came back before the node could read so is heard again", async () => {
    const node = await Channels.of(redis.url);
    atTheEnd(() => node.close());
    const [from, to] = await ownerAndNext(CHAT);
    const give = ({ port }: RedisServer, id: string) =>
      execFileSync(`${REDIS}-cli`, ["-p", `${port}`, "CLUSTER", "SETSLOT", `${slotOf(CHAT)}`, "NODE", id]);
    const [ours, theirs] = [(await from.info()).id, (await to.info()).id];

    node.sSubscribe(CHAT, () => {});
    for (let i = 0; i < 20; i++) await null; // it is sent now, and the answer is not read yet
    give(from, theirs);
    give(from, ours);
    await node.settled(CHAT);
    await eventually(async () => expect(await from.subscribers(CHAT)).to.equal(1), 4000);
  });

  it("nothing is doubled where a channel is left at the moment when its slot is taken", async () => {
    const [node, other] = [await Channels.of(redis.url), await Channels.of(redis.url)];
    atTheEnd(() => Promise.all([node.close(), other.close()]));
    const [left, stays] = namesFrom(1, 30).filter((name) => slotOf(name) < 5461) as [string, string];
    const [first, second] = redis.servers as [RedisServer, RedisServer];
    const heard: string[] = [];
    other.sSubscribe(stays, (message) => heard.push(String(message)));
    node.sSubscribe(left, () => {});
    await Promise.all([node.settled(""), other.settled("")]);

    const { id } = await second.info();
    await second.ask(["CLUSTER", "SETSLOT", `${slotOf(left)}`, "NODE", id]);
    await first.info(); // so that there is a connection
    first.freeze();
    const taken = first.ask(["CLUSTER", "SETSLOT", `${slotOf(left)}`, "NODE", id]);
    await pause(50); // so that Redis reads the former first
    node.sUnsubscribe(left);
    await pause(20);
    for (const text of ["a", "b", "c"]) void node.sPublish(stays, text);
    await pause(50);
    first.thaw();
    await taken;
    await until(() => heard.includes("c"));
    await pause(200); // in which a message would come again
    expect(heard).to.deep.equal(["a", "b", "c"]);
  });

  it("a node that may no longer ask for the slots says so once, and goes on", async () => {
    const rights = "on >secret resetchannels &socket.io#* +@pubsub +cluster|slots".split(" ");
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
    expect(await (await redis.ownerOf(channel)).subscribers(channel)).to.equal(1);
    expect(log).to.have.lengthOf(1);
  });

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

// A Redis that is killed, frozen, or cut off.

import { expect } from "chai";
import type { Socket } from "socket.io-client";
import { Channels } from "../../backend/cluster/channels";
import { CHAT, channelOf, eventually, onRedis, Peer, startNode } from "../support/cluster";
import { atTheEnd, joined, open, pause, until } from "../support/harness";
import { atDoorOf, forward, RedisServer } from "../support/redis";

describe("a cluster", () => {
  const { log, logged } = onRedis();
  let redis: RedisServer;
  before(async () => {
    redis = await RedisServer.start();
  });
  after(() => redis?.stop());

  describe("when Redis is lost", () => {
    afterEach(async () => {
      redis.thaw();
      await redis.stop();
      await redis.start();
    });

    it("the peers of a node have each other, it is said once, and all is well when Redis is back", async () => {
      const [a, b] = [await startNode(redis), await startNode(redis)];
      const [ann, al] = [await Peer.join(a, "ann"), await Peer.join(a, "al")];
      const bob = await Peer.join(b, "bob");
      const gone = await Peer.join(b, "gone", { to: "/category/1/item/3/chat" });

      await redis.stop();
      await until(() => logged("is lost:").length === 2); // once by each node
      for (let i = 0; i < 100; i++) await ann.says(`alone ${i}`);
      await al.hears("message", { text: "alone 99" });
      const amy = await Peer.join(a, "amy");
      expect(await amy.hears("topic")).to.include({ peers: 3 }); // of this node
      const since = Date.now();
      const late = await Peer.join(a, "late", { to: "/category/1/item/4/chat" });
      expect(Date.now() - since).to.be.below(900); // nobody waits for a Redis that is lost
      gone.socket.disconnect();
      await until(() => !b.knows("/category/1/item/3/chat"));
      expect(bob.texts).to.deep.equal([]);

      const door = await atDoorOf(redis);
      await until(() => door.knocks.length >= 4); // by both nodes
      await door.close();
      await redis.start();
      await until(() => logged("is back.").length === 2);
      expect(logged("is lost:")).to.have.lengthOf(2);
      await until(() => a.io.of(CHAT).sockets.size === 3);
      await ann.says("back");
      await bob.hears("message", { text: "back" });
      await bob.says("at last");
      await al.hears("message", { text: "at last" });
      expect(bob.texts).to.deep.equal(["back", "at last"]); // what was missed does not come late

      const lou = await Peer.join(b, "lou", { to: "/category/1/item/4/chat" });
      expect(await lou.hears("topic")).to.include({ peers: 2 });
      await lou.says("found you");
      await late.hears("message", { text: "found you" });
      expect(await redis.subscribers(channelOf("/category/1/item/3/chat"))).to.equal(0);
      for (const { socket } of [ann, al, bob, amy, late]) expect(socket.connected).to.equal(true);
    });

    it("the same where it falls silent with its connections open", async () => {
      const [a, b] = [await startNode(redis), await startNode(redis)];
      const [ann, al] = [await Peer.join(a, "ann"), await Peer.join(a, "al")];
      const bob = await Peer.join(b, "bob");

      redis.freeze();
      const since = Date.now();
      await joined(open(a.url, CHAT, { transports: ["websocket"] })); // the node hears this namespace already
      expect(Date.now() - since).to.be.below(900);
      await ann.says("hello?");
      await al.hears("message", { text: "hello?" });
      await Promise.all([Peer.join(a, "amy"), Peer.join(a, "eve", { to: "/category/1/item/3/chat" })]);
      expect(log).to.deep.equal([]); // all that while Redis does not yet count as lost
      await until(() => logged("is lost:").length === 2);

      redis.thaw();
      await until(() => logged("is back.").length === 2);
      redis.freeze();
      await until(() => logged("is lost:").length === 4);

      redis.thaw();
      await until(() => logged("is back.").length === 4);
      await ann.says("back");
      await bob.hears("message", { text: "back" });
      expect(bob.texts).to.deep.equal(["back"]); // what was missed does not come late
    });

    /** Two nodes; the way of the first one to Redis can be cut. */
    async function twoWays() {
      const way = await forward([redis.port]);
      atTheEnd(way.close);
      const [a, b] = [await Channels.of(`redis://127.0.0.1:${way.port}`), await Channels.of(redis.url)];
      atTheEnd(() => Promise.all([a.close(), b.close()]));
      return { way, a, b };
    }

    it("what was on its way when it was lost does not come late", async () => {
      const { way, a, b } = await twoWays();
      const heard: string[] = [];
      b.sSubscribe(CHAT, (message) => heard.push(String(message)));
      await b.settled(CHAT);
      way.mute(true);
      void a.sPublish(CHAT, "late");
      await pause(50); // now it is on its way
      way.mute(false);
      way.cut();
      await until(() => logged("is back.").length === 1);
      void a.sPublish(CHAT, "new");
      await until(() => heard.includes("new"));
      expect(heard).to.deep.equal(["new"]);
    });

    it("what others said while it was silent does not come late where it counts as lost", async () => {
      const { way, a, b } = await twoWays();
      const heard: string[] = [];
      a.sSubscribe(CHAT, (message) => heard.push(String(message)));
      await a.settled(CHAT);
      redis.freeze();
      void b.sPublish(CHAT, "late");
      way.cut();
      await until(() => logged("is lost:").length === 1);
      redis.thaw();
      await eventually(async () => expect(await redis.subscribers(CHAT)).to.equal(1));
      void b.sPublish(CHAT, "new");
      await until(() => heard.includes("new"));
      expect(heard).to.deep.equal(["new"]);
    });

    it("a node says that it is back when its channels are, also those that came while Redis was away", async () => {
      const far = await forward([redis.port], 100);
      atTheEnd(far.close);
      const a = await startNode({ url: `redis://127.0.0.1:${far.port}` });
      await Peer.join(a, "ann");
      await redis.stop();
      await until(() => logged("is lost:").length === 1);
      await Peer.join(a, "late", { to: "/category/1/item/3/chat" });

      await redis.start();
      await until(() => logged("is back.").length === 1);
      expect(await redis.subscribers(channelOf(CHAT))).to.equal(1);
      expect(await redis.subscribers(channelOf("/category/1/item/3/chat"))).to.equal(1);
    });

    it("all channels are back, however many", async () => {
      const far = await forward([redis.port], 300);
      atTheEnd(far.close);
      const node = await Channels.of(`redis://127.0.0.1:${far.port}`);
      atTheEnd(() => node.close());
      const names = Array.from({ length: 2000 }, (_, i) => `socket.io#${i}#`);
      for (const name of names) node.sSubscribe(name, () => {});
      await Promise.all(names.map((name) => node.settled(name)));
      await redis.ask(["CLIENT", "KILL", "TYPE", "pubsub"]);
      await redis.ask(["CONFIG", "RESETSTAT"]);
      await until(() => logged("is back.").length === 1);
      expect(await redis.channels()).to.have.members(names);
      // each is asked for once, though the answers take longer than half a second
      expect(await redis.ask(["INFO", "commandstats"])).to.include("cmdstat_subscribe:calls=2000,");
    });

    it("a node does not say that it is back while Redis refuses a channel", async () => {
      await redis.ask(["ACL", "SETUSER", "ann", ..."on >secret &socket.io#* +@all".split(" ")]);
      const node = await Channels.of(redis.url.replace("//", "//ann:secret@"));
      atTheEnd(() => node.close());
      node.sSubscribe("socket.io#x", () => {});
      await node.settled("socket.io#x");
      await redis.ask(["ACL", "SETUSER", "ann", "resetchannels"]); // which also ends her connection
      await until(() => logged("refuses what this node needs").length === 1);
      await pause(1500); // it tries again in vain
      expect(logged("is back.")).to.deep.equal([]);
      await redis.ask(["ACL", "SETUSER", "ann", "&socket.io#*"]);
      await until(() => logged("is back.").length === 1);
      expect(await redis.channels()).to.deep.equal(["socket.io#x"]);
    });

    it("a node that Redis does not let in any more says so, and is back when it is let in", async () => {
      await redis.ask(["ACL", "SETUSER", "bob", ..."on >secret &socket.io#* +@all".split(" ")]);
      const node = await Channels.of(redis.url.replace("//", "//bob:secret@"));
      atTheEnd(() => node.close());
      await redis.ask(["ACL", "SETUSER", "bob", "resetpass", ">another"]);
      await redis.ask(["CLIENT", "KILL", "USER", "bob"]);
      await until(() => logged("refuses what this node needs: it wants another user name or password.").length === 1);
      await redis.ask(["ACL", "SETUSER", "bob", ">secret"]);
      await until(() => logged("is back.").length === 1);
      expect(log).to.have.lengthOf(3);
    });

    it("a channel that is left while Redis does not let it go is left later", async () => {
      const node = await Channels.of(redis.url);
      atTheEnd(() => node.close());
      node.sSubscribe("socket.io#x", () => {});
      await node.settled("socket.io#x");
      expect(await redis.channels()).to.deep.equal(["socket.io#x"]);
      await redis.ask(["ACL", "SETUSER", "default", "-unsubscribe"]);
      node.sUnsubscribe("socket.io#x");
      await node.settled("socket.io#x");
      await redis.ask(["ACL", "SETUSER", "default", "+unsubscribe"]);
      await eventually(async () => expect(await redis.channels()).to.deep.equal([]));
    });

    it("it does not say so where Redis is lost again before that", async () => {
      const far = await forward([redis.port], 100);
      atTheEnd(far.close);
      const a = await startNode({ url: `redis://127.0.0.1:${far.port}` });
      await redis.stop();
      await until(() => logged("is lost:").length === 1);
      await Peer.join(a, "late");
      await redis.start();
      const connections = async () => String(await redis.ask(["CLIENT", "LIST"])).match(/^id=/gm);
      await eventually(async () => expect(await connections()).to.have.lengthOf(2)); // the test's own is one
      far.mute(true); // before the channel is there
      far.mute(false); // for the next connection

      await until(() => logged("is back.").length === 1);
      expect(await redis.subscribers(channelOf(CHAT))).to.equal(1);
      expect(log).to.have.lengthOf(2);
    });

    it("what was on its way when Redis died is made up for: a channel that came, and one that went", async () => {
      const a = await startNode(redis);
      await Peer.join(a, "ann");
      const gone = await Peer.join(a, "gone", { to: "/category/1/item/3/chat" });

      redis.freeze();
      gone.socket.disconnect();
      await until(() => !a.knows("/category/1/item/3/chat"));
      await Peer.join(a, "late", { to: "/category/1/item/4/chat" }); // lets nobody wait for longer than a second
      await redis.stop();
      await redis.start();
      await until(() => logged("is back.").length === 1);
      expect(await redis.subscribers(channelOf("/category/1/item/3/chat"))).to.equal(0);
      expect(await redis.subscribers(channelOf("/category/1/item/4/chat"))).to.equal(1);
    });

    it("a connection that is taken and never answered is not waited for", async () => {
      const far = await forward([redis.port]);
      atTheEnd(far.close);
      const a = await startNode({ url: `redis://127.0.0.1:${far.port}` });
      const taken = far.taken();
      far.mute(true);
      await until(() => logged("is lost:").length === 1);
      await until(() => far.taken() > taken); // the node tries again, and gets no word
      far.mute(false); // for those who come later
      await until(() => logged("is back.").length === 1);
      await Peer.join(a, "ann");
      expect(await redis.subscribers(channelOf(CHAT))).to.equal(1);
    });

    it("an application that fails on a message of another node loses no later one", async () => {
      const [a, b] = [await startNode(redis), await startNode(redis)];
      const [ann, bob] = [await Peer.join(a, "ann"), await Peer.join(b, "bob")];
      b.io.on("trouble", () => {
        throw new Error("a mistake in the application");
      });
      a.io.serverSideEmit("trouble");
      await until(() => logged("a mistake in the application").length === 1);
      await ann.says("are you well?");
      await bob.hears("message", { text: "are you well?" });
      expect(log).to.have.lengthOf(1);
    });

    it("again and again while namespaces come and go: no channel is missing afterwards, and none is left", async () => {
      const nodes = [await startNode(redis), await startNode(redis)].map((node) => ({
        ...node,
        peers: new Map<string, Socket>(), // one at most for each namespace
      }));
      const idle = await redis.channels();
      let going = true;

      const comeAndGo = nodes.map(async ({ url, peers }) => {
        // in the end, each has more than half of the 40: so there are some that both have
        for (let i = 0; going || peers.size < 25; i += 7) {
          const to = `/category/2/item/${i % 40}/chat`;
          const old = peers.get(to);
          if (old) peers.delete(to);
          else peers.set(to, open(url, to, { transports: ["websocket"] }));
          old?.disconnect();
          await pause(20);
        }
      });
      for (const [round, trouble] of ["kill", "freeze", "short freeze", "kill", "freeze"].entries()) {
        const before = logged("is lost:").length;
        await pause(100 + 37 * round);
        if (trouble === "kill") await redis.stop();
        else redis.freeze();
        if (trouble === "short freeze") await pause(500);
        else await until(() => logged("is lost:").length === before + 2);
        if (trouble === "kill") await redis.start();
        else redis.thaw();
        await until(() => logged("is back.").length === logged("is lost:").length);
      }
      going = false;
      await Promise.all(comeAndGo);

      const [here, there] = nodes.map(({ peers }) => peers) as [Map<string, Socket>, Map<string, Socket>];
      const all = [...here.values(), ...there.values()];
      const names = new Set([...here.keys(), ...there.keys()]);
      await until(() => all.every((socket) => socket.connected));
      await until(() => nodes.every(({ io, peers }) => io._nsps.size === 2 + peers.size));
      // each namespace has two channels, and each node that has it one for answers
      const length = idle.length + 2 * names.size + all.length;
      await eventually(async () => expect(await redis.channels()).to.have.lengthOf(length));
      for (const name of names) {
        expect(await redis.subscribers(channelOf(name))).to.equal(Number(here.has(name)) + Number(there.has(name)));
      }

      const both = [...here].filter(([name]) => there.has(name));
      expect(both).to.not.be.empty;
      for (const [name, socket] of both) {
        const other = new Peer(there.get(name)!);
        await socket.emitWithAck("message", "hello");
        await other.hears("message", { text: "hello" });
      }

      for (const socket of all) socket.disconnect();
      await until(() => nodes.every(({ io }) => io._nsps.size === 2));
      await eventually(async () => expect(await redis.channels()).to.have.members(idle));
    });

    it("a node that leaves does not come back, even where its application fails on the last message", async () => {
      const far = await forward([redis.port], 100);
      atTheEnd(far.close);
      const [near, leaving] = [await Channels.of(redis.url), await Channels.of(`redis://127.0.0.1:${far.port}`)];
      atTheEnd(() => near.close());
      leaving.sSubscribe("trouble", () => {
        throw new Error("a mistake in the application");
      });
      await leaving.settled("trouble");
      const taken = far.taken();
      void near.sPublish("trouble", "a word");
      void leaving.sPublish("the last words", "");
      await leaving.close();
      expect(logged("is lost:")).to.deep.equal([]);
      expect(far.taken()).to.equal(taken);
    });

    it("nor does a node that leaves while it is connecting again", async () => {
      const far = await forward([redis.port]);
      atTheEnd(far.close);
      for (let ms = 0; ms <= 100; ms += 10) {
        const leaving = await Channels.of(`redis://127.0.0.1:${far.port}`);
        leaving.sSubscribe("trouble", () => {});
        await leaving.settled("trouble");
        far.cut();
        await pause(ms);
        await leaving.close();
      }
      await eventually(async () => expect(far.open()).to.equal(0), 3000);
      const taken = far.taken();
      await pause(1200);
      expect(far.taken()).to.equal(taken);
    });

    it("a node that leaves while Redis is frozen keeps no connection", async () => {
      const far = await forward([redis.port]);
      atTheEnd(far.close);
      const leaving = await Channels.of(`redis://127.0.0.1:${far.port}`);
      expect(far.open()).to.be.greaterThan(0);
      redis.freeze();
      void leaving.sPublish("the last words", "");
      await leaving.close();
      await eventually(async () => expect(far.open()).to.equal(0), 3000);
    });

    it("closing a node takes no longer", async () => {
      const a = await startNode(redis);
      await Peer.join(a, "ann");
      await redis.stop();
      await until(() => logged("is lost:").length === 1);
      const since = Date.now();
      await a.close();
      expect(Date.now() - since).to.be.below(900);

      const door = await atDoorOf(redis);
      await pause(1200);
      await door.close();
      expect(door.knocks).to.deep.equal([]); // a node that has gone looks for Redis no more
    });
  });
});

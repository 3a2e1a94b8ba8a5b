// What stands in the way of a node is one plain sentence.

import { createServer as createNetServer, type Socket } from "node:net";
import { spawn } from "node:child_process";
import { join as path } from "node:path";
import { expect } from "chai";
import { Cluster } from "../../backend/cluster/cluster";
import { channelOf, eventually, onRedis, Peer, startNode } from "../support/cluster";
import { compiledServer } from "../support/demo-server";
import { atTheEnd, next, until } from "../support/harness";
import { freePort, listening, RedisServer } from "../support/redis";

/** A server that is not Redis. */
async function serverOf(onConnection: (socket: Socket) => void): Promise<string> {
  const server = createNetServer(onConnection);
  atTheEnd(() => server.close());
  return `redis://127.0.0.1:${await listening(server)}`;
}

describe("a node", () => {
  const { log } = onRedis();
  const start = compiledServer();
  let redis: RedisServer;
  before(async () => {
    redis = await RedisServer.start();
  });
  after(() => redis?.stop());

  it("a node that cannot listen ends by itself, with code 1", async () => {
    const taken = createNetServer();
    const port = await listening(taken);
    atTheEnd(() => taken.close());
    const b = start({ REDIS_URL: redis.url, PORT: String(port) });
    expect(await b.ended).to.equal(1);
    expect(b.errors.join()).to.match(/^PORT \d+ is taken/);
  });

  it("that cannot use Redis says why in one sentence, without the password, and ends with code 1", async () => {
    const port = await freePort();
    const node = start({ REDIS_URL: `redis://user:secret@127.0.0.1:${port}` });
    expect(await node.ended).to.equal(1);
    const sentence = `cannot be used: connect ECONNREFUSED 127.0.0.1:${port}.`;
    expect(node.errors).to.deep.equal([`REDIS_URL redis://127.0.0.1:${port} ${sentence}`]);
    expect(node.lines).to.deep.equal([]);
  });

  /** The whole message with which an address is refused. */
  const messageAt = (url: string): Promise<string> =>
    Cluster.join(url).then(
      () => expect.fail("the node is let in"),
      ({ message }: Error) => message,
    );

  /** Why an address cannot be used. */
  const reasonAt = async (url: string) => {
    const message = await messageAt(url);
    expect(message).to.not.include("secret");
    const [, address, reason] = /^REDIS_URL (.+) cannot be used: (.+)\.$/.exec(message) ?? [];
    expect(address).to.equal(`redis://${new URL(url).host}`);
    return reason;
  };

  it("is told what an address must look like", async () => {
    for (const url of ["127.0.0.1:6379", "http://127.0.0.1:6379", "redis://", "redis", "redis://localhost/name"]) {
      expect(await messageAt(url)).to.equal(
        "REDIS_URL must be the address of a Redis server, such as redis://localhost:6379.",
      );
    }
  });

  it("is told that a name with several addresses leads nowhere", async () => {
    expect(await reasonAt(`redis://:secret@localhost:${await freePort()}`)).to.include("ECONNREFUSED");
  });

  it("is told what it may not do", async () => {
    const users: Record<string, [rights: string, reason: string]> = {
      all: ["&* +@all", ""],
      ours: ["&socket.io#* -@all +ping +subscribe +unsubscribe +publish", ""], // enough
      deaf: ["&* +@all -subscribe", "it does not let this user run SUBSCRIBE"],
      mute: ["&* +@all -publish", "it does not let this user run PUBLISH"],
      stray: ["&other +@all", "it does not let this user use the channels that begin with socket.io#"],
    };
    const rights = Object.entries(users).map(([name, [rights]]) => `--user ${name} on >secret ${rights}`);
    const shut = await RedisServer.start(..."--requirepass secret".split(" "), ...rights.join(" ").split(" "));
    atTheEnd(() => shut.stop());
    const as = (user: string) => shut.url.replace("//", `//${user}@`);

    for (const [name, [, reason]] of Object.entries(users)) {
      if (reason) expect(await reasonAt(as(`${name}:secret`))).to.equal(reason);
      else await (await Cluster.join(as(`${name}:secret`))).close();
    }
    expect(await reasonAt(shut.url)).to.equal("it wants a password");
    expect(await reasonAt(as(":another"))).to.equal("it wants another user name or password");
  });

  it("is told what is not a Redis that it can use", async () => {
    const answering = (answer: (command: string) => string) =>
      serverOf((socket) => {
        socket.on("data", (chunk) => {
          for (const command of String(chunk).split(/\*\d+\r\n/)) if (command) socket.write(`${answer(command)}\r\n`);
        });
      });
    const old = await answering(() => "-ERR unknown command `HELLO`, with args beginning with: `3`");
    const strict = await answering(() => "-DENIED Redis is running in protected mode. In this mode it says a lot.");
    const web = await answering(() => "HTTP/1.1 400 Bad Request");
    const silent = await serverOf(() => {});

    expect(await reasonAt(old)).to.equal("it is older than version 6");
    expect(await reasonAt(strict)).to.equal("DENIED Redis is running in protected mode");
    expect(await reasonAt(web)).to.equal("it is no Redis");
    expect(await reasonAt(silent)).to.equal("no answer within 3 s");
  });

  it("that loses a right later says so in one line, and messages cross again when it has it back", async () => {
    const [a, b] = [await startNode(redis), await startNode(redis)];
    const [ann, bob] = [await Peer.join(a, "ann"), await Peer.join(b, "bob")];
    await redis.ask(["ACL", "SETUSER", "default", "-publish"]);
    for (let i = 0; i < 20; i++) await ann.says(`lost ${i}`);
    await until(() => log.length > 0);
    const line = "refuses what this node needs: it does not let this user run PUBLISH.";
    expect(log).to.have.lengthOf(1);
    expect(log[0]).to.include(line);

    await redis.ask(["ACL", "SETUSER", "default", "+publish", "-subscribe"]);
    const amy = await Peer.join(a, "amy", { to: "/category/1/item/3/chat" });
    const eve = await Peer.join(b, "eve", { to: "/category/1/item/3/chat" });
    await until(() => log.length === 3); // both nodes
    for (const refused of log.slice(1)) expect(refused).to.include("it does not let this user run SUBSCRIBE");
    await redis.ask(["ACL", "SETUSER", "default", "+subscribe"]);
    await eventually(async () => expect(await redis.subscribers(channelOf("/category/1/item/3/chat"))).to.equal(2));
    await amy.says("well?");
    await eve.hears("message", { text: "well?" });
    await ann.says("well?");
    await bob.hears("message", { text: "well?" });
    expect(bob.texts).to.deep.equal(["well?"]);
    expect(log).to.have.lengthOf(3);
  });

  it("without REDIS_URL nothing of Redis is loaded", async () => {
    const script = `
        require("./backend/demo/listen").joinCluster().then((cluster) => {
          const { server, io } = require("./backend/server").chatServer(undefined, cluster);
          console.log(Object.keys(require.cache).filter((file) => /redis/.test(file)).length, String(cluster));
        });`;
    const child = spawn(process.execPath, ["-r", "ts-node/register", "-e", script], {
      cwd: path(__dirname, "../.."),
      env: { ...process.env, REDIS_URL: "" },
    });
    let out = "";
    child.stdout.on("data", (chunk) => (out += chunk));
    await next(child, "close");
    expect(out).to.equal("0 undefined\n");
  });
});

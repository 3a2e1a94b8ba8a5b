// pairs.ts: two nodes on a Redis Cluster, each of which uses another server of it, and peers of both in many namespaces.

import { expect } from "chai";
import { channelOf, eventually, Peer, startNode } from "./cluster";
import { pause, until } from "./harness";
import type { RedisServer } from "./redis";
import type { RedisCluster } from "./redis-cluster";

/**
 * Two nodes, each with a peer in each of so many namespaces, and the server that each node uses.
 *
 * @param unused - a server that neither of them uses
 */
export async function pairs(redis: RedisCluster, count: number, unused?: RedisServer) {
  const [nodes, used] = await nodesApart(redis, unused);
  const names = Array.from({ length: count }, (_, i) => `/category/${i}/item/1/chat`);
  const all = await Promise.all(
    names.map(async (to) => Promise.all([Peer.join(nodes[0], "ann", { to }), Peer.join(nodes[1], "bob", { to })])),
  );
  const said: string[] = [];

  /** Each peer says something. */
  const speak = async () => {
    const round = said.length;
    said.push(`round ${round}, ann`, `round ${round}, bob`);
    await Promise.all(
      all.map(([ann, bob]) => Promise.all([ann.says(`round ${round}, ann`), bob.says(`round ${round}, bob`)])),
    );
  };

  /** How many of the peers have not heard all that was said from here on. */
  const missing = (from: number) =>
    all.flat().filter(({ texts }) => !said.slice(from).every((text) => texts.includes(text))).length;

  /** That whatever is said now reaches everybody, at once or within so many milliseconds. */
  const allHear = (within?: number) =>
    eventually(async () => {
      const from = said.length;
      await speak();
      for (const end = Date.now() + 500; missing(from) > 0 && Date.now() < end;) await pause(5);
      expect(missing(from)).to.equal(0);
    }, within);

  /** That messages cross, that nobody has heard one twice, and that nothing is left when all have gone. */
  const allIsWell = async () => {
    await allHear();
    for (const { texts } of all.flat()) expect(texts).to.have.lengthOf(new Set(texts).size);
    for (const name of names) expect(await redis.usedFor(channelOf(name))).to.have.lengthOf(2);
    for (const { socket } of all.flat()) socket.disconnect();
    await until(() => nodes.every(({ io }) => io._nsps.size === 2));
    await Promise.all(nodes.map((node) => node.close()));
    await eventually(async () => expect(await redis.channels()).to.deep.equal([]));
  };

  return { nodes, used, names, speak, missing, allHear, allIsWell };
}

type Node = Awaited<ReturnType<typeof startNode>>;

/** Two nodes that use different servers, which chance decides. */
async function nodesApart(
  redis: RedisCluster,
  unused?: RedisServer,
): Promise<[nodes: [Node, Node], used: [RedisServer, RedisServer]]> {
  const nodes: Node[] = [];
  const taken: RedisServer[] = [];
  for (let attempt = 0; nodes.length < 2; attempt++) {
    if (attempt === 50) throw new Error("50 nodes, and no two of them use different servers as they should");
    const node = await startNode(redis.servers[nodes.length]!);
    const now = await redis.usedFor(channelOf("/"));
    const server = now.find((used) => used !== unused && !taken.includes(used));
    if (server) {
      nodes.push(node);
      taken.push(server);
    } else {
      await node.close();
      await eventually(async () => expect(await redis.usedFor(channelOf("/"))).to.have.lengthOf(nodes.length));
    }
  }
  return [nodes as [Node, Node], taken as [RedisServer, RedisServer]];
}

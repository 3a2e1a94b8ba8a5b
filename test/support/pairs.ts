// pairs.ts: two nodes on a Redis Cluster, and peers of both in many namespaces.

import { expect } from "chai";
import { Command } from "ioredis";
import { channelOf, eventually, Peer, startNode } from "./cluster";
import { pause, until } from "./harness";
import type { RedisServer } from "./redis";
import type { RedisCluster } from "./redis-cluster";

export const FEW = 400; // slots at the beginning of what a master has: those that `redis-cli` moves first

/** The slot of a channel in a Redis Cluster. */
export const slotOf = (channel: string) => new Command("ssubscribe", [channel]).getSlot();

/** So many namespaces whose channels are in these slots. */
export function namesFrom(first: number, count: number): string[] {
  const names = [];
  for (let i = first; names.length < count; i++) {
    const name = `/category/${i}/item/1/chat`;
    if (slotOf(channelOf(name)) % 5461 < FEW) names.push(name);
  }
  return names;
}

/** Two nodes, and a peer of each in so many namespaces. */
export async function pairs(redis: RedisCluster, count: number) {
  const nodes = [await startNode(redis), await startNode(redis.servers[1]!)] as const;
  const names = namesFrom(1, count);
  const all = await Promise.all(
    names.map(async (to) => Promise.all([Peer.join(nodes[0], "ann", { to }), Peer.join(nodes[1], "bob", { to })])),
  );
  let round = 0;

  /** In which of these namespaces a message of each peer reaches the other one, within so many milliseconds. */
  const crossing = async (which = names, within = 1000): Promise<string[]> => {
    const text = `round ${++round}`;
    const chosen = all.filter((_, i) => which.includes(names[i]!));
    await Promise.all(chosen.map(([ann, bob]) => Promise.all([ann.says(`${text}, ann`), bob.says(`${text}, bob`)])));
    const crossed = () =>
      which.filter((_, i) =>
        chosen[i]!.every(({ texts }) => texts.includes(`${text}, ann`) && texts.includes(`${text}, bob`)),
      );
    for (const end = Date.now() + within; crossed().length < which.length && Date.now() < end;) await pause(5);
    return crossed();
  };

  /** That all messages cross again, nobody has heard one twice, and nothing is left when all have gone. */
  const allIsWell = async () => {
    await eventually(async () => expect(await crossing()).to.deep.equal(names));
    for (const { texts } of all.flat()) expect(texts).to.have.lengthOf(new Set(texts).size);
    for (const name of names) {
      const owner = await redis.ownerOf(channelOf(name));
      await eventually(async () => expect(await owner.subscribers(channelOf(name))).to.equal(2));
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
  /** How many messages have crossed that were sent in this round of {@link crossing}. */
  const crossedIn = (round: number) =>
    all.filter(([ann, bob]) => bob.texts.includes(`round ${round}, ann`) || ann.texts.includes(`round ${round}, bob`))
      .length;
  return { nodes, names, crossing, crossedIn, allIsWell, namesAt };
}

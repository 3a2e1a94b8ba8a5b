// What a node loses while a Redis Cluster moves its slots, and how long it hears nothing when Redis is lost.

import { Channels } from "../../backend/cluster/channels";
import { pause } from "../support/harness";
import { RedisServer } from "../support/redis";
import { RedisCluster } from "../support/redis-cluster";

const SLOTS = 2000; // that move, three times
const AT_ONCE = 30; // messages, each hundredth of a second
const nameOf = (i: number) => `socket.io#/category/${i}/item/1/chat#`;

/** A table of all troubles: what it is called, and what was counted. */
export async function troubles(progress: (what: string) => void): Promise<string[][]> {
  const rows = [["trouble", "figure"]];
  const row = async (what: string, figure: () => Promise<string>) => {
    progress(what);
    rows.push([what, await figure()]);
  };
  const { log, error } = console;
  const lines: string[] = [];
  console.log = console.error = (line: string) => lines.push(line);
  try {
    await row("slots move, 300 namespaces stay, 200 come and go", () => whileSlotsMove(300, 200));
    await row("slots move, 2000 stay, 200 come and go", () => whileSlotsMove(2000, 200));
    await row("an operator makes a replica the master", whileReplaced);
    await row("the server that a node uses is killed: it hears nothing for", () => withoutItsServer("killed"));
    await row("the server that a node uses is frozen: it hears nothing for", () => withoutItsServer("frozen"));
    await row("one Redis is killed for 2 s: nothing is heard for", whileAway);
    await row("one Redis is frozen: noticed after", () => untilNoticed(lines));
    await row("processor time of a node of 300 namespaces, idle", () => processorTime(false));
    await row("the same while a server is away", () => processorTime(true));
  } finally {
    Object.assign(console, { log, error });
  }
  return rows;
}

/** Two nodes: what one sends in each of so many channels, the other one hears. */
async function twoNodes(urls: [string, string], count: number) {
  const [a, b] = [await Channels.of(urls[0]), await Channels.of(urls[1])];
  const heard = new Map<string, number>(); // how often each message was heard
  const names = Array.from({ length: count }, (_, i) => nameOf(i));
  const hear = (message: Buffer) => heard.set(String(message), (heard.get(String(message)) ?? 0) + 1);
  for (const name of names) {
    a.sSubscribe(name, () => {});
    b.sSubscribe(name, hear);
  }
  await Promise.all(names.flatMap((name) => [a.settled(name), b.settled(name)]));
  let sent = 0;
  const say = (name: string) => {
    void a.sPublish(name, `${name} ${++sent}`);
    return `${name} ${sent}`;
  };
  return { a, b, names, heard, say, close: () => Promise.all([a.close(), b.close()]) };
}

async function whileSlotsMove(count: number, churned: number): Promise<string> {
  return losses(await RedisCluster.start(), count, churned, async (redis) => {
    const [first, second, third] = redis.servers as [RedisServer, RedisServer, RedisServer];
    await redis.move(SLOTS, first, second);
    await redis.move(SLOTS, second, third);
    await redis.move(SLOTS, third, first);
  });
}

async function whileReplaced(): Promise<string> {
  return losses(await RedisCluster.start(1), 300, 200, async (redis) => {
    await redis.promote(await redis.replicaOf(redis.servers[0]!));
    await pause(2000); // until all nodes have heard of it
  });
}

/** Messages that are lost in such a trouble, of all; those heard twice, and channels that are deaf for good. */
async function losses(
  redis: RedisCluster,
  count: number,
  churned: number,
  trouble: (redis: RedisCluster) => Promise<void>,
): Promise<string> {
  const { a, b, names, heard, say, close } = await twoNodes([redis.url, redis.servers[1]!.url], count);
  let going = true;
  let sent = 0;
  const talk = async () => {
    for (let i = 0; going; await pause(10)) {
      for (let k = 0; k < AT_ONCE; k++, sent++) say(names[i++ % count]!);
    }
  };
  const comeAndGo = async () => {
    for (let i = 0; going && churned > 0; i++, await pause(5)) {
      const name = nameOf(1_000_000 + (i % churned));
      for (const node of [a, b]) {
        if (Math.floor(i / churned) % 2 === 0) node.sSubscribe(name, () => {});
        else node.sUnsubscribe(name);
      }
    }
  };
  const busy = [talk(), comeAndGo()];
  await trouble(redis);
  going = false;
  await Promise.all(busy);
  await pause(2000);
  const lost = sent - heard.size;
  const doubled = [...heard.values()].filter((times) => times > 1).length;
  const last = names.map(say);
  await pause(1000);
  const deaf = last.filter((message) => !heard.has(message)).length;
  await close();
  await redis.stop();
  return `${lost} of ${sent} lost (${((100 * lost) / sent).toFixed(2)} %), ${doubled} doubled, ${deaf} deaf for good`;
}

/** Milliseconds between the two messages around the longest silence, when one is sent each hundredth of a second. */
async function longestSilence(heard: Map<string, number>, say: () => void, trouble: () => Promise<void>) {
  let [silence, before, size] = [0, Date.now(), 0];
  const tick = () => {
    if (heard.size > size) {
      silence = Math.max(silence, Date.now() - before);
      before = Date.now();
      size = heard.size;
    }
    say();
  };
  const clock = setInterval(tick, 10);
  await pause(500);
  await trouble();
  await pause(6000); // longer than any of these silences
  clearInterval(clock);
  return `${(silence / 1000).toFixed(2)} s`;
}

async function withoutItsServer(trouble: "killed" | "frozen"): Promise<string> {
  const redis = await RedisCluster.start();
  for (;;) {
    const { a, names, heard, say, close } = await twoNodes([redis.url, redis.url], 300);
    a.sSubscribe("of the speaker", () => {});
    await a.settled("of the speaker");
    const [speaker] = await redis.usedFor("of the speaker");
    const hearer = (await redis.usedFor(names[0]!)).find((server) => server !== speaker);
    if (hearer) {
      const silence = await longestSilence(
        heard,
        () => say(names[0]!),
        async () => (trouble === "killed" ? hearer.stop() : hearer.freeze()),
      );
      hearer.thaw();
      await close();
      await redis.stop();
      return silence;
    }
    await close(); // chance has given both the same server
  }
}

async function whileAway(): Promise<string> {
  const redis = await RedisServer.start();
  const { names, heard, say, close } = await twoNodes([redis.url, redis.url], 300);
  const silence = await longestSilence(
    heard,
    () => say(names[0]!),
    async () => {
      await redis.stop();
      await pause(2000);
      await redis.start();
    },
  );
  await close();
  await redis.stop();
  return silence;
}

async function untilNoticed(lines: string[]): Promise<string> {
  const redis = await RedisServer.start();
  const node = await Channels.of(redis.url);
  lines.length = 0;
  await pause(300);
  const since = Date.now();
  redis.freeze();
  while (!lines.some((line) => line.includes("is lost:"))) await pause(5);
  const noticed = Date.now() - since;
  redis.thaw();
  await node.close();
  await redis.stop();
  return `${(noticed / 1000).toFixed(1)} s`;
}

/** Per cent of a processor. */
async function processorTime(isAway: boolean): Promise<string> {
  const redis = await RedisCluster.start();
  const node = await Channels.of(redis.url);
  for (let i = 0; i < 300; i++) node.sSubscribe(nameOf(i), () => {});
  if (isAway) await redis.servers[1]!.stop();
  await pause(1500);
  const before = process.cpuUsage();
  await pause(5000);
  const { user, system } = process.cpuUsage(before);
  await node.close();
  await redis.stop();
  return `${((user + system) / 50_000).toFixed(1)} %`;
}

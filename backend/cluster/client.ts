// client.ts: ioredis, set up for one Redis or for a Redis Cluster. It connects again where Redis was lost. Of a Redis
// Cluster it knows which master has a channel: it publishes there, and subscribes anew where the channel's slot moves to.

import { Cluster, Command, Redis, type Callback } from "ioredis";
import { plain, within } from "./plain";

const ANSWER_WITHIN = 3000; // milliseconds that Redis gets for an answer
const REFRESH_EVERY = 100; // milliseconds at least from one question for the slots to the next, and more where
const REFRESH_LATER = 500; // a master is down
const SLOTS = 16_384; // of a Redis Cluster: each channel is in one of them, and each slot has a master

const options = {
  lazyConnect: true, // it connects when it is told to
  connectTimeout: ANSWER_WITHIN,
  socketTimeout: ANSWER_WITHIN, // a Redis that is frozen keeps its connections open
  disconnectTimeout: 250, // ms that the other side gets to close a connection
  retryStrategy: null, // at the start there is one attempt
  maxRetriesPerRequest: 0, // what was on its way when Redis was lost is not sent again,
  enableOfflineQueue: false, // nor is what is said while it is away
  autoResubscribe: false, // a refusal would end the process; masters.ts does it
  enableReadyCheck: false, // it needs rights that a node does not need otherwise, as does the next one
  disableClientInfo: true,
};

/** A client of ioredis, for one Redis or for a Redis Cluster. */
export type Client = Redis | Cluster;

/**
 * Connects to a Redis server, or to the Redis Cluster that it belongs to, and proves on each master that this node may do
 * what it will have to. Throws an Error where not.
 */
export async function connect(url: URL): Promise<Client> {
  const { version } = require("ioredis/package.json") as { version: string };
  if (parseInt(version) < 6) throw new Error("the package ioredis is older than version 6");
  const redis = new Redis(url.href, options);
  let client: Client = redis;
  try {
    const failed = new Promise<never>((_, reject) => redis.on("error", reject)); // `connect` does not say why
    await within(ANSWER_WITHIN, Promise.race([failed, redis.connect()]));
    const about = (await within(ANSWER_WITHIN, redis.call("HELLO"))) as string[]; // names and values in turn
    if (about[about.indexOf("mode") + 1] === "cluster") {
      client = new PatientCluster(redis);
      await within(ANSWER_WITHIN, client.connect());
      redis.disconnect();
    }
    const masters = mastersOf(client);
    if ([...masters].some((master) => master.startsWith("?"))) {
      throw new Error("some slots of the Redis Cluster have no master, or one that does not tell its host");
    }
    for (const master of masters) await prove(client, master);
    redis.options.retryStrategy = () => 250; // milliseconds to the next attempt, from now on
    return client;
  } catch (err) {
    redis.disconnect();
    client.disconnect();
    throw err;
  }
}

/** The masters of a Redis Cluster, as `host:port`. One Redis is its own master, and is called `""`. */
export function mastersOf(client: Client): Set<string> {
  if (!(client instanceof Cluster)) return new Set([""]);
  return new Set(Array.from({ length: SLOTS }, (_, slot) => client.slots[slot]?.[0] ?? "?"));
}

/** The master that has a channel. */
export function masterOf(client: Client, channel: string): string {
  if (!(client instanceof Cluster)) return "";
  return client.slots[new Command("ssubscribe", [channel]).getSlot()]?.[0] ?? "?";
}

/** A channel that nobody uses, of the kind that will be used, of one of the masters. */
export function channelAt(client: Client, master: string): string {
  const name = (i: number) => `socket.io#/#${i}#`;
  let i = 0;
  while (masterOf(client, name(i)) !== master && i < 20 * SLOTS) i++; // it may have lost its last slot meanwhile
  return name(i);
}

/** How many nodes are subscribed to a channel, as its master says. */
export async function countOf(client: Client, channel: string): Promise<number> {
  const isMaster = ({ options: { host, port } }: Redis) => `${host}:${port}` === masterOf(client, channel);
  const redis = client instanceof Cluster ? client.nodes("master").find(isMaster) : client;
  const [, count = 1] = (await redis?.pubsub("SHARDNUMSUB", channel)) ?? [];
  return Number(count);
}

async function prove(client: Client, master: string): Promise<void> {
  const channel = channelAt(client, master);
  const commands = [client.ssubscribe(channel), client.spublish(channel, ""), countOf(client, channel)];
  await within(ANSWER_WITHIN, Promise.all([...commands, client.sunsubscribe(channel)])).catch((err) => {
    throw master ? new Error(`its master ${master}: ${plain(err)}`) : err;
  });
}

/** Where a master is down, ioredis 6.0 asks for the slots again as soon as it is answered, and takes a whole processor. */
class PatientCluster extends Cluster {
  private due = 0; // when it may ask again
  private next: NodeJS.Timeout | undefined;
  private readonly waiting: Callback<void>[] = [];

  constructor({ options: { host, port, username, password, tls } }: Redis) {
    super([{ host, port }], {
      ...options,
      enableOfflineQueue: true, // of a connection that is being made: to a lost master, nothing is sent
      redisOptions: { ...options, username, password, tls },
      shardedSubscribers: true, // a connection to each master that subscribes, and one that publishes
      slotsRefreshInterval: 0, // masters.ts does it
      clusterRetryStrategy: () => 1000, // milliseconds to the next attempt, when all masters are lost
      retryDelayOnFailover: 0, // nothing is sent again
      retryDelayOnClusterDown: 0,
      maxRedirections: 3,
      dnsLookup: (host, found) => found(null, host), // a certificate of TLS is for the name
    });
    this.on("error", () => (this.due = Date.now() + REFRESH_LATER)); // a master cannot be reached
  }

  override refreshSlotsCache(callback: Callback<void> = () => {}): void {
    this.waiting.push(callback);
    this.next ??= setTimeout(() => {
      this.next = undefined;
      this.due = Math.max(this.due, Date.now() + REFRESH_EVERY);
      super.refreshSlotsCache((err) => this.waiting.splice(0).forEach((callback) => callback(err)));
    }, this.due - Date.now());
  }
}

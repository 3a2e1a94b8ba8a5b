// servers.ts: the servers of Redis as ioredis knows them: one Redis, or the masters of a Redis Cluster and their replicas.
// There are two connections to each master: one publishes, and one hears.

import { Cluster as RedisCluster, Command, Redis } from "ioredis";

export const ANSWER_WITHIN = 3000; // milliseconds that Redis gets for an answer
export const RETRY_AFTER = 250; // milliseconds to the next attempt to connect
const SLOTS = 16_384; // of a Redis Cluster: each channel is in one of them, and each slot has a master

/** Of each connection. */
export const options = {
  lazyConnect: true, // it connects when it is told to
  connectTimeout: ANSWER_WITHIN,
  socketTimeout: ANSWER_WITHIN, // a Redis that is frozen keeps its connections open
  disconnectTimeout: 250, // milliseconds that the other side gets to close a connection
  retryStrategy: () => RETRY_AFTER, // but ioredis allows none to those connections of a Redis Cluster that publish
  maxRetriesPerRequest: 0, // what was on its way when Redis was lost is not sent again
  enableOfflineQueue: false, // what is said while Redis is away is not sent later
  autoResubscribe: false, // subscriptions.ts does it: if ioredis did, a refusal would end the process
  enableReadyCheck: false, // it needs rights that a node does not need otherwise
  disableClientInfo: true, // so does this
};

/** A client of ioredis, for one Redis or for a Redis Cluster. */
export type Client = Redis | RedisCluster;

/**
 * All servers that are known, masters and replicas. Each stands for the connection that publishes there;
 * {@link subscriberOf} has the other one. A replica is connected only when it is needed.
 */
export const serversOf = (client: Client): Redis[] => (client instanceof RedisCluster ? client.nodes() : [client]);

/** The connections to the masters. One Redis is its own master. */
export const mastersOf = (client: Client): Redis[] =>
  client instanceof RedisCluster ? client.nodes("master") : [client];

const subscribers = new WeakMap<Redis, Redis>();

/**
 * The connection that hears what is published on a master. It is a separate one, because Redis ends subscriptions unasked
 * when a slot moves: ioredis may take that for the answer to a command, and later commands then get wrong answers. (Here,
 * `Subscriptions.renew` finds out within a second.)
 */
export function subscriberOf(master: Redis): Redis {
  let subscriber = subscribers.get(master);
  if (!subscriber) {
    // the options once more: of a Redis Cluster, ioredis has changed them
    subscriber = master.duplicate({ ...options, readOnly: false });
    subscribers.set(master, subscriber);
    master.once("end", () => subscriber!.disconnect()); // ioredis has given this server up
  }
  return subscriber;
}

/** Both connections to a server: the one that publishes, and the one that hears. */
export const connectionsOf = (server: Redis): Redis[] => [server, subscriberOf(server)];

/**
 * The channels that this node hears on a master. (`condition` is not in the documentation of ioredis: it was tried with
 * 6.0.)
 */
export function channelsOn(master: Redis): Set<string> {
  const subscribed = subscriberOf(master).condition?.subscriber;
  return new Set(subscribed ? subscribed.channels("ssubscribe") : []);
}

/** Ends all connections. */
export function disconnect(client: Client): void {
  for (const server of serversOf(client)) subscriberOf(server).disconnect();
  client.disconnect();
}

/** Whether both connections to a master are there. */
export const isReady = (master: Redis) => connectionsOf(master).every(({ status }) => status === "ready");

/** The connection to the master that has a channel, if it is known. */
export function masterOf(client: Client, channel: string): Redis | undefined {
  if (!(client instanceof RedisCluster)) return client;
  const address = client.slots[new Command("ssubscribe", [channel]).getSlot()]?.[0];
  return mastersOf(client).find((master) => addressOf(master) === address);
}

/** The addresses of those that have the slots of a Redis Cluster; `?` where a slot has no master. */
export const ownersOf = (client: RedisCluster) =>
  new Set(Array.from({ length: SLOTS }, (_, slot) => client.slots[slot]?.[0] ?? "?"));

/** Whether each slot of a Redis Cluster has a master, and none has this one. */
export function isReplaced(client: Client, address: string): boolean {
  if (!(client instanceof RedisCluster)) return false;
  const owners = ownersOf(client);
  return !owners.has("?") && !owners.has(address);
}

/** The address of a server, as its Redis Cluster says it. */
export const addressOf = ({ options: { host, port } }: Redis) => `${host}:${port}`;

/**
 * Tells ioredis which servers to ask, beside the one whose address was given, where it knows none any more: all were lost,
 * or the one that it has asked is in no Redis Cluster now.
 */
export function rememberMasters(client: Client, masters: Redis[]): void {
  if (!(client instanceof RedisCluster)) return;
  const [given] = client["startupNodes"]; // ioredis tells to set it, in its text on `clusterRetryStrategy`
  client["startupNodes"] = [given!, ...masters.map(({ options }) => options)];
}

/**
 * Asks a Redis Cluster which master has which slots; resolves when it has answered, or failed. Where no server answers and
 * no master is connected, the servers are looked for anew, by the address that was given.
 */
export async function askForSlots(client: Client): Promise<void> {
  if (!(client instanceof RedisCluster) || client.status !== "ready") return;
  const err = await new Promise((resolve) => client.refreshSlotsCache(resolve));
  const isAlone = !mastersOf(client).some(isReady);
  if (err && isAlone && client.status === "ready") client.disconnect(true);
}

// connect.ts: the start. ioredis connects to one Redis, or to each master of a Redis Cluster, and it is proved there that
// this node may do what it will have to.

import { Cluster as RedisCluster, Redis } from "ioredis";
import { isMoved, plain, within } from "./errors";
import {
  addressOf,
  ANSWER_WITHIN,
  connectionsOf,
  disconnect,
  mastersOf,
  options,
  ownersOf,
  RETRY_AFTER,
  subscriberOf,
  type Client,
} from "./servers";

/**
 * Connects to a Redis server, or to the Redis Cluster that it belongs to, and proves on each master that this node may do
 * what it will have to. Throws an Error where not.
 */
export async function connect(url: URL): Promise<Client> {
  const redis = new Redis(url.href, options);
  let client: Client = redis;
  try {
    const hello = await open(redis); // name, value, name, value
    const valueOf = (name: string) => hello[hello.indexOf(name) + 1];
    // ioredis 6 speaks version 3 of the protocol: only there, the connection that hears may be asked HELLO (masters.ts)
    if (valueOf("proto") === 2) throw new Error("the package ioredis is older than version 6");
    if (valueOf("mode") === "cluster") {
      redis.disconnect();
      client = clusterOf(redis);
      await connectToAll(client);
    } else {
      await open(subscriberOf(redis));
      await prove(redis);
    }
    return client;
  } catch (err) {
    disconnect(client);
    throw err;
  }
}

/** Makes one connection; resolves with what Redis says about itself: names and values in turn. */
async function open(redis: Redis): Promise<unknown[]> {
  // `connect` does not say why it has failed. The listener stays: without one, ioredis prints each later error
  const failed = new Promise<never>((_, reject) => redis.on("error", reject));
  const answered = redis.connect().then(() => redis.call("HELLO") as Promise<unknown[]>);
  return within(ANSWER_WITHIN, Promise.race([failed, answered]));
}

/**
 * Subscribes, publishes and unsubscribes once on a master, to prove that this node may. MOVED (another master has this
 * channel) and CLUSTERDOWN (a new master does not know who has it) are no failure: Redis has looked at the rights by then.
 */
async function prove(master: Redis): Promise<void> {
  const channel = "socket.io#";
  const subscriber = subscriberOf(master);
  const mayBeElsewhere = (err: Error) => {
    if (!isMoved(err) && !err.message.startsWith("CLUSTERDOWN")) throw err;
  };
  await within(ANSWER_WITHIN, subscriber.ssubscribe(channel)).catch(mayBeElsewhere);
  await within(ANSWER_WITHIN, master.spublish(channel, "")).catch(mayBeElsewhere);
  await within(ANSWER_WITHIN, subscriber.sunsubscribe(channel)).catch(mayBeElsewhere);
}

/** A client of the Redis Cluster that a server belongs to. */
const clusterOf = ({ options: { host, port, username, password, tls } }: Redis) =>
  new RedisCluster([{ host, port }], {
    redisOptions: { ...options, username, password, tls },
    lazyConnect: true,
    enableReadyCheck: false,
    clusterRetryStrategy: () => RETRY_AFTER, // where ioredis knows no server any more
    dnsLookup: (host, found) => found(null, host), // a certificate of TLS is for the name
  });

/** Connects to each master of a Redis Cluster. */
async function connectToAll(client: RedisCluster): Promise<void> {
  const failed = new Promise<never>((_, reject) => client.on("error", (err) => reject(err.lastNodeError ?? err)));
  await within(ANSWER_WITHIN, Promise.race([failed, client.connect()]));
  // "?": a slot that has no master. "?:6379": a master that does not tell its host
  if ([...ownersOf(client)].some((address) => address.startsWith("?"))) {
    throw new Error("some slots of the Redis Cluster have no master, or one that does not tell its host");
  }
  for (const master of mastersOf(client)) {
    try {
      for (const connection of connectionsOf(master)) await open(connection);
      await prove(master);
    } catch (err) {
      throw new Error(`its master ${addressOf(master)}: ${plain(err)}`);
    }
  }
}

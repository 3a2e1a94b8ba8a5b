// connect.ts: the start. ioredis connects to one Redis, or to each server of a Redis Cluster, and it is proved there that
// this node may do what it will have to.

import { Cluster as RedisCluster, Redis } from "ioredis";
import { isRefusal, plain } from "./errors";
import type { Client } from "./servers";
import { within } from "./time";

const ANSWER_WITHIN = 3000; // milliseconds that Redis gets for an answer
const SEARCH_EVERY = 250; // milliseconds: ioredis looks for a Redis Cluster all of whose servers were lost
const PROTOCOL = 3; // of Redis 6 and later, and the default of ioredis 6. Before, a connection that hears cannot publish

/** Of each connection. */
const options = {
  lazyConnect: true, // servers.ts connects
  retryStrategy: () => null, // servers.ts connects again
  connectTimeout: ANSWER_WITHIN,
  socketTimeout: ANSWER_WITHIN, // a Redis that is frozen keeps its connections open
  disconnectTimeout: 250, // milliseconds that the other side gets to close a connection
  maxRetriesPerRequest: 0, // what was on its way when Redis was lost is not sent again
  enableOfflineQueue: false, // what is said while Redis is away is not sent later
  autoResubscribe: false, // channels.ts does it: if ioredis did, a refusal would end the process
  enableReadyCheck: false, // it needs the right to run INFO
  disableClientInfo: true, // it needs the right to run CLIENT
};

/**
 * Connects to a Redis server, or to the Redis Cluster that it belongs to. Throws an Error where it cannot be used.
 *
 * @returns the client, and the name of Redis for the log: without user and password
 */
export async function connect(url: string): Promise<{ client: Client; redisName: string }> {
  const address = URL.canParse(url) ? new URL(url) : undefined;
  if (!address || !/^rediss?:$/.test(address.protocol) || !address.host || !/^\/?\d*$/.test(address.pathname)) {
    throw new Error("REDIS_URL must be the address of a Redis server, such as redis://localhost:6379.");
  }
  address.search = ""; // ioredis would take options from it
  address.pathname = ""; // the number of a database: channels belong to none
  const redisName = `REDIS_URL ${address.protocol}//${address.host}`;
  try {
    return { client: await clientFor(address), redisName };
  } catch (err) {
    throw new Error(`${redisName} cannot be used: ${plain(err)}.`);
  }
}

async function clientFor(url: URL): Promise<Client> {
  const redis = new Redis(url.href, options);
  let client: Client = redis;
  try {
    if (redis.options.protocol !== PROTOCOL) throw new Error("the package ioredis is older than version 6");
    const hello = await open(redis); // name, value, name, value
    if (hello[hello.indexOf("mode") + 1] === "cluster") {
      redis.disconnect();
      client = clusterOf(redis);
      await connectToAll(client);
    } else {
      await prove(redis);
    }
    return client;
  } catch (err) {
    client.disconnect();
    throw err;
  }
}

/** Makes one connection; resolves with what Redis says about itself: names and values in turn. */
async function open(redis: Redis): Promise<unknown[]> {
  // `connect` does not say why it has failed. The listener stays: without one, ioredis prints each later error
  const failed = new Promise<never>((_, reject) => redis.on("error", reject));
  const answered = redis.connect().then(() => redis.call("HELLO", PROTOCOL) as Promise<unknown[]>);
  return within(ANSWER_WITHIN, Promise.race([failed, answered]));
}

/** Does on a server once what this node will have to do, to prove that it may. */
async function prove(server: Redis): Promise<void> {
  const channel = "socket.io#";
  const answers = [server.ping(), server.subscribe(channel), server.publish(channel, ""), server.unsubscribe(channel)];
  await within(ANSWER_WITHIN, Promise.all<unknown>(answers));
}

/** A client of the Redis Cluster that a server belongs to. */
const clusterOf = ({ options: { host, port, username, password, tls } }: Redis) =>
  new RedisCluster([{ host, port }], {
    redisOptions: { ...options, username, password, tls },
    lazyConnect: true,
    enableReadyCheck: false,
    clusterRetryStrategy: () => SEARCH_EVERY,
    dnsLookup: (host, found) => found(null, host), // it connects by the name: a certificate of TLS is for that
  });

/** Connects to each server of a Redis Cluster. One that is away is no obstacle, but one that refuses something is. */
async function connectToAll(client: RedisCluster): Promise<void> {
  const failed = new Promise<never>((_, reject) => client.on("error", (err) => reject(err.lastNodeError ?? err)));
  await within(ANSWER_WITHIN, Promise.race([failed, client.connect()]));
  const servers = client.nodes();
  // Redis tells "?", or nothing, where it does not know by which name its clients find it
  if (!servers.some(({ options: { host } }) => host !== "?")) throw new Error("its servers do not tell their host");
  const failures: Error[] = [];
  const tryOut = async (server: Redis) => {
    try {
      await open(server);
      await prove(server);
      await within(ANSWER_WITHIN, server.pubsub("NUMSUB"));
    } catch (err) {
      failures.push(err as Error);
      const { host, port } = server.options;
      if (isRefusal(err as Error)) throw new Error(`its server ${host}:${port}: ${plain(err)}`);
    }
  };
  await Promise.all(servers.map(tryOut));
  if (failures.length === servers.length) throw failures[0]!;
}

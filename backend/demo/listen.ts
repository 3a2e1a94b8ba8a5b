// listen.ts: from the environment to a server that listens, and from a signal to a process that has ended.

import type { Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Server } from "socket.io";
import type { Cluster } from "../cluster/cluster";

/** Milliseconds that the peers get to close their connections, once the process is to end. */
const CLOSE_WITHIN = 2000;

/**
 * Makes this process a node of the cluster on the Redis server of `REDIS_URL`. Without that variable it stays alone,
 * and nothing of Redis is loaded. Where the server cannot be used, the process ends with one sentence on standard error
 * and exit code 1.
 */
export async function joinCluster<T>(): Promise<Cluster<T> | undefined> {
  const { REDIS_URL: url } = process.env;
  if (!url) return undefined;

  const { Cluster } = require("../cluster/cluster") as typeof import("../cluster/cluster"); // not before it is needed
  return Cluster.join<T>(url).catch(({ message }: Error) => {
    fail(message);
    process.exit();
  });
}

/**
 * Listens on `HOST` (`localhost` by default) and `PORT` (3000 by default, 0 picks a free one), prints the address, and
 * closes every connection on SIGINT or SIGTERM. Where one of the two is wrong, that is one sentence on standard
 * error, and exit code 1.
 *
 * @param cluster - left at the end, when the peers' last words have been sent to the other nodes
 */
export function listen(server: HttpServer, io: Server, cluster?: Pick<Cluster, "close">): void {
  const { PORT: port = "3000" } = process.env;
  const host = process.env["HOST"] || "localhost"; // also where it is empty, which to Node.js means every interface

  const fails = (sentence: string) => {
    fail(sentence);
    void cluster?.close(); // its connections would keep the process alive
  };

  if (!/^\d{1,5}$/.test(port) || Number(port) > 65535) {
    return fails(`PORT must be a whole number from 0 to 65535, not "${port}".`);
  }

  server.on("error", ({ code, message }: NodeJS.ErrnoException) => {
    const reasons: Record<string, string> = {
      EADDRINUSE: `PORT ${port} is taken; choose another, for example PORT=${Number(port) + 1}.`,
      EACCES: `You are not allowed to use PORT ${port}; choose one above 1023.`,
      ENOTFOUND: `HOST "${host}" is not a name or an address of this machine.`,
      EADDRNOTAVAIL: `HOST "${host}" is not a name or an address of this machine.`,
    };
    fails(reasons[code ?? ""] ?? `The server cannot listen on HOST "${host}" and PORT ${port}: ${message}.`);
  });

  server.listen(Number(port), host, () => {
    const name = ["0.0.0.0", "::"].includes(host) ? "localhost" : host.includes(":") ? `[${host}]` : host;
    console.log(`Listening on http://${name}:${(server.address() as AddressInfo).port}`);
  });

  let ending = false;
  const end = () => {
    if (ending) return; // Ctrl-C comes twice: from the terminal, and from npm
    ending = true;
    setTimeout(() => process.exit(0), CLOSE_WITHIN); // for a peer that disappeared without closing its connection
    void io.close(() => void Promise.resolve(cluster?.close()).then(() => process.exit(0)));
    server.closeAllConnections(); // also those that speak no Socket.IO
  };
  process.on("SIGINT", end).on("SIGTERM", end);

  // The shell in which npm runs this may end at a signal and not pass it on. Then this process gets another parent.
  const { ppid } = process;
  if (process.env["npm_lifecycle_event"]) setInterval(() => process.ppid !== ppid && end(), 200).unref();
}

function fail(sentence: string): void {
  console.error(sentence);
  process.exitCode = 1;
}

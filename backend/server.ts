// server.ts: the article's file. An Express server with our `ioHandler`, and the chat behind `dynamic.group.chat`. The
// smallest server is in README.md, step 5; this one adds the demo and, where REDIS_URL is set, a cluster.

import { createServer } from "node:http";
import express from "express";
import { Server } from "socket.io";
import ioHandler from "./io-handler";
import type { Cluster } from "./cluster/cluster";
import { chat, presenceHere, rememberCreator } from "./demo/chat";
import type { Presence } from "./demo/events";
import { joinCluster, listen } from "./demo/listen";
import { lobby } from "./demo/lobby";
import { pages } from "./demo/pages";

/** Milliseconds in which a peer that lost its connection comes back to what it missed, and finds its namespace. */
const COME_BACK_WITHIN = 10_000;

/**
 * The article's route, with short numbers: a made-up name is small. How many there are is not limited here, as the
 * guide does for each address: the demo listens on this machine alone, where everybody has the same one.
 */
const routes = {
  chat: /^\/category\/(\d{1,9})\/item\/(\d{1,9})\/chat$/,
};

/**
 * Builds the demo server; it does not listen yet.
 *
 * @param comeBackWithin - see {@link COME_BACK_WITHIN}
 * @param cluster - what this server is a node of; its peers cannot come back to what they missed
 */
export function chatServer(comeBackWithin = COME_BACK_WITHIN, cluster?: Cluster<Presence>) {
  const app = express();
  const server = createServer(app);
  const recovery = { connectionStateRecovery: { maxDisconnectionDuration: comeBackWithin } };
  const io = new Server(server, cluster ? {} : recovery); // the adapter of a cluster recovers nobody

  // we attach our handler, which tells of each peer that joins
  const ee = ioHandler(io, { routes, retireAfter: comeBackWithin });
  ee.on("dynamic.group.chat", (socket, categoryId, itemId) => {
    void chat(socket, { categoryId, itemId }, cluster?.askAll);
  });

  // and the demo around it
  ee.on("namespace.created", (namespace, _route, creator) => rememberCreator(namespace, creator));
  cluster?.serve(io, ee, presenceHere);
  lobby(io, ee, comeBackWithin);
  app.use(pages());

  return { server, io, ee };
}

async function main() {
  const cluster = await joinCluster<Presence>();
  const { server, io, ee } = chatServer(COME_BACK_WITHIN, cluster);

  ee.on("namespace.created", ({ name }) => console.log(`${name} created`));
  ee.on("namespace.retired", ({ name }) => console.log(`${name} retired`));
  listen(server, io, cluster);
}

if (require.main === module) void main();

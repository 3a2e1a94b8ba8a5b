// server.ts: the article's file. An Express server with our `ioHandler`, and the chat behind `dynamic.group.chat`.

import { createServer } from "node:http";
import { join } from "node:path";
import express from "express";
import { Server, type Namespace, type Socket } from "socket.io";
import ioHandler from "./io-handler";
import type { Cluster } from "./cluster/cluster";
import { chat } from "./demo/chat";
import { joinCluster, listen } from "./demo/listen";
import { lobby } from "./demo/lobby";

/** Milliseconds in which a peer that lost its connection comes back to what it missed, and finds its namespace. */
const COME_BACK_WITHIN = 10_000;

const page = join(__dirname, "../frontend/page");

/**
 * Builds the demo server; it does not listen yet.
 *
 * @param comeBackWithin - see {@link COME_BACK_WITHIN}
 * @param cluster - what this server is a node of; its peers cannot come back to what they missed
 */
export function chatServer(comeBackWithin = COME_BACK_WITHIN, cluster?: Cluster<number>) {
  const app = express();
  const server = createServer(app);
  const io = new Server(server, {
    connectionStateRecovery: cluster ? undefined : { maxDisconnectionDuration: comeBackWithin },
  });

  // we attach the connection listeners of io-handler
  const ee = ioHandler(io, { retireAfter: comeBackWithin });
  cluster?.serve(io, ee, (namespace) => namespace.sockets.size);
  const countPeers = cluster && (async (namespace: Namespace) => sum(await cluster.askAll(namespace)));
  const creators = new WeakMap<Namespace, Socket["conn"]>(); // the connection that has created each

  ee.on("namespace.created", (namespace, _route, creator) => {
    if (creator) creators.set(namespace, creator.conn);
  });
  ee.on("dynamic.group.chat", (socket, categoryId, itemId) => {
    const created = creators.get(socket.nsp) === socket.conn && creators.delete(socket.nsp); // told once
    void chat(socket, { categoryId, itemId, created }, countPeers);
  });
  lobby(io, ee);

  app.get("/", (_request, response) => response.sendFile(join(page, "index.html")));
  // The page of a namespace has the namespace's name as its path, so that its address can be shared. A path that only
  // looks like one gets the same page, which shows the refusal. A comma ends a namespace's name, so it is left out.
  app.get(/^\/category\/[^/,]+\/item\/[^/,]+\/chat$/, (_request, response) => {
    response.sendFile(join(page, "chat.html"));
  });
  app.get("/style.css", (_request, response) => response.sendFile(join(page, "style.css")));
  app.use("/js", express.static(join(page, "dist/frontend"), { index: false }));
  app.use((_request, response) => response.status(404).sendFile(join(page, "not-found.html")));

  return { server, io, ee };
}

const sum = (numbers: number[]) => numbers.reduce((total, n) => total + n, 0);

async function main() {
  const cluster = await joinCluster<number>();
  const { server, io, ee } = chatServer(COME_BACK_WITHIN, cluster);

  ee.on("namespace.created", ({ name }) => console.log(`${name} created`));
  ee.on("namespace.retired", ({ name }) => console.log(`${name} retired`));
  listen(server, io, cluster);
}

if (require.main === module) void main();

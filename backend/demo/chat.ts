// chat.ts: what a peer can do in a namespace of `dynamic.group.chat`.

import type { Namespace, Socket } from "socket.io";
import type { Answer, ChatClientEvents, ChatServerEvents } from "./events";

/** A peer of the chat. */
export type ChatSocket = Socket<ChatClientEvents, ChatServerEvents>;

/** Counts the peers of a namespace: on this server, or on all servers of a cluster. It must not fail. */
export type CountPeers = (namespace: Namespace<ChatClientEvents, ChatServerEvents>) => number | Promise<number>;

const LONGEST_NAME = 40; // characters
const LONGEST_TEXT = 2000;

/**
 * Lets a peer talk to the others in its namespace. Its events are {@link ChatClientEvents}; it receives
 * {@link ChatServerEvents}. The peer's name is `auth.name` of its CONNECT, `Anonymous` without one.
 *
 * @param socket - the peer, which has just joined
 * @param topic - what the route captured, and whether this peer's arrival created the namespace
 * @param countPeers - counts those on this server by default
 */
export async function chat(
  socket: ChatSocket,
  topic: { categoryId: string; itemId: string; created: boolean },
  countPeers: CountPeers = (namespace) => namespace.sockets.size,
): Promise<void> {
  const namespace = socket.nsp;
  const name = nameOf(socket);

  // However long the count takes, the others hear of a peer before they hear from it, and last that it has left.
  const entered = Promise.resolve(countPeers(namespace)).then((peers) => {
    socket.emit("topic", { ...topic, peers });
    socket.broadcast.emit("joined", { name, peers });
  });

  // Nothing that a client sends is sure to have the type that its event promises, and the acknowledgement may be missing.
  socket.on("message", (...args: unknown[]) => {
    const ack = args.at(-1);
    const answer = (a: Answer) => (typeof ack === "function" ? ack(a) : undefined);
    const text = typeof args[0] === "string" ? args[0].trim() : undefined;

    if (text === undefined) return answer({ err: "a message is a string" });
    if (!text) return answer({ err: "the message is empty" });
    if (lengthOf(text) > LONGEST_TEXT) return answer({ err: `the message is longer than ${LONGEST_TEXT} characters` });

    const at = new Date().toISOString();
    return entered.then(() => {
      namespace.emit("message", { from: name, text, at });
      answer({ ok: true });
    });
  });

  socket.on("disconnect", async () => {
    await entered;
    namespace.emit("left", { name, peers: await countPeers(namespace) });
  });

  await entered;
}

function nameOf(socket: ChatSocket): string {
  const name: unknown = socket.handshake.auth["name"];
  return (typeof name === "string" && [...name.trim()].slice(0, LONGEST_NAME).join("")) || "Anonymous";
}

/** In characters as people count them, not in UTF-16 units. */
function lengthOf(text: string): number {
  return [...text].length;
}

// chat.ts: what a peer can do in a namespace of `dynamic.group.chat`.

import type { Namespace, Socket } from "socket.io";
import {
  LONGEST_NAME,
  LONGEST_TEXT,
  type Answer,
  type ChatClientEvents,
  type ChatServerEvents,
  type Presence,
} from "./events";

/** A peer of the chat. */
export type ChatSocket = Socket<ChatClientEvents, ChatServerEvents>;

/** Asks who is in a namespace: this server, and on a cluster the others too. It must not fail. */
export type AskAll = (namespace: Namespace) => Presence[] | Promise<Presence[]>;

const MOST_NAMES = 30; // that a list of names has

/** Whose arrival created each namespace on this server, and on which connection, until that peer has been told. */
const creations = new WeakMap<Namespace, { creator: string; conn?: Socket["conn"] }>();

/**
 * Remembers who has created a namespace.
 *
 * @param creator - the socket whose handshake asked for it; nobody where the application made it
 */
export function rememberCreator(namespace: Namespace, creator: Socket | undefined): void {
  if (creator) creations.set(namespace, { creator: nameOf(creator), conn: creator.conn });
}

/** Who is in a namespace on this server. */
export function presenceHere({ sockets }: Namespace): Presence {
  const names: string[] = [];
  for (const socket of sockets.values()) {
    if (names.push(nameOf(socket)) === MOST_NAMES) break;
  }
  return { peers: sockets.size, names };
}

/**
 * Lets a peer talk to the others in its namespace. Its events are {@link ChatClientEvents}; it receives
 * {@link ChatServerEvents}. The peer's name is `auth.name` of its CONNECT, `Anonymous` without one.
 *
 * @param socket - the peer, which has just joined
 * @param topic - what the route captured
 * @param askAll - asks this server alone by default
 */
export async function chat(
  socket: ChatSocket,
  topic: { categoryId: string; itemId: string },
  askAll: AskAll = (namespace) => [presenceHere(namespace)],
): Promise<void> {
  const namespace = socket.nsp;
  const name = nameOf(socket);
  const creation = takeCreation(socket);
  const whoIsHere = async () => merge(await askAll(namespace));

  // However long the others take to answer, they hear of a peer before they hear from it, and last that it has left.
  const entered = whoIsHere().then((here) => {
    socket.emit("topic", { ...topic, name, ...creation, ...here });
    socket.broadcast.emit("joined", { name, ...here });
  });

  // Nothing that a client sends is sure to have the type that its event promises, and the acknowledgement may be missing.
  socket.on("message", (...args: unknown[]) => {
    const ack = args.at(-1);
    const answer = (a: Answer) => (typeof ack === "function" ? ack(a) : undefined);
    const text = typeof args[0] === "string" ? args[0].trim() : undefined;

    if (text === undefined) return answer({ err: "a message is a string" });
    if (!text) return answer({ err: "the message is empty" });
    if (isLonger(text, LONGEST_TEXT)) return answer({ err: `the message is longer than ${LONGEST_TEXT} characters` });

    const at = new Date().toISOString();
    return entered.then(() => {
      namespace.emit("message", { from: name, sender: socket.id, text, at });
      answer({ ok: true });
    });
  });

  socket.on("disconnect", async () => {
    await entered;
    namespace.emit("left", { name, ...(await whoIsHere()) });
  });

  await entered;
}

/** Whether this peer's arrival created its namespace, which is told once, and whose did. */
function takeCreation(socket: ChatSocket): { created: boolean; creator: string | undefined } {
  const creation = creations.get(socket.nsp);
  const created = creation !== undefined && creation.conn === socket.conn;
  if (created) delete creation.conn;
  return { created, creator: creation?.creator };
}

function merge(answers: Presence[]): Presence {
  return {
    peers: answers.reduce((sum, { peers }) => sum + peers, 0),
    names: answers.flatMap(({ names }) => names).slice(0, MOST_NAMES),
  };
}

function nameOf(socket: Pick<Socket, "handshake">): string {
  const name: unknown = socket.handshake.auth["name"];
  return (typeof name === "string" && firstCharacters(name.trim(), LONGEST_NAME)) || "Anonymous";
}

// Characters are counted as people count them, and one takes at most two UTF-16 units. So a long text is not counted.

function firstCharacters(text: string, count: number): string {
  return [...text.slice(0, 2 * count)].slice(0, count).join("");
}

function isLonger(text: string, count: number): boolean {
  return text.length > 2 * count || [...text].length > count;
}

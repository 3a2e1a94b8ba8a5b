// events.ts: what the server and the page say to each other, typed once for both.

/** The most characters of a name, and of a message. */
export const LONGEST_NAME = 40;
export const LONGEST_TEXT = 2000;

/** Who is in a namespace. */
export interface Presence {
  /** How many. */
  peers: number;
  /** The names of some: at most 30. */
  names: string[];
}

/** The answer to a message: it was sent to everybody, or why not. */
export type Answer = { ok: true } | { err: string };

/** From a peer to its chat. */
export interface ChatClientEvents {
  message: (text: string, ack: (answer: Answer) => void) => void;
}

/** What a peer is told when it joins. */
export interface Topic extends Presence {
  categoryId: string;
  itemId: string;
  /** The peer's own name, as the others see it. */
  name: string;
  /** Whether its arrival created the namespace on its server. On a cluster, other nodes may have it already. */
  created: boolean;
  /** The name of the peer whose arrival did; none where the application itself made the namespace. */
  creator?: string | undefined;
}

/** From a chat to its peers. On a cluster, those who are here are those of all nodes. */
export interface ChatServerEvents {
  /** To a peer that joins. */
  topic: (topic: Topic) => void;
  /** To the others in the namespace. */
  joined: (peer: { name: string } & Presence) => void;
  left: (peer: { name: string } & Presence) => void;
  /** To everybody in the namespace, the sender too. `sender` is the id of its socket, `at` is ISO 8601. */
  message: (message: { from: string; sender: string; text: string; at: string }) => void;
}

/** A namespace of this server, for the landing page. */
export interface NamespaceInfo {
  /** Its name, which is also the path of its page. */
  name: string;
  /** How many peers are in it, on this server. */
  peers: number;
  /** Milliseconds until it is retired, where nobody is in it. */
  left?: number;
}

/** From the lobby to the landing pages. */
export interface LobbyServerEvents {
  /**
   * The namespaces that live now, sorted by name: the first ones, and how many there are in all. It comes when a page
   * joins and after each change. The next one only comes when the page has answered that it has `taken` this one.
   */
  namespaces: (list: { first: NamespaceInfo[]; total: number }, taken: () => void) => void;
}

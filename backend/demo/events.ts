// events.ts: what the server and the page say to each other, typed once for both.

/** The answer to a message: it was sent to everybody, or why not. */
export type Answer = { ok: true } | { err: string };

/** From a peer to its chat. */
export interface ChatClientEvents {
  message: (text: string, ack: (answer: Answer) => void) => void;
}

/** From a chat to its peers. */
export interface ChatServerEvents {
  /**
   * To a peer that joins: `peers` counts itself, and on a cluster those of all nodes. `created` tells whether its arrival
   * created the namespace on its server, where other nodes of a cluster may have it already.
   */
  topic: (topic: { categoryId: string; itemId: string; peers: number; created: boolean }) => void;
  /** To the others in the namespace. */
  joined: (peer: { name: string; peers: number }) => void;
  left: (peer: { name: string; peers: number }) => void;
  /** To everybody in the namespace, the sender too; `at` is ISO 8601. */
  message: (message: { from: string; text: string; at: string }) => void;
}

/** A namespace of this server, for the landing page. */
export interface NamespaceInfo {
  /** Its name, which is also the path of its page. */
  name: string;
  /** How many peers are in it, on this server. */
  peers: number;
}

/** From the lobby to the landing pages. */
export interface LobbyServerEvents {
  /** To a landing page that joins: all that live now. */
  namespaces: (namespaces: NamespaceInfo[]) => void;
  /** One was created, or a peer has joined or left it. */
  changed: (namespace: NamespaceInfo) => void;
  retired: (name: string) => void;
}

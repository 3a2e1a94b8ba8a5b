// steps.ts: the words for each step of a handshake.

/** How a handshake ended. */
export type Result = "created" | "found" | "refused" | "lost";

/** One step of a handshake. */
export interface Step {
  /** Which way it went, or where it happened. */
  place: "to-server" | "to-browser" | "in-server" | "end";
  title: string;
  /** The packet as it was sent; a step in the server has none. */
  packet?: string;
  explanation: string;
  /** Milliseconds since the request, or how the page knows of a step that it cannot see. */
  time: string;
  /** Set in the step that shows how the handshake ended. */
  result?: Result;
}

type Words = Omit<Step, "time">;

export const request = (packet: string): Words => ({
  place: "to-server",
  title: "Request with ?ns=",
  packet,
  explanation: "The browser opens a connection. The query says which namespace it wants.",
});

export const open = (packet: string): Words => ({
  place: "to-browser",
  title: "Connection open",
  packet,
  explanation: "The connection has an id. It is in no namespace yet.",
});

export const upgrade = (packet: string): Words => ({
  place: "to-server",
  title: "Upgrade to WebSocket",
  packet,
  explanation: "The same connection now uses WebSocket instead of HTTP requests. Nothing changes for its namespace.",
});

export const connect = (packet: string, again: boolean): Words => ({
  place: "to-server",
  title: "CONNECT",
  packet,
  explanation: again
    ? "The browser asks for its namespace again. With pid and offset it also asks for the messages that it missed."
    : "The browser asks for its namespace. This is the only CONNECT that it sends.",
});

export const connected = (packet: string): Words => ({
  place: "to-browser",
  title: "Answer: connected",
  packet,
  explanation: "The peer is in its namespace. From now on it is an ordinary namespace of Socket.IO.",
});

export const refused = (packet: string, noRoute: boolean): Words => ({
  place: "to-browser",
  title: "Answer: refused",
  packet,
  explanation: noRoute
    ? "The server answers the CONNECT with the reason. No namespace was created."
    : "A middleware on the server did not let this peer in. The message is the reason.",
  result: "refused",
});

export const topic = (packet: string): Words => ({
  place: "to-browser",
  title: "First event of the chat",
  packet,
  explanation:
    "“created” says whether this handshake created the namespace. “peers” says how many peers are in it now.",
});

export const closed = (packet: string, how: "no answer" | "was in" | "never in"): Words => ({
  place: "end",
  title: how === "no answer" ? "No answer" : "Connection closed",
  packet,
  explanation: {
    "no answer": "No server answered at this address.",
    "was in": "The peer was in its namespace until now.",
    "never in": "The handshake stopped here. The peer was never in the namespace.",
  }[how],
});

/** What the server did before its answer. No packet shows it; the page knows of it from a later one. */
export const inServer = (result: "created" | "found" | "refused"): Step => ({
  place: "in-server",
  title: { created: "Created", found: "Found", refused: "No route matches" }[result],
  explanation: [
    "The server keeps the CONNECT. First it puts the connection into the default namespace, where the handler reads ?ns=.",
    {
      created: "The route “chat” matches, and the namespace does not exist, so the handler creates it.",
      found: "The route “chat” matches, and the namespace exists already.",
      refused: "No route matches, so the handler refuses the peer.",
    }[result],
    result === "refused" ? "" : "Then the server goes on with the CONNECT.",
    "\nNo packet shows this step: the browser did not ask for the default namespace, so the server sends no answer about it.",
  ].join(" "),
  time: result === "refused" ? "known from the answer below" : "known from the event “topic” below",
  result,
});

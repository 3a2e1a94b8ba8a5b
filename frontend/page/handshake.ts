// handshake.ts: what happens on a connection, from the first request until the peer is in its namespace or refused.
//
// It reads only public members of socket.io-client: `socket.io.engine` is the connection, its events `packetCreate` and
// `packet` are what goes out and what comes in. No public member has the address of the request, so it is put together
// from `engine.transport.query`.

import type { Socket } from "socket.io-client";

/** One step of a handshake. */
export interface Step {
  /** Which way it went, or where it happened. */
  place: "to-server" | "to-browser" | "in-server" | "end";
  title: string;
  /** The packet as it was sent, or the code that the server ran. */
  code: string;
  explanation: string;
  /** Milliseconds since the request, or how the page knows of a step that it cannot see. */
  time: string;
  /** Set in the step that shows how the handshake ended. */
  result?: Result;
}

/** How a handshake ended. */
export type Result = "created" | "joined" | "refused" | "lost";

/** Shows handshakes while they happen. */
export interface HandshakeView {
  /** A new handshake begins. */
  begin(reconnection: boolean): void;
  /** Shows a step at this position among the steps of the handshake. */
  addStep(step: Step, index: number): void;
  end(result: Result, ms: number): void;
}

type Engine = Socket["io"]["engine"];

/**
 * Shows every handshake of a socket: the first one, each reconnection, and each new attempt.
 *
 * @param socket - what `connect` has just returned, before anything else could happen
 * @param ns - its namespace
 * @returns connects the socket again; to be called instead of `socket.connect()`
 */
export function watchHandshakes(socket: Socket, ns: string, view: HandshakeView): () => void {
  const manager = socket.io;
  const watch = (reconnection: boolean) => new Handshake(ns, view, reconnection).watch(manager.engine);

  watch(false);
  manager.on("reconnect_attempt", () => queueMicrotask(() => watch(true))); // the new engine is made after this event

  return () => {
    socket.connect();
    watch(false);
  };
}

/** From a request to the end of its connection. */
class Handshake {
  private readonly start = performance.now();
  private readonly steps: Step[] = [];
  /** The server's answer to the CONNECT. */
  private answer?: Step;
  private result?: Result;

  constructor(
    private readonly ns: string,
    private readonly view: HandshakeView,
    reconnection: boolean,
  ) {
    view.begin(reconnection);
  }

  watch(engine: Engine): void {
    this.add({
      place: "to-server",
      title: "Request with ?ns=",
      code: `GET ${addressOf(engine.transport)}`,
      explanation: "The browser opens a connection. The query says which namespace it wants.",
    });
    engine.on("packetCreate", ({ type, data }) => {
      if (type === "message") this.onSent(String(data));
    });
    engine.on("packet", ({ type, data }) => {
      if (type === "open") {
        this.add({
          place: "to-browser",
          title: "Connection open",
          code: `0${data}`,
          explanation: "The connection has an id. It is in no namespace yet.",
        });
      }
      if (type === "message") this.onReceived(String(data));
    });
    engine.on("upgrade", (transport) => {
      this.add({
        place: "to-server",
        title: "Upgrade to WebSocket",
        code: `GET ${addressOf(transport)}`,
        explanation:
          "The same connection now uses WebSocket instead of HTTP requests. Nothing changes for its namespace.",
      });
    });
    engine.on("close", (reason) => this.onClose(reason));
  }

  private onSent(message: string): void {
    const { type, payload } = parse(message);
    if (type !== CONNECT) return;

    this.add({
      place: "to-server",
      title: "CONNECT",
      code: `4${message}`,
      explanation: payload.includes('"pid"')
        ? "The browser asks for its namespace again. With pid and offset it also asks for the messages that it missed."
        : "The browser asks for its namespace. This is the only CONNECT that it sends.",
    });
  }

  private onReceived(message: string): void {
    const { type, namespace, payload } = parse(message);
    if (namespace !== this.ns) return;

    if (type === CONNECT) {
      this.answer = this.add({
        place: "to-browser",
        title: "Answer: connected",
        code: `4${message}`,
        explanation: "The peer is in its namespace. From now on it is an ordinary namespace of Socket.IO.",
      });
    }

    if (type === CONNECT_ERROR) this.onRefused(message, (JSON.parse(payload) as { message: string }).message);

    if (type === EVENT && !this.result) {
      const [event, data] = JSON.parse(payload) as [string, { created: boolean }];
      if (event === "topic") this.onTopic(message, data.created);
    }
  }

  private onTopic(message: string, created: boolean): void {
    this.add({
      place: "to-browser",
      title: "First event of the chat",
      code: `4${message}`,
      explanation:
        "“created” says whether this handshake created the namespace. “peers” says how many peers are in it now.",
    });
    this.addInServer({
      title: created ? "Created" : "Found",
      code: created
        ? "ns.match(routes.chat) // matches\nnamespacesCreated.has(ns) // false\nio.of(ns) // creates it"
        : "ns.match(routes.chat) // matches\nnamespacesCreated.has(ns) // true",
      explanation:
        `${IN_DEFAULT_NAMESPACE} The route “chat” matches, and the namespace ` +
        `${created ? "does not exist, so the handler creates it" : "exists already"}. ` +
        `Then the server goes on with the CONNECT.\n${NOT_ON_THE_WIRE}`,
      time: "known from the event “topic” below",
      result: created ? "created" : "joined",
    });
    this.end(created ? "created" : "joined");
  }

  private onRefused(message: string, reason: string): void {
    const noRoute = reason.startsWith("no route matches");

    this.answer = this.add({
      place: "to-browser",
      title: "Answer: refused",
      code: `4${message}`,
      explanation: noRoute
        ? "The server answers the CONNECT with the reason. No namespace was created."
        : "A middleware on the server did not let this peer in. The message is the reason.",
      result: "refused",
    });
    if (noRoute) {
      this.addInServer({
        title: "No route matches",
        code: "ns.match(routes.chat) // null",
        explanation: `${IN_DEFAULT_NAMESPACE} No route matches, so it refuses the peer.\n${NOT_ON_THE_WIRE}`,
        time: "known from the answer below",
        result: "refused",
      });
    }
    this.end("refused");
  }

  private onClose(reason: string): void {
    const answered = this.steps.length > 1;

    this.add({
      place: "end",
      title: answered ? "Connection closed" : "No answer",
      code: reason,
      explanation: !answered
        ? "No server answered at this address."
        : this.answer && !this.answer.result
          ? "The peer was in its namespace until now."
          : "The handshake stopped here. The peer was never in the namespace.",
    });
    this.end("lost");
  }

  /** Adds something that has just been sent or received. */
  private add(step: Omit<Step, "time">): Step {
    const timed = { ...step, time: `${this.elapsed().toFixed(1)} ms` };
    this.insert(timed, this.steps.length);
    return timed;
  }

  /** Adds what the server did before it gave its answer. */
  private addInServer(step: Omit<Step, "place">): void {
    this.insert({ ...step, place: "in-server" }, this.answer ? this.steps.indexOf(this.answer) : this.steps.length);
  }

  private insert(step: Step, index: number): void {
    this.steps.splice(index, 0, step);
    this.view.addStep(step, index);
  }

  private end(result: Result): void {
    if (this.result) return;
    this.result = result;
    this.view.end(result, this.elapsed());
  }

  private elapsed(): number {
    return performance.now() - this.start;
  }
}

const IN_DEFAULT_NAMESPACE =
  "The server keeps the CONNECT. First it puts the connection into the default namespace, where the handler reads ?ns=.";
const NOT_ON_THE_WIRE =
  "No packet shows this step: the browser did not ask for the default namespace, so the server sends no answer about it.";

// The types of the Socket.IO packets in a handshake. Each packet travels in an Engine.IO message, which puts a 4 in
// front: 40 is CONNECT and its answer, 44 is a refusal, 42 is an event.
const CONNECT = "0";
const EVENT = "2";
const CONNECT_ERROR = "4";

/** Reads a packet such as `0/category/1/item/2/chat,{"sid":"..."}`. */
function parse(message: string): { type: string; namespace: string; payload: string } {
  const [, type = "", namespace = "/", payload = ""] = message.match(/^(\d)(?:(\/[^,]*),)?(.*)$/s) ?? [];
  return { type, namespace, payload };
}

/** Path and query of a transport's last request. The path is the default one of Socket.IO. */
function addressOf({ query }: Engine["transport"]): string {
  const fields = Object.entries(query).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  return `/socket.io/?${fields.join("&")}`;
}

// handshake.ts: what happens on a connection, from the first request until the peer is in its namespace or refused.
//
// It reads only public members of socket.io-client: `socket.io.engine` is the connection, its events `packetCreate` and
// `packet` are what goes out and what comes in. No public member has the address of the request, so it is put together
// from `engine.transport.query`.

import type { Socket } from "socket.io-client";
import * as words from "./steps.js";
import type { Result, Step } from "./steps.js";

/** Shows handshakes while they happen. */
export interface HandshakeView {
  /** A new handshake begins. */
  begin(reconnection: boolean): void;
  /** Shows a step at this position among the steps of the handshake. */
  addStep(step: Step, index: number): void;
  /** How the handshake ended, this many milliseconds after the request. */
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
    this.add(words.request(`GET ${addressOf(engine.transport)}`));
    engine.on("packetCreate", ({ type, data }) => {
      if (type === "message") this.onSent(String(data));
    });
    engine.on("packet", ({ type, data }) => {
      if (type === "open") this.add(words.open(`0${data}`));
      if (type === "message") this.onReceived(String(data));
    });
    engine.on("upgrade", (transport) => this.add(words.upgrade(`GET ${addressOf(transport)}`)));
    engine.on("close", (reason) => this.onClose(reason));
  }

  private onSent(message: string): void {
    const { type, payload } = parse(message);
    if (type === CONNECT) this.add(words.connect(`4${message}`, payload.includes('"pid"')));
  }

  private onReceived(message: string): void {
    const { type, namespace, payload } = parse(message);
    if (namespace !== this.ns) return;

    if (type === CONNECT) this.answer = this.add(words.connected(`4${message}`));

    if (type === CONNECT_ERROR) {
      const noRoute = isMiss((JSON.parse(payload) as { message: string }).message);
      this.answer = this.add(words.refused(`4${message}`, noRoute));
      if (noRoute) this.insertBeforeAnswer(words.inServer("refused"));
      this.end("refused");
    }

    if (type === EVENT && !this.result) {
      const [event, data] = JSON.parse(payload) as [string, { created: boolean }];
      if (event !== "topic") return;
      const result = data.created ? "created" : "found";
      this.add(words.topic(`4${message}`));
      this.insertBeforeAnswer(words.inServer(result));
      this.end(result);
    }
  }

  private onClose(reason: string): void {
    const wasIn = this.answer !== undefined && this.answer.result !== "refused";
    this.add(words.closed(reason, this.steps.length === 1 ? "no answer" : wasIn ? "was in" : "never in"));
    this.end("lost");
  }

  /** Adds something that has just been sent or received. */
  private add(step: Omit<Step, "time">): Step {
    const timed = { ...step, time: `${this.elapsed().toFixed(1)} ms` };
    this.insert(timed, this.steps.length);
    return timed;
  }

  private insertBeforeAnswer(step: Step): void {
    this.insert(step, this.answer ? this.steps.indexOf(this.answer) : this.steps.length);
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

/** Whether this reason of a refusal says that no route matches: no other attempt can succeed. */
export function isMiss(reason: string): boolean {
  return reason.startsWith("no route matches");
}

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

// handshake.ts: what happens on a connection, from the first request until its peer is in the namespace or refused.
// Everything here is overheard: the packets are those of the connection itself, at the time they went by.

import type { Socket } from "socket.io-client";

/** One step of a handshake. */
export interface Step {
  /** Which way it went, or where it took place. */
  way: "to-server" | "to-browser" | "in-server" | "end";
  title: string;
  /** As it was on the wire. */
  packet: string;
  /** In plain words. */
  why: string;
  /** When it went by, in milliseconds since the round began; or who told of it, where nobody could see it. */
  time: string;
  /** Where this step decided the round. */
  verdict?: Outcome;
}

/** What a round came to. */
export type Outcome = "created" | "joined" | "refused" | "lost";

/** Who is told, as it happens. */
export interface Audience {
  /** A new round begins: the first connection is number 0, then the attempts to reconnect. */
  round(reconnection: boolean): void;
  /** Something happened; it belongs at this place among the steps of the round. */
  step(step: Step, index: number): void;
  /** The round has come to something. */
  outcome(outcome: Outcome, ms: number): void;
}

type Engine = Socket["io"]["engine"];

/**
 * Follows every handshake of a peer's socket.
 *
 * @param socket - one that `connect` made with `autoConnect: false`, and the call to make instead of `socket.connect()`
 * @returns starts the connection
 */
export function watchHandshake(socket: Socket, ns: string, audience: Audience): () => void {
  const manager = socket.io;

  manager.on("reconnect_attempt", () => {
    const round = new Round(ns, audience, true);
    queueMicrotask(() => round.follow(manager.engine)); // made right after this event
  });

  return () => {
    const round = new Round(ns, audience, false);
    socket.connect();
    round.follow(manager.engine);
  };
}

/** From one request to the end of its connection. */
class Round {
  private readonly start: number;
  private readonly steps: Step[] = [];
  /** The default namespace's answer: the server decides about the namespace right after it. */
  private asked?: Step;
  private settled = false;
  private joined = false;

  constructor(
    private readonly ns: string,
    private readonly audience: Audience,
    reconnection: boolean,
  ) {
    audience.round(reconnection);
    this.start = performance.now();
  }

  follow(engine: Engine): void {
    this.add({
      way: "to-server",
      title: "Request with ?ns=",
      packet: `GET ${address(engine.transport)}`,
      why: "The browser opens a connection. Which namespace it wants stands in the query.",
    });
    engine.on("flush", () => {
      for (const { type, data } of engine.writeBuffer) if (type === "message") this.sent(String(data)); // what just left
    });
    engine.on("packet", ({ type, data }) => {
      if (type === "open") {
        this.add({
          way: "to-browser",
          title: "Connection open",
          packet: `0${data}`,
          why: "The connection has an id. It belongs to no namespace yet.",
        });
      }
      if (type === "message") this.received(String(data));
    });
    engine.on("upgrade", (transport) => {
      this.add({
        way: "to-server",
        title: "Upgrade to WebSocket",
        packet: `GET ${address(transport)}`,
        why: "The same connection goes on over WebSocket instead of HTTP requests. Its namespaces do not notice.",
      });
    });
    engine.on("close", (reason) => {
      this.add({
        way: "end",
        title: this.steps.length > 1 ? "Connection closed" : "No answer",
        packet: reason,
        why:
          this.steps.length === 1
            ? "Nobody answered at the server’s address."
            : this.joined
              ? "The peer was in its namespace until now."
              : "This is where the handshake stopped: the peer never entered the namespace.",
      });
      this.settle("lost");
    });
  }

  private sent(data: string): void {
    const { type, namespace, payload } = parse(data);
    if (type !== CONNECT) return;

    this.add({
      way: "to-server",
      title: `CONNECT, ${called(namespace)}`,
      packet: `4${data}`,
      why:
        namespace === "/"
          ? "First to the default namespace, which every server has: there the server reads what the query asks for."
          : payload.includes('"pid"')
            ? "Then to the namespace itself. pid and offset ask for what was missed while the connection was lost."
            : "Then to the namespace itself. If this comes early, the server keeps it until the default namespace has decided.",
    });
  }

  private received(data: string): void {
    const { type, namespace, payload } = parse(data);
    const packet = `4${data}`;

    if (type === CONNECT) {
      const step = this.add({
        way: "to-browser",
        title: `Let in, ${called(namespace)}`,
        packet,
        why:
          namespace === "/"
            ? "The peer is in the default namespace. Now the server reads ns and looks for a route that matches."
            : "The namespace is there, and the peer is in it. From here on it is like any other of Socket.IO.",
      });
      if (namespace === "/") this.asked = step;
      else this.joined = true;
    }

    if (type === CONNECT_ERROR) {
      this.add({
        way: "to-browser",
        title: `Refused, ${called(namespace)}`,
        packet,
        why: "The server does not let this peer in, and says why.",
        verdict: "refused",
      });
      this.settle("refused");
    }

    if (type !== EVENT) return;
    const [event, argument] = JSON.parse(payload) as [string, Record<string, unknown>];

    if (event === "refused" && namespace === "/") {
      this.add({
        way: "to-browser",
        title: "Refused, no such route",
        packet,
        why: "No route matches what the query asks for. No namespace is created, and the connection is given up.",
        verdict: "refused",
      });
      this.settle("refused");
    }

    if (event === "topic" && namespace === this.ns && !this.settled) {
      const created = argument["created"] === true;
      const told = this.add({
        way: "to-browser",
        title: "The chat’s first event",
        packet,
        why: "“created” tells whether this handshake made the namespace; “peers”, how many are in it now.",
      });
      this.place({
        way: "in-server",
        title: created ? "Created" : "Found",
        packet: `io.of("${this.ns}")`,
        why: created
          ? "The route matches, and the server has no namespace of this name: it is made now, for its first peer."
          : "The route matches, and the namespace is there: an earlier peer’s handshake made it.",
        time: `told by topic at ${told.time}`,
        verdict: created ? "created" : "joined",
      });
      this.settle(created ? "created" : "joined");
    }
  }

  /** Something that just went by. */
  private add(step: Omit<Step, "time">): Step {
    const now = { ...step, time: `${this.elapsed().toFixed(1)} ms` };
    this.insert(now, this.steps.length);
    return now;
  }

  /** What the server did by itself: nobody saw when, but it comes right after the default namespace's answer. */
  private place(step: Step): void {
    this.insert(step, this.asked ? this.steps.indexOf(this.asked) + 1 : this.steps.length);
  }

  private insert(step: Step, index: number): void {
    this.steps.splice(index, 0, step);
    this.audience.step(step, index);
  }

  private settle(outcome: Outcome): void {
    if (this.settled) return;
    this.settled = true;
    this.audience.outcome(outcome, this.elapsed());
  }

  private elapsed(): number {
    return performance.now() - this.start;
  }
}

// The types of Socket.IO's packets that take part in a handshake. Each travels in an Engine.IO message, whose own type
// is the 4 in front: 40 is CONNECT, 44 its refusal, 42 an event.
const CONNECT = "0";
const EVENT = "2";
const CONNECT_ERROR = "4";

/** Reads `0/category/1/item/2/chat,{"sid":"..."}`; the default namespace is not written out. */
function parse(data: string): { type: string; namespace: string; payload: string } {
  const [, type = "", namespace = "/", payload = ""] = data.match(/^(\d)(?:(\/[^,]*),)?(.*)$/s) ?? [];
  return { type, namespace, payload };
}

function called(namespace: string): string {
  return namespace === "/" ? "default namespace" : "the namespace";
}

/** Path and query of the request that a transport has made. */
function address(transport: Engine["transport"]): string {
  const { pathname, search } = new URL(transport["createUri"]("http", transport.query)); // `uri()` would stamp it anew
  return pathname + search;
}

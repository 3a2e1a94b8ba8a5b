// chat.ts: the page of a namespace. It asks for a name, connects, and shows what happens.

import type { Socket } from "socket.io-client";
import type { ChatClientEvents, ChatServerEvents } from "../../backend/demo/events.js";
import { connect } from "../client.js";
import { count, find, make } from "./dom.js";
import { watchHandshake } from "./handshake.js";
import { lastName, nameOfThisTab, rememberName } from "./name.js";
import { drawSequence } from "./sequence.js";

const ANSWER_WITHIN = 5000; // milliseconds, before a message counts as lost

// The address of this page is the namespace's name. `?ns=` asks for another one, to see it refused; the default
// namespace, a mere slash, is none that a peer can ask for.
const query = new URLSearchParams(location.search);
const asked = query.get("ns") ?? "";
const ns = /[^/]/.test(asked) ? asked : location.pathname;

// WebSocket is one request and one stream of packets, which is easier to follow than Socket.IO's default. That one is
// a link away; a server that closes its connection in the middle of it is answered with errors on the console.
const polling = query.get("transport") === "polling";

const asking = find("asking", HTMLElement);
const room = find("room", HTMLElement);
const status = find("status", HTMLElement);
const origin = find("origin", HTMLElement);
const peers = find("peers", HTMLElement);
const again = find("again", HTMLButtonElement);
const log = find("log", HTMLElement);
const talk = find("talk", HTMLFormElement);
const field = find("message", HTMLInputElement);
const problem = find("problem", HTMLElement);

showTitle();
showTransport();
if (nameOfThisTab()) enter(nameOfThisTab());
else ask();

function showTitle(): void {
  const [, category, item] = ns.match(/^\/category\/(\d+)\/item\/(\d+)\/chat$/) ?? [];
  const title = category ? `Category ${category}, item ${item}` : "A namespace without a route";
  find("title", HTMLElement).textContent = title;
  find("ns", HTMLElement).textContent = ns;
  document.title = `${title} · First peer`;
}

function showTransport(): void {
  if (!polling) return;
  const other = find("transport", HTMLAnchorElement);
  other.href = location.pathname;
  other.textContent = "Watch it on WebSocket alone";
}

function ask(): void {
  const name = find("name", HTMLInputElement);
  name.value = lastName();
  asking.hidden = false;
  name.focus();
  asking.addEventListener("submit", (event) => {
    event.preventDefault();
    asking.hidden = true;
    rememberName(name.value.trim());
    enter(name.value.trim());
    field.focus();
  });
}

function enter(name: string): void {
  room.hidden = false;

  const socket: Socket<ChatServerEvents, ChatClientEvents> = connect(location.origin, ns, {
    auth: { name },
    transports: polling ? ["polling", "websocket"] : ["websocket"],
    autoConnect: false, // not before somebody watches
  });
  const start = watchHandshake(socket, ns, drawSequence(find("handshake", HTMLElement)));

  followState(socket);
  followChat(socket, name);
  send(socket);
  again.addEventListener("click", () => {
    showState("connecting", "Connecting");
    field.focus(); // the button is gone
    start();
  });
  showState("connecting", "Connecting");
  start();
}

function followState(socket: Socket): void {
  let trying: "connecting" | "reconnecting" = "connecting";

  socket.on("connect", () => {
    trying = "reconnecting"; // from now on
    showState("connected", "Connected");
  });
  socket.on("disconnect", () => {
    if (socket.active) showState("reconnecting", "Connection lost, reconnecting");
    else showState("refused", "The server has ended this connection");
  });
  socket.on("connect_error", ({ message }) => {
    if (!socket.active) showState("refused", `Refused: ${message}`);
    else showState(trying, `The server does not answer, still ${trying}`);
  });
}

function showState(state: "connecting" | "connected" | "reconnecting" | "refused", words: string): void {
  status.dataset["state"] = state;
  status.textContent = words;
  again.hidden = state !== "refused";
  talk.hidden = state === "refused";
  log.hidden = talk.hidden && log.childElementCount === 0;
  if (state === "connected") return;
  origin.hidden = true; // true of a connection that is no more
  peers.textContent = "";
}

function followChat(socket: Socket<ChatServerEvents>, name: string): void {
  let before = false;

  socket.on("topic", (topic) => {
    origin.hidden = false;
    origin.className = topic.created ? "created" : "joined";
    origin.replaceChildren(
      make("strong", "", topic.created ? "You created this namespace." : "You joined this namespace."),
      howItCame(topic),
    );
    showPeers(topic.peers);
    if (!before) note(`You are here, as ${name}.`);
    else if (socket.recovered) note("You are back, and have missed nothing.");
    else note("You are back. What was said in between is lost.");
    before = true;
  });
  socket.on("joined", (peer) => {
    showPeers(peer.peers);
    note(`${peer.name} joined.`);
  });
  socket.on("left", (peer) => {
    showPeers(peer.peers);
    note(`${peer.name} left.`);
  });
  socket.on("message", ({ from, text, at }) => {
    const time = make("time", "", new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }));
    time.dateTime = at;
    append(make("p", "said", make("strong", "", from), " ", time, make("span", "text", text)));
  });
}

function howItCame({ created, peers }: { created: boolean; peers: number }): string {
  if (!created) return " It was already there: an earlier peer’s handshake created it.";
  if (peers > 1) return " It was not on this server until your handshake asked for it; the others use another one.";
  return " It did not exist until your handshake asked for it: you are its first peer. Open this address in a second tab, and see it found.";
}

function showPeers(n: number): void {
  peers.textContent = `${count(n, "person", "people")} here`;
}

function note(words: string): void {
  append(make("p", "note", words));
}

function append(line: HTMLElement): void {
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  log.append(line);
  if (atEnd) log.scrollTop = log.scrollHeight; // who has scrolled up is reading, and stays there
}

function send(socket: Socket<ChatServerEvents, ChatClientEvents>): void {
  talk.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (field.readOnly) return; // the one before is on its way

    field.readOnly = true;
    problem.textContent = "";
    const failure = await socket
      .timeout(ANSWER_WITHIN)
      .emitWithAck("message", field.value)
      .then(
        (answer) => ("err" in answer ? `Not sent: ${answer.err}.` : ""),
        () => "Perhaps not sent: the server did not answer.",
      );
    field.readOnly = false;
    problem.textContent = failure;
    if (!failure) field.value = "";
    field.focus();
  });
}

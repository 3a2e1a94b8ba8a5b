// chat.ts: the page of a namespace. It asks for a name, connects, and shows what happens.

import type { Socket } from "socket.io-client";
import type { ChatClientEvents, ChatServerEvents } from "../../backend/demo/events.js";
import { connect } from "../client.js";
import { count, find, make } from "./dom.js";
import { watchHandshakes } from "./handshake.js";
import { lastName, nameOfThisTab, rememberName } from "./name.js";
import { drawHandshakes } from "./sequence.js";

const ANSWER_TIMEOUT = 5000; // milliseconds to wait for the answer to a message

const ns = location.pathname; // the page of a namespace has the namespace's name as its path
const [isChat, category, item] = ns.match(/^\/category\/(\d+)\/item\/(\d+)\/chat$/) ?? [];

// WebSocket alone is easier to follow than Socket.IO's default, which starts with long polling. With long polling, the
// browser also logs errors on its console where the server refuses.
const polling = new URLSearchParams(location.search).get("transport") === "polling";

const nameForm = find("name-form", HTMLFormElement);
const room = find("room", HTMLElement);
const status = find("status", HTMLElement);
const arrival = find("arrival", HTMLElement);
const peers = find("peers", HTMLElement);
const connectAgain = find("connect-again", HTMLButtonElement);
const log = find("log", HTMLElement);
const messageForm = find("message-form", HTMLFormElement);
const messageField = find("message", HTMLInputElement);
const sendError = find("send-error", HTMLElement);

showTitle();
showTransportLink();
// nobody needs a name to be refused
if (nameOfThisTab() || !isChat) enter(nameOfThisTab() || "Anonymous");
else askName();

function showTitle(): void {
  const title = isChat ? `Category ${category}, item ${item}` : "No chat at this address";
  find("title", HTMLElement).textContent = title;
  find("ns", HTMLElement).textContent = ns;
  document.title = `${title} · First peer`;
}

function showTransportLink(): void {
  if (!polling) return;
  const link = find("transport", HTMLAnchorElement);
  link.href = ns;
  link.textContent = "Use WebSocket only";
}

function askName(): void {
  const field = find("name", HTMLInputElement);
  field.value = lastName();
  nameForm.hidden = false;
  field.focus();
  nameForm.addEventListener("submit", (event) => {
    event.preventDefault();
    nameForm.hidden = true;
    rememberName(field.value.trim());
    enter(field.value.trim());
    messageField.focus();
  });
}

function enter(name: string): void {
  room.hidden = false;
  showState("connecting", "Connecting");

  const socket: Socket<ChatServerEvents, ChatClientEvents> = connect(location.origin, ns, {
    auth: { name },
    ...(polling ? {} : { transports: ["websocket"] }),
  });
  const reconnect = watchHandshakes(socket, ns, drawHandshakes(find("handshakes", HTMLElement)));

  showCall(name);
  followState(socket);
  followChat(socket, name);
  sendMessages(socket);
  connectAgain.addEventListener("click", () => {
    showState("connecting", "Connecting");
    messageField.focus(); // the button is hidden now
    reconnect();
  });
}

/** Shows the call that `connect` makes. */
function showCall(name: string): void {
  const quote = (text: string) => JSON.stringify(text);

  find("call", HTMLElement).replaceChildren(
    `io(${quote(location.origin + ns)}, {\n  `,
    make("mark", "", `query: { ns: ${quote(ns)} },`),
    `\n  forceNew: true,\n  auth: { name: ${quote(name)} },\n${polling ? "" : '  transports: ["websocket"],\n'}});`,
  );
}

function followState(socket: Socket): void {
  let attempt: "connecting" | "reconnecting" = "connecting";

  socket.on("connect", () => {
    attempt = "reconnecting"; // from now on
    showState("connected", "Connected");
  });
  socket.on("disconnect", () => {
    if (socket.active) showState("reconnecting", "Connection lost, reconnecting");
    else showState("refused", "The server closed the connection");
  });
  socket.on("connect_error", ({ message }) => {
    if (!socket.active) showState("refused", `Refused: ${message}`);
    else showState(attempt, `The server does not answer, still ${attempt}`);
  });
}

function showState(state: "connecting" | "connected" | "reconnecting" | "refused", text: string): void {
  status.dataset["state"] = state;
  status.textContent = text;
  connectAgain.hidden = state !== "refused";
  messageForm.hidden = state === "refused";
  log.hidden = messageForm.hidden && log.childElementCount === 0;
  if (state === "connected") return;
  arrival.hidden = true; // it was about the last connection
  peers.textContent = "";
}

function followChat(socket: Socket<ChatServerEvents>, name: string): void {
  let wasHere = false;

  socket.on("topic", (topic) => {
    arrival.hidden = false;
    arrival.className = topic.created ? "arrival created" : "arrival joined";
    arrival.replaceChildren(
      make("strong", "", topic.created ? "You created this namespace." : "You joined this namespace."),
      explainArrival(topic),
    );
    showPeers(topic.peers);
    if (!wasHere) showNote(`You are here as ${name}.`);
    else if (socket.recovered) showNote("You are back. You missed nothing.");
    else showNote("You are back. Messages sent while you were away are lost.");
    wasHere = true;
  });
  socket.on("joined", (peer) => {
    showPeers(peer.peers);
    showNote(`${peer.name} joined.`);
  });
  socket.on("left", (peer) => {
    showPeers(peer.peers);
    showNote(`${peer.name} left.`);
  });
  socket.on("message", ({ from, text, at }) => {
    const time = make("time", "", new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }));
    time.dateTime = at;
    addToLog(make("p", "message", make("strong", "", from), " ", time, make("span", "text", text)));
  });
}

function explainArrival({ created, peers }: { created: boolean; peers: number }): string {
  if (!created) return " An earlier peer created it.";
  if (peers > 1) return " It was not on this server before. The other people here are on another server.";
  return " You are its first peer. Open this address in a second tab: that tab will join it.";
}

function showPeers(n: number): void {
  peers.textContent = `${count(n, "person", "people")} here`;
}

function showNote(text: string): void {
  addToLog(make("p", "note", text));
}

function addToLog(line: HTMLElement): void {
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  log.append(line);
  if (atEnd) log.scrollTop = log.scrollHeight; // whoever has scrolled up is reading, and is not moved
}

function sendMessages(socket: Socket<ChatServerEvents, ChatClientEvents>): void {
  messageForm.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (messageField.readOnly) return; // the last message has no answer yet

    messageField.readOnly = true;
    sendError.textContent = "";
    const error = await socket
      .timeout(ANSWER_TIMEOUT)
      .emitWithAck("message", messageField.value)
      .then(
        (answer) => ("err" in answer ? `Not sent: ${answer.err}.` : ""),
        () => "Perhaps not sent: the server did not answer.",
      );
    messageField.readOnly = false;
    sendError.textContent = error;
    if (!error) messageField.value = "";
    messageField.focus();
  });
}

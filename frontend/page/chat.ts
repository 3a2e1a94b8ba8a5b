// chat.ts: the page of a namespace. It asks for a name, connects, and shows what happens.

import type { Socket } from "socket.io-client";
import type { ChatClientEvents, ChatServerEvents, Presence } from "../../backend/demo/events.js";
import { connect } from "../client.js";
import { find, make } from "./dom.js";
import { isMiss, watchHandshakes } from "./handshake.js";
import { nameOfThisTab, prepareNameField, rememberName } from "./name.js";
import { inviteIfAlone, showArrival, showLoss, showRefusal, showWaiting } from "./result.js";
import { drawHandshakes } from "./sequence.js";
import { showPeople, showState, talk } from "./talk.js";

const ns = location.pathname; // the page of a namespace has the namespace's name as its path
const [isChat, category, item] = ns.match(/^\/category\/(\d{1,9})\/item\/(\d{1,9})\/chat$/) ?? [];

// One of the two peers in one window: there, the name of the frame is the name of the peer.
const framed = window !== window.parent;

// WebSocket alone is easier to follow than Socket.IO's default, which starts with long polling. With long polling, the
// browser also logs errors on its console where the server refuses.
const polling = new URLSearchParams(location.search).get("transport") === "polling";

const messageField = find("message", HTMLInputElement);

document.body.classList.toggle("framed", framed);
find("top", HTMLElement).hidden = framed;
find("sources", HTMLElement).hidden = framed;
showTitle();
showTransportLink();
if (framed) enterFrame(window.name);
else if (isChat && !nameOfThisTab()) askName();
else enter(nameOfThisTab() || "Anonymous"); // nobody needs a name to be refused

function showTitle(): void {
  const title = isChat ? `Category ${category}, item ${item}` : "No chat at this address";
  const copied = find("copied", HTMLElement);
  const copy = find("copy", HTMLButtonElement);
  const secondTab = find("second-tab", HTMLAnchorElement);

  find("title", HTMLElement).textContent = title;
  find("ns", HTMLElement).textContent = ns;
  document.title = `${title} · First peer`;
  secondTab.href = ns;
  copy.hidden = secondTab.hidden = !isChat;
  if (!isChat) find("leave", HTMLElement).textContent = "All namespaces";
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(location.origin + ns);
      copied.textContent = "Copied";
    } catch {
      copied.textContent = "This browser does not allow it: copy it from the address bar."; // without HTTPS, say
    }
  });
}

function showTransportLink(): void {
  if (!polling) return;
  const link = find("transport", HTMLAnchorElement);
  link.href = ns;
  link.textContent = "Reload with WebSocket only";
}

function askName(): void {
  const form = find("name-form", HTMLFormElement);
  const field = find("name", HTMLInputElement);

  prepareNameField(field);
  form.hidden = false;
  field.focus();
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    form.hidden = true;
    rememberName(field.value.trim());
    enter(field.value.trim());
  });
}

/** Without the name, a screen reader could not tell the parts of the two frames apart. */
function enterFrame(name: string): void {
  find("main", HTMLElement).ariaLabel = name;
  find("chat-title", HTMLElement).textContent = `${name}’s chat`;
  find("handshake-title", HTMLElement).textContent = `${name}’s handshake, step by step`;
  enter(name);
}

function enter(name: string): void {
  find("room", HTMLElement).hidden = false;
  if (!framed) messageField.focus({ preventScroll: true });
  showWaiting();
  showState("connecting", "Connecting");

  const socket: Socket<ChatServerEvents, ChatClientEvents> = connect(location.origin, ns, {
    auth: { name },
    ...(polling ? {} : { transports: ["websocket"] }),
  });
  const diagram = drawHandshakes(find("handshakes", HTMLElement));
  let took = 0; // milliseconds of the last handshake
  const end: typeof diagram.end = (result, ms) => diagram.end(result, (took = ms));
  const reconnect = watchHandshakes(socket, ns, { ...diagram, end });

  showCall(name);
  followState(socket);
  talk(socket);
  let self = name;
  const showHere = (here: Presence) => {
    showPeople(here, self);
    if (!framed) inviteIfAlone(here);
  };
  socket.on("topic", (topic) => {
    self = topic.name;
    showArrival(topic, took, framed ? self : "You");
    showHere(topic);
  });
  socket.on("joined", showHere).on("left", showHere);
  find("connect-again", HTMLElement).addEventListener("click", () => {
    showWaiting();
    showState("connecting", "Connecting");
    messageField.focus(); // the button is hidden now
    reconnect();
  });
  find("leave", HTMLAnchorElement).addEventListener("click", () => void socket.disconnect());
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
    if (socket.active) {
      showState("reconnecting", "Connection lost, reconnecting");
      showLoss();
    } else {
      showState("refused", "Disconnected");
      showRefusal("The server closed the connection", false);
    }
  });
  socket.on("connect_error", ({ message }) => {
    if (socket.active) return showState(attempt, `The server does not answer, still ${attempt}`);
    showState("refused", "Refused");
    showRefusal(`Refused: ${message}`, isMiss(message));
  });
}

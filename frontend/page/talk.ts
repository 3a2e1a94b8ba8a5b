// talk.ts: the chat itself: who is here, what they say, and the field to say something.

import type { Socket } from "socket.io-client";
import {
  LONGEST_TEXT,
  type ChatClientEvents,
  type ChatServerEvents,
  type Presence,
} from "../../backend/demo/events.js";
import { count, find, lengthOf, make } from "./dom.js";

const ANSWER_TIMEOUT = 5000; // milliseconds to wait for the answer to a message
const NEAR = 200; // characters: from here on, the page says how many are left
const MOST_NAMES = 12; // that are shown; of all others only their number
const MOST_LINES = 1000; // older ones are removed, or a page that stays open for days would fill up

const chat = find("chat", HTMLElement);
const status = find("status", HTMLElement);
const peers = find("peers", HTMLElement);
const people = find("people", HTMLElement);
const log = find("log", HTMLElement);
const newMessages = find("new-messages", HTMLButtonElement);
const form = find("message-form", HTMLFormElement);
const field = find("message", HTMLInputElement);
const send = find("send", HTMLButtonElement);
const hint = find("hint", HTMLElement);
const sendError = find("send-error", HTMLElement);

let unread = 0; // messages below what somebody reads

/** Shows the state of the connection. Nothing can be sent while there is none. */
export function showState(state: "connecting" | "connected" | "reconnecting" | "refused", text: string): void {
  status.dataset["state"] = state;
  status.textContent = text;
  form.hidden = state === "refused";
  chat.hidden = form.hidden && log.childElementCount === 0;
  send.disabled = state !== "connected";
  showHint();
  if (state === "connected") return;
  peers.textContent = "";
  people.textContent = "";
}

/**
 * Shows who is here.
 *
 * @param self - the name of this page's peer
 */
export function showPeople({ peers: all, names }: Presence, self: string): void {
  const others = [...names];
  if (others.includes(self)) others.splice(others.indexOf(self), 1);
  const listed = [`${self} (you)`, ...others].slice(0, MOST_NAMES);
  const more = all - listed.length;

  peers.textContent = `${count(all, "person", "people")} here`;
  people.textContent = listed.join(", ") + (more > 0 ? ` and ${more.toLocaleString("en")} more` : "");
}

/** Shows what is said, and sends what is written. */
export function talk(socket: Socket<ChatServerEvents, ChatClientEvents>): void {
  let wasHere = false;

  socket.on("topic", ({ name }) => {
    if (!wasHere) addNote(`You are here as ${name}.`);
    else if (socket.recovered) addNote("You are back. You missed nothing.");
    else addNote("You are back. Messages sent while you were away are lost.");
    wasHere = true;
  });
  socket.on("joined", ({ name }) => addNote(`${name} joined.`));
  socket.on("left", ({ name }) => addNote(`${name} left.`));
  socket.on("message", ({ from, sender, text, at }) => {
    const own = sender === socket.id;
    const time = make("time", "", new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }));
    time.dateTime = at;
    const heading = [make("strong", "", from), ...(own ? [" (you)"] : []), " ", time];
    addToLog(make("p", own ? "message own" : "message", ...heading, make("span", "text", text)), own);
  });

  log.addEventListener("scroll", () => {
    if (isAtEnd()) showUnread(0);
  });
  newMessages.addEventListener("click", () => {
    scrollToEnd();
    log.focus(); // the button is hidden now
  });
  field.addEventListener("input", showHint);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (field.readOnly || !socket.connected) return; // the last message has no answer yet, or nobody would hear it

    field.focus(); // it may have been the button; the answer moves no focus, since somebody may write elsewhere by then
    field.readOnly = true;
    sendError.textContent = "";
    const error = await socket
      .timeout(ANSWER_TIMEOUT)
      .emitWithAck("message", field.value)
      .then(
        (answer) => ("err" in answer ? `Not sent: ${answer.err}.` : ""),
        () => "Perhaps not sent: the server did not answer.",
      );
    field.readOnly = false;
    sendError.textContent = error;
    if (!error) field.value = "";
    showHint();
  });
}

function showHint(): void {
  const left = LONGEST_TEXT - lengthOf(field.value.trim());

  if (status.dataset["state"] !== "connected") hint.textContent = "You can write. Sending waits for the connection.";
  else if (left < 0) hint.textContent = `${count(-left, "character")} too many`;
  else hint.textContent = left <= NEAR ? `${count(left, "character")} left` : "";
}

function addNote(text: string): void {
  addToLog(make("p", "note", text));
}

/** Somebody who has scrolled up is reading: only a message of their own moves them to the end. */
function addToLog(line: HTMLElement, own = false): void {
  const stay = !isAtEnd() && !own;
  log.append(line);
  if (log.childElementCount > MOST_LINES) log.firstElementChild?.remove();

  if (!stay) scrollToEnd();
  else if (line.classList.contains("message")) showUnread(unread + 1);
}

function isAtEnd(): boolean {
  return log.scrollHeight - log.scrollTop - log.clientHeight < 40;
}

function scrollToEnd(): void {
  log.scrollTop = log.scrollHeight;
  showUnread(0);
}

function showUnread(n: number): void {
  unread = n;
  newMessages.hidden = n === 0;
  newMessages.textContent = count(n, "new message");
}

// result.ts: what the handshake has come to, which is the first thing to see: created or found, by whom, how fast.

import type { Presence, Topic } from "../../backend/demo/events.js";
import { find, make } from "./dom.js";
import { drawHandler } from "./handler.js";

const result = find("result", HTMLElement);
const title = find("result-title", HTMLElement);
const text = find("result-text", HTMLElement);
const code = find("result-code", HTMLElement);
const invitation = find("invitation", HTMLElement);
const connectAgain = find("connect-again", HTMLElement);
const validChat = find("valid-chat", HTMLElement);

/** Before the server has answered. */
export function showWaiting(): void {
  show("waiting", "The browser asks for the namespace", "The server has not answered yet.");
}

/**
 * A peer has joined.
 *
 * @param ms - how long its handshake took
 * @param who - the peer's name, or `You`
 */
export function showArrival(topic: Topic, ms: number, who: string): void {
  const outcome = topic.created ? "created" : "found";
  show(outcome, `${who} ${outcome} this namespace`, explain(topic));
  title.append(" ", make("span", "ms", `in ${ms.toFixed(0)} ms`));
  const lines = make("code", "code handler");
  code.append(lines);
  void drawHandler(lines, outcome, "question");
}

/** Invites to open a second tab, as long as nobody else is here. */
export function inviteIfAlone({ peers }: Presence): void {
  invitation.hidden = peers > 1;
}

/** The connection is lost, and the client tries to get it back. */
export function showLoss(): void {
  show("waiting", "The connection is lost", "The browser will ask for the namespace again.");
}

/**
 * The peer is not in the namespace, and the client does not try again.
 *
 * @param forEver - no other attempt can succeed at this address
 */
export function showRefusal(reason: string, forEver: boolean): void {
  show("refused", reason, forEver ? "Only a name that a route matches can become a namespace." : "");
  connectAgain.hidden = forEver;
  validChat.hidden = !forEver;
}

function show(outcome: "waiting" | "created" | "found" | "refused", heading: string, explanation: string): void {
  result.className = `card result ${outcome}`;
  title.textContent = heading;
  text.textContent = explanation;
  code.replaceChildren();
  invitation.hidden = connectAgain.hidden = validChat.hidden = true;
}

function explain({ created, creator, peers }: Topic): string {
  if (created && peers > 1) return "It was not on this server before. The other people here are on another server.";
  if (created) return "It was not there, so the server created it.";
  return `${creator ? `${creator} had created it` : "It was there already"}, so the server created nothing.`;
}

// two-peers.ts: two peers of one namespace in one window. Each is a frame with the ordinary page of the namespace, and so
// has a connection of its own. What happens to the namespace comes from the lobby.

import { count, find } from "./dom.js";
import { followLobby, timeLeft, type Living } from "./lobby.js";

// A number that hardly anybody uses at the same time, so that the first peer here is the first one of its namespace.
const asked = new URLSearchParams(location.search).get("item") ?? "";
const item = /^\d{1,9}$/.test(asked) ? asked : String(1 + Math.floor(Math.random() * 999_999));
const ns = `/category/1/item/${item}/chat`;

const life = find("life", HTMLElement);
const countdown = find("countdown", HTMLElement);
let living: Living | undefined;
let existed = false;
let bothOpened = false;

const openFirst = placeFor("Ada", "first");
const openSecond = placeFor("Ben", "second");

find("ns", HTMLElement).textContent = ns;
openFirst();
setInterval(showCountdown, 1000);
followLobby({ show, lost }, ns);

function show([namespace]: Living[]): void {
  living = namespace;

  if (namespace?.peers) showLife("here", count(namespace.peers, "peer"));
  else if (namespace) showLife("empty", "empty");
  else if (existed) showLife("gone", "gone: the next peer creates it again");
  else showLife("none", "not there yet");
  showCountdown();

  existed ||= namespace !== undefined;
  if (!bothOpened && namespace?.peers) {
    bothOpened = true;
    openSecond();
  }
}

function lost(reason: string): void {
  living = undefined; // as far as this page knows
  showLife("lost", reason);
  showCountdown();
}

function showLife(state: string, text: string): void {
  life.dataset["state"] = state;
  life.textContent = text;
}

/** Not in the live region, or a screen reader would say it every second. */
function showCountdown(): void {
  if (living?.peers === 0) countdown.textContent = `The server removes it in ${timeLeft(living)}.`;
  else countdown.textContent = living ? "Close both, and the server removes it." : "";
}

/** Prepares the place with this id, where a peer can be opened and closed. Returns what opens it. */
function placeFor(name: string, id: string): () => void {
  const place = find(id, HTMLElement);
  const title = find(`${id}-title`, HTMLElement);
  const toggle = find(`${id}-toggle`, HTMLButtonElement);
  let frame: HTMLIFrameElement | undefined;

  const open = () => {
    frame = document.createElement("iframe");
    frame.title = `${name}, a peer of ${ns}`;
    frame.name = name; // the page in it takes this for the peer's name
    frame.src = ns;
    place.replaceChildren(frame);
    if (!toggle.hidden) title.textContent = `${name} comes again`;
    toggle.textContent = `Close ${name}`;
    toggle.hidden = false;
  };
  const close = () => {
    frame = undefined;
    place.replaceChildren(`The connection of ${name} is closed.`);
    title.textContent = `${name} has left`;
    toggle.textContent = `Open ${name} again`;
  };

  toggle.addEventListener("click", () => (frame ? close() : open()));
  return open;
}

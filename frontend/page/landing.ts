// landing.ts: the landing page. A form to join a chat, and a live list of the namespaces on this server.

import { count, find, link, make } from "./dom.js";
import { describe, followLobby, type Living } from "./lobby.js";
import { prepareNameField, rememberName } from "./name.js";

const category = find("category", HTMLInputElement);
const item = find("item", HTMLInputElement);
const name = find("name", HTMLInputElement);
const status = find("status", HTMLElement);
const list = find("namespaces", HTMLElement);
const more = find("more", HTMLElement);
const rows = new Map<string, { row: HTMLLIElement; namespace: Living }>();

prepareNameField(name);
find("join", HTMLFormElement).addEventListener("submit", (event) => {
  event.preventDefault();
  rememberName(name.value.trim());
  location.assign(`/category/${category.value}/item/${item.value}/chat`);
});

followLobby({ show, lost });
setInterval(() => {
  if (list.inert) return; // nobody knows
  for (const { row, namespace } of rows.values()) if (namespace.peers === 0) fill(row, namespace); // the countdown
}, 1000);

function show(namespaces: Living[], total: number): void {
  const names = new Set(namespaces.map((namespace) => namespace.name));
  for (const [name, { row }] of rows) {
    if (names.has(name)) continue;
    row.remove();
    rows.delete(name);
  }

  let before: Element | null = list.firstElementChild;
  for (const namespace of namespaces) {
    const row = rows.get(namespace.name)?.row ?? make("li", "", link(namespace.name, namespace.name), make("span", ""));
    if (row === before) before = row.nextElementSibling;
    else list.insertBefore(row, before); // a row that stays is not moved, or it would lose the focus
    rows.set(namespace.name, { row, namespace });
    fill(row, namespace);
  }

  list.inert = false;
  status.textContent = total ? `${count(total, "namespace")} now` : "None now. Join a chat to create one.";
  more.textContent = total > namespaces.length ? `and ${total - namespaces.length} more` : "";
}

function fill(row: HTMLLIElement, namespace: Living): void {
  row.className = namespace.peers ? "" : "empty";
  row.lastElementChild?.replaceChildren(describe(namespace));
}

function lost(reason: string): void {
  list.inert = true; // grey, and nothing in it can be clicked
  status.textContent = reason;
}

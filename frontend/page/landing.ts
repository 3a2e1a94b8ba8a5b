// landing.ts: the landing page. A form to join a chat, and a live list of the namespaces on this server.

import { io, type Socket } from "socket.io-client";
import type { LobbyServerEvents, NamespaceInfo } from "../../backend/demo/events.js";
import { count, find, make } from "./dom.js";
import { lastName, rememberName } from "./name.js";

const category = find("category", HTMLInputElement);
const item = find("item", HTMLInputElement);
const name = find("name", HTMLInputElement);

name.value = lastName();

find("join", HTMLFormElement).addEventListener("submit", (event) => {
  event.preventDefault();
  rememberName(name.value.trim());
  location.assign(`/category/${category.value}/item/${item.value}/chat`);
});

const status = find("status", HTMLElement);
const list = find("namespaces", HTMLElement);
const rows = new Map<string, HTMLLIElement>();

// The lobby is a static namespace. It is there from the start, so the plain call of Socket.IO is enough.
const lobby: Socket<LobbyServerEvents, Record<string, never>> = io("/lobby");

lobby.on("namespaces", (namespaces) => {
  rows.clear(); // after a reconnection the list may be another one
  list.replaceChildren();
  namespaces.forEach(showRow);
  showCount();
});
lobby.on("changed", (namespace) => {
  showRow(namespace);
  showCount();
});
lobby.on("retired", (namespace) => {
  rows.get(namespace)?.remove();
  rows.delete(namespace);
  showCount();
});
lobby.on("disconnect", () => {
  status.textContent = "The connection to the server is lost. Reconnecting.";
});
lobby.on("connect_error", () => {
  status.textContent = "The server does not answer. Trying again.";
});

function showRow({ name, peers }: NamespaceInfo): void {
  const row = rows.get(name) ?? addRow(name);
  row.className = peers ? "" : "empty";
  row.lastElementChild?.replaceChildren(peers ? count(peers, "peer") : "empty, will be removed");
}

function addRow(name: string): HTMLLIElement {
  const link = make("a", "", name);
  link.href = name;
  const row = make("li", "", link, make("span", "peers"));
  rows.set(name, row);
  list.append(row);
  return row;
}

function showCount(): void {
  status.textContent = rows.size ? `${rows.size} now` : "None now. Join a chat to create one.";
}

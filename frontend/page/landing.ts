// landing.ts: the landing page. A form that leads to a chat, and the namespaces that live on this server now.

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

// The lobby is a static namespace: it is there from the start, so that the plain call of Socket.IO is enough.
const lobby: Socket<LobbyServerEvents, Record<string, never>> = io("/lobby");

lobby.on("namespaces", (namespaces) => {
  rows.clear(); // after a reconnection the server may know others
  list.replaceChildren();
  namespaces.forEach(put);
  tell();
});
lobby.on("changed", (namespace) => {
  put(namespace);
  tell();
});
lobby.on("retired", (namespace) => {
  rows.get(namespace)?.remove();
  rows.delete(namespace);
  tell();
});
lobby.on("disconnect", () => {
  status.textContent = "The server went away; this list waits for it.";
});
lobby.on("connect_error", () => {
  status.textContent = "The server does not answer; trying again.";
});

function put({ name, peers }: NamespaceInfo): void {
  const row = rows.get(name) ?? add(name);
  row.className = peers ? "" : "empty";
  row.lastElementChild?.replaceChildren(peers ? count(peers, "peer") : "empty, will be retired");
}

function add(name: string): HTMLLIElement {
  const link = make("a", "", name);
  link.href = name;
  const row = make("li", "", link, make("span", "peers"));
  rows.set(name, row);
  list.append(row);
  return row;
}

function tell(): void {
  status.textContent = rows.size ? `${rows.size} live now` : "None now. Join a chat, and there will be.";
}

// Many peers at once.

import { expect } from "chai";
import type { Socket } from "socket.io-client";
import { open, startServer, transportsByName, until } from "./support/harness";

const kinds = Object.values(transportsByName);

describe("a crowd", () => {
  it("300 peers that race into 60 namespaces, on every transport, all get in, and no message leaks", async () => {
    const { ee, url, created, calm } = await startServer();
    ee.on("dynamic.group.chat", (socket) => socket.on("say", (text: string) => socket.nsp.emit("said", text)));
    const names = Array.from({ length: 60 }, (_, i) => `/category/${i}/item/${i}/chat`);
    const errors: string[] = [];
    const peers: { name: string; socket: Socket; heard: string[] }[] = [];

    for (let i = 0; i < 300; i++) {
      const name = names[i % 60]!;
      const socket = open(url, name, { transports: kinds[Math.floor(i / 60) % 3]!, timeout: 60_000 });
      const heard: string[] = [];
      socket.on("connect_error", (err) => errors.push(err.message));
      socket.on("said", (text: string) => heard.push(text));
      peers.push({ name, socket, heard });
    }
    await until(() => peers.filter(({ socket }) => !socket.connected).length, 0, "peers that are not in");
    for (const { name, socket } of peers) socket.emit("say", name);
    await until(() => peers.filter(({ heard }) => heard.length < 5).length, 0, "peers that have not heard all five");

    expect(errors).to.deep.equal([]);
    expect([...created].sort()).to.deep.equal([...names].sort());
    for (const { name, heard } of peers) expect(heard).to.deep.equal(Array.from({ length: 5 }, () => name));
    for (const { socket } of peers) socket.disconnect();
    await calm();
  });
});

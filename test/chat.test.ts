// What a peer of the demo's chat can do, with the demo server itself.

import { expect } from "chai";
import type { AddressInfo } from "node:net";
import type { Socket } from "socket.io-client";
import type { Answer, ChatClientEvents, ChatServerEvents, Topic } from "../backend/demo/events";
import { chat, presenceHere } from "../backend/demo/chat";
import { chatServer } from "../backend/server";
import { atTheEnd, next, onEachTransport, open, openPlain, startServer, until } from "./support/harness";

const CHAT = "/category/7/item/9/chat";

type Peer = Socket<ChatServerEvents, ChatClientEvents>;
type Message = Parameters<ChatServerEvents["message"]>[0];

/** The demo server, quick to retire if not told otherwise. */
async function startChat(retireAfter = 100) {
  const { server, io, ee } = chatServer(retireAfter);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  atTheEnd(() => io.close());
  return { io, ee, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

/** A peer and what it is told when it joins. */
async function enter(url: string, name: unknown, transports: string[], namespace = CHAT) {
  const peer: Peer = open(url, namespace, { transports, auth: name === undefined ? {} : { name } });
  const [topic] = await next<[Topic]>(peer, "topic");
  return { peer, topic };
}

/** Sends anything at all, as a client that does not care for the types. */
async function send(peer: Peer, ...args: unknown[]): Promise<Answer> {
  return (await (peer as Socket).timeout(3000).emitWithAck("message", ...args)) as Answer;
}

onEachTransport("the chat", (transports) => {
  it("tells a peer that joins what it has joined, and who created it", async () => {
    const { url } = await startChat();

    const { topic: first } = await enter(url, "Ada", transports);
    const { topic: second } = await enter(url, "Bob", transports);

    const topic = { categoryId: "7", itemId: "9", creator: "Ada" };
    expect(first).to.deep.equal({ ...topic, name: "Ada", created: true, peers: 1, names: ["Ada"] });
    expect(second).to.deep.equal({ ...topic, name: "Bob", created: false, peers: 2, names: ["Ada", "Bob"] });
  });

  it("names nobody as the creator of a namespace that the application made", async () => {
    const { io, url } = await startChat(60_000);
    io.of(CHAT);
    const { topic } = await enter(url, "Ada", transports);
    expect(topic).to.include({ created: false, peers: 1 }).and.not.have.property("creator");
  });

  it("tells who created it once, and not again when that peer leaves and joins on the same connection", async () => {
    const { io, url } = await startChat();
    const [peer] = openPlain(url, [CHAT, "/"], { transports, query: { ns: CHAT } }); // `/` keeps the connection open
    const created: boolean[] = [];
    peer!.on("topic", (topic: Topic) => created.push(topic.created));
    await next(peer!, "topic");
    const connection = () => [...io.of(CHAT).sockets.values()].map(({ conn }) => conn)[0];
    const before = connection();
    peer!.disconnect();
    await until(() => io.of(CHAT).sockets.size === 0); // or Socket.IO would close the connection
    peer!.connect();
    await next(peer!, "topic");
    expect(connection()).to.equal(before);
    expect(created).to.deep.equal([true, false]);
  });

  it("tells the others who joined and who left", async () => {
    const { url } = await startChat();
    const { peer: ada } = await enter(url, "Ada", transports);

    const joined = next(ada, "joined");
    const { peer: bob } = await enter(url, "Bob", transports);
    expect((await joined)[0]).to.deep.equal({ name: "Bob", peers: 2, names: ["Ada", "Bob"] });

    bob.disconnect();
    expect((await next(ada, "left"))[0]).to.deep.equal({ name: "Bob", peers: 1, names: ["Ada"] });
  });

  it("sends a message to everybody in the namespace, the sender too, and acknowledges it", async () => {
    const { url } = await startChat();
    const { peer: ada } = await enter(url, "Ada", transports);
    const { peer: bob } = await enter(url, "Bob", transports);
    const heard = Promise.all([ada, bob].map((peer) => next<[Message]>(peer, "message")));

    expect(await send(ada, "  hello <b>you</b>  ")).to.deep.equal({ ok: true });

    for (const [message] of await heard) {
      expect(message.from).to.equal("Ada");
      expect(message.sender).to.equal(ada.id);
      expect(message.text).to.equal("hello <b>you</b>");
      expect(new Date(message.at).toISOString()).to.equal(message.at);
    }
  });

  it("a name is trimmed, at most 40 characters, and Anonymous where there is none", async () => {
    const { url } = await startChat();
    const names: [unknown, string][] = [
      ["  Ada Lovelace  ", "Ada Lovelace"],
      ["x".repeat(41), "x".repeat(40)],
      ["🦜".repeat(41), "🦜".repeat(40)],
      [`x${"🦜".repeat(41)}`, `x${"🦜".repeat(39)}`],
      [undefined, "Anonymous"],
      ["   ", "Anonymous"],
      [{ toString: "no" }, "Anonymous"],
      [["Ada"], "Anonymous"],
    ];
    const { peer: watcher } = await enter(url, "watcher", transports);
    for (const [given, shown] of names) {
      const joined = next<[{ name: string }]>(watcher, "joined");
      const { topic } = await enter(url, given, transports);
      expect((await joined)[0].name).to.equal(shown);
      expect(topic.name).to.equal(shown);
    }
  });

  it("a message that is no text gets an err, reaches nobody, and ends nothing", async () => {
    const { url } = await startChat();
    const { peer: ada } = await enter(url, "Ada", transports);
    const { peer: bob } = await enter(url, "Bob", transports);
    const heard: string[] = [];
    bob.on("message", ({ text }) => heard.push(text));

    const bad = [undefined, null, 0, true, "", " \n ", {}, [], ["hello"], { text: "hello" }, Buffer.from("hello")];
    for (const text of [...bad, "x".repeat(2001), "x".repeat(100_000)]) {
      const answer = await send(ada, text);
      expect(answer, String(text).slice(0, 20)).to.have.property("err").that.is.a("string");
      (ada as Socket).emit("message", text); // without an acknowledgement
      (ada as Socket).emit("message", text, "not a function");
    }
    expect(await send(ada)).to.have.property("err");
    (ada as Socket).emit("message");

    expect(await send(ada, `  ${"y".repeat(2000)}  `)).to.deep.equal({ ok: true });
    expect(await send(ada, "🦜".repeat(2000))).to.deep.equal({ ok: true });
    await until(() => heard.length === 2);
    expect(heard).to.deep.equal(["y".repeat(2000), "🦜".repeat(2000)]);
  });
});

it("a chat of many says how many they are, and names 30", async () => {
  const { url } = await startChat();
  await Promise.all(Array.from({ length: 34 }, (_, i) => enter(url, `peer ${i}`, ["websocket"])));
  const { topic } = await enter(url, "the last", ["websocket"]);
  expect(topic.peers).to.equal(35);
  expect(topic.names).to.have.length(30);
});

it("a megabyte is refused without counting its characters", async () => {
  const { url } = await startChat();
  const { peer } = await enter(url, "Ada", ["websocket"]);
  const parts = String.prototype[Symbol.iterator];
  let counted = 0;
  String.prototype[Symbol.iterator] = function (this: string) {
    counted = Math.max(counted, this.length);
    return parts.call(this);
  };
  atTheEnd(() => (String.prototype[Symbol.iterator] = parts));
  expect(await send(peer, "x".repeat(900_000))).to.have.property("err");
  await enter(url, "x".repeat(900_000), ["websocket"]);
  expect(counted).to.be.at.most(4000);
});

it("a chat asks all that it is told to ask, sums the peers and joins the names", async () => {
  const { io, ee, url } = await startServer();
  ee.on("dynamic.group.chat", (socket, categoryId, itemId) => {
    const elsewhere = { peers: 40, names: Array.from({ length: 30 }, (_, i) => `there ${i}`) };
    void chat(socket, { categoryId, itemId }, (namespace) => [presenceHere(namespace), elsewhere]);
  });
  const { topic } = await enter(url, "Ada", ["websocket"]);
  expect(topic.peers).to.equal(41);
  expect(topic.names).to.have.length(30);
  expect(topic.names.slice(0, 2)).to.deep.equal(["Ada", "there 0"]);
  expect(presenceHere(io.of(CHAT))).to.deep.equal({ peers: 1, names: ["Ada"] });
});

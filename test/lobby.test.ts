// What a landing page hears in the lobby, with the demo server itself.

import { expect } from "chai";
import type { AddressInfo } from "node:net";
import type { Socket } from "socket.io-client";
import type { LobbyServerEvents } from "../backend/demo/events";
import { chatServer } from "../backend/server";
import { atTheEnd, join, next, openPlain, until } from "./support/harness";

type List = Parameters<LobbyServerEvents["namespaces"]>[0];
type Taken = Parameters<LobbyServerEvents["namespaces"]>[1];

const CHAT = "/category/7/item/9/chat";
const OTHER = "/category/1/item/1/chat";

/** The demo server. */
async function startDemo(comeBackWithin = 100) {
  const { server, io } = chatServer(comeBackWithin);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  atTheEnd(() => io.close());
  return { io, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

/** A page in the lobby that takes each list, and all lists that it has heard, as text. */
async function openPage(url: string, auth = {}) {
  const lists: List[] = [];
  const [page] = openPlain(url, ["/lobby"], { auth }) as [Socket<LobbyServerEvents>];
  page.on("namespaces", (list, taken) => {
    lists.push(list);
    taken();
  });
  await next(page as never, "connect");
  const last = () =>
    lists
      .at(-1)
      ?.first.map(({ name, peers }) => `${name} ${peers}`)
      .join();
  return { page, lists, last };
}

describe("the lobby", () => {
  it("lists the namespaces that live now, sorted, and tells as they come, change and go", async () => {
    const { url } = await startDemo();
    const ada = await join(url, CHAT);
    const { last } = await openPage(url);
    await until(() => last() === `${CHAT} 1`);

    const bob = await join(url, OTHER);
    await until(() => last() === `${OTHER} 1,${CHAT} 1`);
    const eve = await join(url, OTHER);
    await until(() => last() === `${OTHER} 2,${CHAT} 1`);

    bob.disconnect();
    eve.disconnect();
    await until(() => last() === `${CHAT} 1`);
    ada.disconnect();
    await until(() => last() === "");
  });

  it("sorts by number", async () => {
    const { url } = await startDemo();
    const names = ["/category/2/item/10/chat", "/category/10/item/1/chat", "/category/2/item/9/chat"];
    await Promise.all(names.map((name) => join(url, name)));
    const { lists } = await openPage(url);
    await until(() => lists.length > 0);
    expect(lists[0]!.first.map(({ name }) => name)).to.deep.equal([names[2], names[0], names[1]]);
  });

  it("is still sorted when some of many have gone, in whatever order they came", async () => {
    const { io, url } = await startDemo();
    const { lists } = await openPage(url);
    const nameOf = (item: number | string) => `/category/1/item/${item}/chat`;
    const staying = [22, 3, 111, 30, "003", 1].map(nameOf);
    const going = [4, 2, 1000, 23, "03", 112].map(nameOf);
    for (let i = 0; i < staying.length; i++) [staying, going].forEach((names) => io.of(names[i]!));
    await Promise.all(staying.map((name) => join(url, name)));
    await until(() => lists.at(-1)?.total === staying.length);
    const sorted = [1, "003", 3, 22, 30, 111].map(nameOf);
    expect(lists.at(-1)!.first.map(({ name }) => name)).to.deep.equal(sorted);
  });

  it("says how long an empty namespace stays", async () => {
    const { url } = await startDemo(60_000);
    const ada = await join(url, CHAT);
    const { lists, last } = await openPage(url);
    await until(() => last() === `${CHAT} 1`);
    expect(lists.at(-1)!.first[0]).to.not.have.property("left");
    ada.disconnect();
    await until(() => last() === `${CHAT} 0`);
    expect(lists.at(-1)!.first[0]!.left).to.be.within(30_000, 60_000);
  });

  it("tells a page that asks for one namespace alone of that one alone", async () => {
    const { url } = await startDemo();
    const { lists, last } = await openPage(url, { only: CHAT });
    await join(url, OTHER);
    const ada = await join(url, CHAT);
    await until(() => last() === `${CHAT} 1`);
    ada.disconnect();
    await until(() => last() === "");
    expect(lists.flatMap(({ first }) => first.map(({ name }) => name))).to.not.include(OTHER);
  });

  it("puts many changes of one moment into one list, of 100 namespaces at most, and says how many there are", async () => {
    const { io, url } = await startDemo(60_000);
    const { lists } = await openPage(url);
    await until(() => lists.length === 1);
    for (let i = 1; i <= 250; i++) io.of(`/category/1/item/${i}/chat`);
    await until(() => lists.at(-1)?.total === 250);
    expect(lists).to.have.length(2);
    expect(lists[1]!.first).to.have.length(100);
    expect(lists[1]!.first.at(-1)!.name).to.equal("/category/1/item/100/chat");
  });

  it("sends a page the next list when it has taken the last one, so that a page that never reads fills nothing", async () => {
    const { io, url } = await startDemo(60_000);
    const slow: [List, Taken][] = [];
    const [page] = openPlain(url, ["/lobby"]) as [Socket<LobbyServerEvents>];
    page.on("namespaces", (list, taken) => slow.push([list, taken]));
    await until(() => slow.length === 1);

    const { lists } = await openPage(url); // takes what it gets, and shows when there is news
    for (let i = 1; i <= 3; i++) {
      io.of(`/category/1/item/${i}/chat`);
      await until(() => lists.at(-1)?.total === i);
    }
    expect(slow).to.have.length(1);

    slow[0]![1]();
    await until(() => slow.length === 2);
    expect(slow[1]![0].total).to.equal(3);
  });

  it("keeps no list in memory for a page that may come back", async () => {
    const { io, url } = await startDemo(60_000);
    const { lists } = await openPage(url);
    await until(() => lists.length === 1);
    for (let i = 1; i <= 3; i++) {
      io.of(`/category/1/item/${i}/chat`);
      await until(() => lists.at(-1)?.total === i);
    }
    expect((io.of("/lobby").adapter as unknown as { packets: unknown[] }).packets).to.deep.equal([]);
  });

  it("names of namespaces are short: at most nine digits for each number", async () => {
    const { url } = await startDemo();
    await join(url, "/category/123456789/item/123456789/chat");
    const ns = `/category/${"9".repeat(14_000)}/item/1/chat`;
    const [peer] = openPlain(url, [ns], { transports: ["websocket"], query: { ns } });
    const [err] = await next<[Error]>(peer!, "connect_error");
    expect(err.message).to.match(/^no route matches/);
  });
});

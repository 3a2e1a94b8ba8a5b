// The handshake on the page of a chat, in a real browser: what is shown is what was on the wire, and the server's own code.

import { expect } from "chai";
import { readFileSync } from "node:fs";
import { join as path } from "node:path";
import type { Page } from "playwright-core";
import { handlerBlock } from "../../backend/demo/pages";
import {
  describeInBrowser,
  forgive,
  heard,
  join,
  messageField,
  say,
  sees,
  steps,
  type Person,
} from "../support/browser";
import { until } from "../support/harness";

const chat = "/category/1/item/2/chat";
const noChat = "/category/a/item/2/chat"; // no route matches it

it("the lines of io-handler.ts that the page marks are there, each once", () => {
  const block = handlerBlock()!.split("\n");
  expect(block[0]).to.match(/^onConnection\(io, .*\(socket\) => \{$/);
  expect(block.at(-1)).to.equal("});");
  for (const mark of ["no route matches", "namespacesCreated.has(ns)", "io.of(ns)"]) {
    expect(
      block.filter((line) => line.includes(mark)),
      mark,
    ).to.have.length(1);
  }
});

describeInBrowser("the handshake on the page", (stage) => {
  for (const [transport, address] of [
    ["on WebSocket", chat],
    ["on long polling, upgraded to WebSocket", `${chat}?transport=polling`],
  ] as const) {
    it(`shows one request, one CONNECT and one answer, as they were on the wire, ${transport}`, async () => {
      const ada = await stage.person();
      const wire = recordWire(ada.page);

      await join(ada, address, "Ada");
      await sees(ada, "You created this namespace");
      if (address !== chat) await ada.page.getByText("Upgrade to WebSocket").waitFor();

      const titles = await steps(ada);
      expect(titles.filter((title) => title !== "Upgrade to WebSocket")).to.deep.equal([
        "Request with ?ns=",
        "Connection open",
        "CONNECT",
        "Created",
        "Answer: connected",
        "First event of the chat",
      ]);

      const shown = await ada.page.locator("#handshakes .step:not(.in-server) .code").allInnerTexts();
      await until(() => shown.every((packet) => [...wire.sent, ...wire.received].includes(packet)));
      expect(shown[0]).to.include(`?ns=${encodeURIComponent(chat)}&EIO=4&transport=`);
      expect(wire.sent.filter((packet) => packet.startsWith("40"))).to.deep.equal([`40${chat},{"name":"Ada"}`]);
      expect(wire.received.filter((packet) => packet.startsWith("40"))).to.have.length(1);

      const times = await ada.page.locator("#handshakes .step:not(.in-server) .time").allInnerTexts();
      const ms = times.map((time) => Number(time.replace(/^([\d.]+) ms$/, "$1")));
      expect(ms).to.deep.equal([...ms].sort((a, b) => a - b));
    });

    it(`shows the call that it makes, ${transport}`, async () => {
      const ada = await stage.person();
      const ben = await stage.person({ bypassCSP: true }); // his page gets a script that is not the demo's
      const [adasWire, bensWire] = [recordWire(ada.page), recordWire(ben.page)];
      const start = ({ sent }: Wire) => [
        sent.find((request) => request.includes("?ns="))?.replace(/&t=.*/, ""), // `t` is the time
        sent.find((packet) => packet.startsWith(`40${chat}`)),
      ];

      await join(ada, address, "Ada");
      await sees(ada, "You created this namespace");
      await ada.page.getByText("The call behind it").click();
      const call = await ada.page.locator("#call").innerText();
      expect(call).to.include(`query: { ns: "${chat}" }`).and.include("forceNew: true");

      await ben.page.goto("/"); // where the same call, pasted, has the same effect
      await ben.page.addScriptTag({ type: "module", content: `import { io } from "socket.io-client";\n${call}` });
      await sees(ada, "2 people here");
      await until(() => [adasWire, bensWire].every((wire) => start(wire).every(Boolean)));
      expect(start(bensWire)).to.deep.equal(start(adasWire));
    });
  }

  it("says first who created the namespace, and shows the server's own lines, the one that decided marked", async () => {
    const [ada, ben, eve] = [await stage.person(), await stage.person(), await stage.person()];
    const source = readFileSync(path(__dirname, "../../backend/io-handler.ts"), "utf8")
      .split("\n")
      .flatMap((line) => [line, line.replace(/ \/\/ .*/, "")]);
    const texts = async (person: Person, selector: string) =>
      (await person.page.locator(selector).allInnerTexts()).join("\n");

    await join(ada, chat, "Ada");
    await sees(ada, /^You created this namespace in \d+ ms$/);
    await sees(ada, "It was not there, so the server created it.");
    await join(ben, chat, "Ben");
    await sees(ben, /^You found this namespace in \d+ ms$/);
    await sees(ben, "Ada had created it, so the server created nothing.");
    await eve.page.goto(noChat);
    await sees(eve, `Refused: no route matches ${noChat}`);

    for (const [person, result, from, line] of [
      [ada, "Created", "the event “topic”", "io.of(ns)"],
      [ben, "Found", "the event “topic”", "namespacesCreated.has(ns)"],
      [eve, "No route matches", "the answer", "no route matches"],
    ] as const) {
      const inServer = person.page.locator("#handshakes .step.in-server");
      await inServer.locator(".marked").waitFor();
      expect(await inServer.locator(".marked mark").innerText()).to.include(line);
      expect(await inServer.innerText()).to.match(new RegExp(`${result}\\s+known from ${from} below`));
      expect(await inServer.innerText()).to.include("the browser did not ask for the default namespace");
      const lines = await inServer.locator(".line > :first-child").allTextContents();
      expect(lines.length).to.be.greaterThan(5);
      for (const text of lines) expect(source).to.include(`  ${text}`); // but for a comment where the page has a note
      const summary = await person.page.locator("#handshakes summary").innerText();
      expect(summary).to.match(/^Connection 1\s+(created|found|refused), \d+ ms$/);
    }

    expect(await texts(ada, ".step .skipped"))
      .to.include("no route matches")
      .and.not.include("io.of(ns)");
    expect(await texts(ben, ".step .skipped"))
      .to.include("no route matches")
      .and.include("io.of(ns)");
    expect(await texts(eve, ".step .skipped"))
      .to.include("io.of(ns)")
      .and.include("namespacesCreated.has(ns)");
    expect(await texts(ada, "#result .line")).to.match(/io\.of\(ns\).*\s+creates the namespace/);
    expect(await texts(ben, "#result .line")).to.match(/namespacesCreated\.has\(ns\).*\s+false: it is there/);
  });

  it("does without those lines where the server runs without its source", async () => {
    const ada = await stage.person();
    await ada.page.route("**/handler", (route) => route.fulfill({ status: 204 }));
    await join(ada, chat, "Ada");
    await sees(ada, "You created this namespace");
    await sees(ada, "known from the event “topic” below");
    expect(await ada.page.locator(".handler").count()).to.equal(0);
  });

  it("shows why an address is refused, where the handshake stopped, and the way to a chat", async () => {
    const ada = await stage.person();
    const wire = recordWire(ada.page);
    const answer = `44${noChat},{"message":"no route matches ${noChat}"}`;

    await ada.page.goto("/");
    await ada.page.getByRole("link", { name: noChat }).click();
    await sees(ada, `Refused: no route matches ${noChat}`);
    await ada.page.locator("#handshakes .step.end").waitFor();

    expect(await steps(ada)).to.deep.equal([
      "Request with ?ns=",
      "Connection open",
      "CONNECT",
      "No route matches",
      "Answer: refused",
      "Connection closed",
    ]);
    expect(await ada.page.locator("#handshakes .step.to-browser.refused .code").innerText()).to.equal(answer);
    await until(() => wire.received.includes(answer));
    expect(await ada.page.getByText("You created").isVisible()).to.equal(false);
    expect(await messageField(ada).isVisible()).to.equal(false);
    expect(await ada.page.getByRole("button", { name: "Connect again" }).isVisible()).to.equal(false);
    await ada.page.getByRole("link", { name: chat }).click();
    await ada.page.getByLabel("Your name").waitFor();
  });

  it("shows the refusal at every address that looks like a chat", async () => {
    const ada = await stage.person();
    for (const path of [
      "/category/1/item/two/chat",
      "/category/1.5/item/2/chat",
      "/category/1234567890/item/2/chat",
      "/category/%C3%A4/item/2/chat",
    ]) {
      await ada.page.goto(path);
      await sees(ada, `Refused: no route matches ${path}`);
    }
  });

  for (const place of ["the default namespace", "the namespace"]) {
    it(`shows the reason of a middleware of ${place} that refuses, and can connect again`, async () => {
      const ada = await stage.person();
      const { io } = stage.demo;
      let closed = true;
      const refuse = (_socket: unknown, next: (err?: Error) => void) => next(closed ? new Error("closed") : undefined);
      if (place === "the namespace") io.on("new_namespace", (namespace) => namespace.use(refuse));
      else io.use(refuse);

      await join(ada, chat, "Ada");
      await sees(ada, "Refused: closed");
      await ada.page.locator("#handshakes .step.end").waitFor();
      expect((await steps(ada)).slice(2)).to.deep.equal(["CONNECT", "Answer: refused", "Connection closed"]);

      closed = false;
      await ada.page.getByRole("button", { name: "Connect again" }).click();
      await sees(ada, "Connected");
      await say(ada, "Thanks");
      await heard(ada, "Ada", "Thanks");
      const handshakes = await ada.page.locator("#handshakes summary").allInnerTexts();
      expect(handshakes[0]).to.match(/^Connection 2\s+(created|found), \d+ ms$/);
      expect(handshakes[1]).to.match(/^Connection 1\s+refused, \d+ ms$/);
    });
  }

  it("leads to the source, which is there", async () => {
    const ada = await stage.person();
    const root = path(__dirname, "../..");
    await join(ada, chat, "Ada"); // from now on the tab has a name
    for (const address of ["/", chat, "/two-peers", "/x"]) {
      await ada.page.goto(address);
      const links = ada.page.locator(".sources a:visible");
      await links.first().waitFor();
      for (const link of await links.all()) {
        const response = await fetch(stage.demo.url + (await link.getAttribute("href")));
        expect(response.headers.get("content-type")).to.match(/^text\/plain/);
        expect(await response.text()).to.equal(readFileSync(path(root, await link.innerText()), "utf8"));
      }
    }
    for (const hidden of ["package.json", "backend/../package.json", "backend/demo/chat.ts"]) {
      expect((await fetch(`${stage.demo.url}/source/${hidden}`)).status).to.equal(404);
    }
    forgive(ada, /status of 404/);
  });
});

/** The requests and packets of a page. */
interface Wire {
  sent: string[];
  received: string[];
}

/** Records what goes over the wire, as the browser itself reports it. */
function recordWire(page: Page): Wire {
  const wire: Wire = { sent: [], received: [] };
  const addressOf = (url: string) => `GET ${new URL(url).pathname}${new URL(url).search}`;
  const packetsIn = (body: string) => body.split("\x1e"); // long polling sends several packets in one body

  page.on("request", (request) => {
    if (request.method() === "GET") wire.sent.push(addressOf(request.url()));
    else wire.sent.push(...packetsIn(request.postData() ?? ""));
  });
  page.on("response", async (response) => {
    if (response.url().includes("/socket.io/?")) {
      wire.received.push(...packetsIn(await response.text().catch(() => "")));
    }
  });
  page.on("websocket", (socket) => {
    wire.sent.push(addressOf(socket.url()));
    socket.on("framesent", ({ payload }) => wire.sent.push(String(payload)));
    socket.on("framereceived", ({ payload }) => wire.received.push(String(payload)));
  });
  return wire;
}

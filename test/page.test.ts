// page.test.ts: what the demo promises to everybody who opens it, in a real browser.

import { source as axe, type AxeResults } from "axe-core";
import { expect } from "chai";
import type { Browser, BrowserContextOptions, Locator, Page } from "playwright-core";
import { join, missingChromium, newPerson, openBrowser, say, startDemo, WITHIN } from "./support/browser";
import type { Demo, Person } from "./support/browser";
import { until } from "./support/harness";

const chat = "/category/1/item/2/chat";
const noChat = "/category/a/item/2/chat"; // no route matches it

describe("the demo page", function () {
  this.timeout(4 * WITHIN);

  let browser: Browser | undefined;
  let demo: Demo;
  let people: Person[];

  before("needs Chromium", async function () {
    const missing = missingChromium();
    if (missing && process.env["CI"]) throw new Error(missing);
    if (missing) {
      console.log(`  the demo page: not tested, ${missing}`);
      this.skip();
    }
    browser = await openBrowser();
  });

  after(() => browser?.close());

  beforeEach(async () => {
    people = [];
    demo = await startDemo();
  });

  afterEach(async () => {
    const problems = people.flatMap((person) => person.problems);
    await Promise.all(people.map(({ page }) => page.context().close()));
    await demo.close();
    expect(problems, "errors, or requests to other servers").to.deep.equal([]);
  });

  async function person(options?: BrowserContextOptions): Promise<Person> {
    if (!browser) throw new Error("no browser");
    const newcomer = await newPerson(browser, demo.url, options);
    people.push(newcomer);
    return newcomer;
  }

  it("lets two people meet and talk", async () => {
    const ada = await person();
    const ben = await person();

    await join(ada, chat, "Ada");
    await sees(ada, "1 person here");
    await join(ben, chat, "Ben");
    await sees(ada, "Ben joined.");
    await sees(ada, "2 people here");
    await sees(ben, "2 people here");

    await say(ada, "Hello Ben");
    await heard(ben, "Ada", "Hello Ben");
    await say(ben, "Hello Ada");
    await heard(ada, "Ben", "Hello Ada");
    await fieldIsEmpty(ben);

    await ben.page.close();
    await sees(ada, "Ben left.");
    await sees(ada, "1 person here");
  });

  it("tells the first peer that it created the namespace, and the second that it joined it", async () => {
    const ada = await person();
    const ben = await person();

    await join(ada, chat, "Ada");
    await sees(ada, "You created this namespace. You are its first peer.");
    await join(ben, chat, "Ben");
    await sees(ben, "You joined this namespace. An earlier peer created it.");

    expect(await ada.page.locator("#handshakes summary").innerText()).to.match(/^Connection 1\s+created, \d+ ms$/);
    expect(await ben.page.locator("#handshakes summary").innerText()).to.match(/^Connection 1\s+joined, \d+ ms$/);
  });

  for (const [transport, address] of [
    ["on WebSocket", chat],
    ["on long polling, upgraded to WebSocket", `${chat}?transport=polling`],
  ] as const) {
    it(`shows one request, one CONNECT and one answer, as they were on the wire, ${transport}`, async () => {
      const ada = await person();
      const wire = recordWire(ada.page);

      await join(ada, address, "Ada");
      await sees(ada, "You created this namespace.");
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
      const ada = await person();
      const ben = await person();
      const [adasWire, bensWire] = [recordWire(ada.page), recordWire(ben.page)];
      const start = ({ sent }: Wire) => [
        sent.find((request) => request.includes("?ns="))?.replace(/&t=.*/, ""), // `t` is the time
        sent.find((packet) => packet.startsWith(`40${chat}`)),
      ];

      await join(ada, address, "Ada");
      await sees(ada, "You created this namespace.");
      const call = await ada.page.locator("#call").innerText();
      expect(call).to.include(`query: { ns: "${chat}" }`).and.include("forceNew: true");

      await ben.page.goto("/"); // where the same call, pasted, has the same effect
      await ben.page.addScriptTag({ type: "module", content: `import { io } from "socket.io-client";\n${call}` });
      await sees(ada, "2 people here");
      await until(() => [adasWire, bensWire].every((wire) => start(wire).every(Boolean)));
      expect(start(bensWire)).to.deep.equal(start(adasWire));
    });
  }

  it("shows what the server did before its answer, and why no packet shows it", async () => {
    const ada = await person();
    const ben = await person();
    const eve = await person();
    const whatTheServerDid = ({ page }: Person) => page.locator("#handshakes .step.in-server").innerText();

    await join(ada, chat, "Ada");
    await sees(ada, "You created this namespace.");
    await join(ben, chat, "Ben");
    await sees(ben, "You joined this namespace.");
    await eve.page.goto(noChat);
    await state(eve, "refused");

    const [created, found, refused] = await Promise.all([ada, ben, eve].map(whatTheServerDid));
    expect(created)
      .to.match(/Created\s+known from the event “topic” below/)
      .and.match(/namespacesCreated\.has\(ns\) \/\/ false\s+io\.of\(ns\)/);
    expect(found)
      .to.match(/Found\s+known from the event “topic” below/)
      .and.include("namespacesCreated.has(ns) // true")
      .and.not.include("io.of");
    expect(refused)
      .to.match(/No route matches\s+known from the answer below/)
      .and.include("ns.match(routes.chat) // null")
      .and.not.include("io.of");
    for (const text of [created, found, refused]) {
      expect(text).to.include("the browser did not ask for the default namespace, so the server sends no answer");
    }
  });

  it("shows names and messages as text, whatever is in them", async () => {
    const mallory = await person();
    const ben = await person();
    const markup = "<img src=x onerror=console.error(1)><b>bold</b>";
    const name = "<u>Mallory</u>";

    await join(ben, chat, "Ben");
    await sees(ben, "You created this namespace.");
    await join(mallory, chat, name);
    await sees(ben, `${name} joined.`);
    await say(mallory, markup);

    for (const reader of [mallory, ben]) {
      await heard(reader, name, markup);
      expect(await reader.page.locator("main :is(img, b, u)").count()).to.equal(0);
    }
    expect(await mallory.page.locator("#handshakes").innerText()).to.include(name); // it is in the CONNECT packet
  });

  it("lists the namespaces with their number of peers, and removes them when they are retired", async () => {
    const visitor = await person();
    const ada = await person();
    const ben = await person();
    const row = visitor.page.getByRole("listitem").filter({ has: visitor.page.getByRole("link", { name: chat }) });

    await visitor.page.goto("/");
    await sees(visitor, "None now.");
    await join(ada, chat, "Ada");
    await row.getByText("1 peer", { exact: true }).waitFor();
    await sees(visitor, "1 now");
    await join(ben, chat, "Ben");
    await row.getByText("2 peers", { exact: true }).waitFor();

    await ada.page.close();
    await row.getByText("1 peer", { exact: true }).waitFor();
    await row.getByRole("link").focus();
    await ben.page.close();
    await row.getByText("empty, will be removed").waitFor();
    await row.waitFor({ state: "detached" });
    await sees(visitor, "None now.");
  });

  it("lists the namespaces that were there before the landing page was opened, and links to them", async () => {
    const ada = await person();
    const visitor = await person();

    await join(ada, chat, "Ada");
    await sees(ada, "You created this namespace.");
    await visitor.page.goto("/");
    await visitor.page.getByRole("link", { name: chat }).click();
    await visitor.page.waitForURL(`**${chat}`);
  });

  it("leads from the landing page to a chat with the keyboard alone", async () => {
    const { page } = await person();

    await page.goto("/");
    await page.getByRole("textbox", { name: "Category" }).focus();
    await page.keyboard.press("ControlOrMeta+A");
    await page.keyboard.type("7");
    await page.keyboard.press("Tab");
    await page.keyboard.press("ControlOrMeta+A");
    await page.keyboard.type("42");
    await page.keyboard.press("Tab");
    await page.keyboard.type("Ada");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter"); // on the button Join

    await page.waitForURL("**/category/7/item/42/chat");
    await page.getByText("You are here as Ada.").waitFor();
    await page.getByRole("heading", { name: "Category 7, item 42" }).waitFor();
  });

  it("asks for a name where somebody opens a shared address, and remembers it", async () => {
    const { page } = await person();
    const name = page.getByLabel("Your name");

    await page.goto(chat);
    await name.waitFor();
    expect(await page.getByRole("log").isVisible()).to.equal(false);
    await page.keyboard.type("Ada"); // the field has the focus
    await page.keyboard.press("Enter");
    await page.getByText("You are here as Ada.").waitFor();
    await page.keyboard.type("Hello"); // now the message field has it
    await page.keyboard.press("Enter");
    await page.getByRole("log").getByText("Hello", { exact: true }).waitFor();

    await page.reload();
    await page.getByText("You are here as Ada.").waitFor();

    const secondTab = await page.context().newPage(); // of the same person, or of another in the same browser
    await secondTab.goto(chat);
    await secondTab.getByLabel("Your name").waitFor();
    expect(await secondTab.getByLabel("Your name").inputValue()).to.equal("Ada");
  });

  it("works where the browser allows no storage", async () => {
    const { page } = await person();
    await page.addInitScript(`for (const name of ["localStorage", "sessionStorage"])
      Object.defineProperty(window, name, { get() { throw new DOMException("forbidden", "SecurityError"); } })`);

    await join({ page, problems: [] }, chat, "Ada");
    await page.getByText("You are here as Ada.").waitFor();
  });

  it("survives a restart of the server, and shows it", async () => {
    const ada = await person();
    const visitor = await person();

    await join(ada, chat, "Ada");
    await sees(ada, "You created this namespace.");
    await visitor.page.goto("/");
    await visitor.page.getByRole("link", { name: chat }).waitFor();

    await demo.close();
    await state(ada, "reconnecting");
    await sees(visitor, "The connection to the server is lost.");
    demo = await startDemo({ port: demo.port });
    await state(ada, "connected");
    await sees(ada, "You are back. Messages sent while you were away are lost.");
    await sees(ada, "You created this namespace."); // the new server knew nothing of it
    await visitor.page.getByRole("link", { name: chat }).waitFor();

    const handshakes = await ada.page.locator("#handshakes summary").allInnerTexts();
    expect(handshakes[0]).to.match(/^Connection [23] \(reconnection\)\s+created, \d+ ms$/);
    expect(handshakes.at(-1)).to.match(/^Connection 1\s+created, \d+ ms$/);
    expect(await steps(ada)).to.include("Created"); // only the new handshake is open
    await say(ada, "Still here");
    await heard(ada, "Ada", "Still here");

    for (const { problems } of people) forgive(problems, /net::ERR_/);
  });

  it("shows the messages that were missed, after a short loss of the connection", async () => {
    const ada = await person();
    const ben = await person();
    await demo.close();
    demo = await startDemo({ port: demo.port, comeBackWithin: WITHIN });

    await join(ada, chat, "Ada");
    await sees(ada, "You created this namespace.");
    await join(ben, chat, "Ben");
    await sees(ada, "2 people here");
    await say(ben, "Before"); // recovery begins with the first event
    await heard(ada, "Ben", "Before");

    for (const socket of demo.io.of(chat).sockets.values()) {
      if (socket.handshake.auth["name"] === "Ada") socket.conn.close();
    }
    await sees(ben, "Ada left.");
    await say(ben, "Meanwhile");
    await sees(ada, "You are back. You missed nothing.");
    await heard(ada, "Ben", "Meanwhile");
    await sees(ada, "You joined this namespace."); // by now it is Ben's
    expect(await steps(ada)).to.include("Found");
    await sees(ada, "With pid and offset it also asks for the messages that it missed.");
  });

  it("shows why an address is refused, and where the handshake stopped", async () => {
    const ada = await person();
    const wire = recordWire(ada.page);
    const answer = `44${noChat},{"message":"no route matches ${noChat}"}`;

    await ada.page.goto("/");
    await ada.page.getByRole("link", { name: noChat }).click();
    await sees(ada, `Refused: no route matches ${noChat}`);
    await state(ada, "refused");
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
  });

  it("shows the refusal at every address that looks like a chat, and leads back from all others", async () => {
    const ada = await person();

    for (const path of [
      noChat,
      "/category/1/item/two/chat",
      "/category/1.5/item/2/chat",
      "/category/%C3%A4/item/2/chat",
    ]) {
      await ada.page.goto(path);
      await sees(ada, `Refused: no route matches ${path}`);
    }
    for (const path of ["/x", "/category/1/item/2", `${chat}/`, "/category/a,b/item/2/chat", "/js/page/none.js"]) {
      const response = await ada.page.goto(path);
      expect(response?.status(), path).to.equal(404);
      await ada.page.getByRole("link", { name: "All namespaces" }).click();
      await ada.page.getByRole("heading", { name: "Join a chat" }).waitFor();
    }
    forgive(ada.problems, /status of 404/);
  });

  for (const place of ["the default namespace", "the namespace"]) {
    it(`shows the reason of a middleware of ${place} that refuses, and can connect again`, async () => {
      const ada = await person();
      let closed = true;
      const refuse = (_socket: unknown, next: (err?: Error) => void) => next(closed ? new Error("closed") : undefined);
      if (place === "the namespace") demo.io.on("new_namespace", (namespace) => namespace.use(refuse));
      else demo.io.use(refuse);

      await join(ada, chat, "Ada");
      await sees(ada, "Refused: closed");
      await ada.page.locator("#handshakes .step.end").waitFor();
      expect((await steps(ada)).slice(2)).to.deep.equal(["CONNECT", "Answer: refused", "Connection closed"]);

      closed = false;
      await ada.page.getByRole("button", { name: "Connect again" }).click();
      await state(ada, "connected");
      await say(ada, "Thanks");
      await heard(ada, "Ada", "Thanks");
      const handshakes = await ada.page.locator("#handshakes summary").allInnerTexts();
      expect(handshakes[0]).to.match(/^Connection 2\s+(created|joined), \d+ ms$/);
      expect(handshakes[1]).to.match(/^Connection 1\s+refused, \d+ ms$/);
    });
  }

  it("says so when a message is refused, and keeps it", async () => {
    const ada = await person();
    const long = "x".repeat(2001);

    await join(ada, chat, "Ada");
    await sees(ada, "You created this namespace.");
    await say(ada, long);
    await ada.page.getByRole("alert").getByText("Not sent: the message is longer than 2000 characters.").waitFor();
    expect(await messageField(ada).inputValue()).to.equal(long);

    await say(ada, "shorter");
    await heard(ada, "Ada", "shorter");
    expect(await ada.page.getByRole("alert").innerText()).to.equal("");
  });

  it("does not scroll away from older messages while somebody reads them", async () => {
    const ada = await person();
    const log = ada.page.getByRole("log");
    const scrollTop = () => log.evaluate((element) => (element as unknown as { scrollTop: number }).scrollTop);

    await join(ada, chat, "Ada");
    await sees(ada, "You created this namespace.");
    const everybody = demo.io.of(chat);
    const message = (text: string) => everybody.emit("message", { from: "Ben", text, at: new Date().toISOString() });
    for (let i = 1; i <= 40; i++) message(`line ${i}`);
    await heard(ada, "Ben", "line 40");
    expect(await scrollTop()).to.be.greaterThan(0);

    await log.focus();
    await ada.page.keyboard.press("Home");
    await ada.page.waitForFunction("document.getElementById('log').scrollTop === 0");
    message("one more");
    await heard(ada, "Ben", "one more");
    expect(await scrollTop()).to.equal(0);
  });

  for (const colorScheme of ["light", "dark"] as const) {
    it(`has no accessibility problem that axe can find, in ${colorScheme}`, async () => {
      const ada = await person({ colorScheme });
      const visitor = await person({ colorScheme });
      const refused = await person({ colorScheme });
      const lost = await person({ colorScheme });

      await ada.page.goto(chat);
      await ada.page.getByLabel("Your name").waitFor();
      await passesAxe(ada.page);
      await join(ada, chat, "Ada");
      await sees(ada, "You created this namespace.");
      await say(ada, "x".repeat(2001));
      await sees(ada, "Not sent");
      await say(ada, "Hello");
      await heard(ada, "Ada", "Hello");
      await passesAxe(ada.page);
      await visitor.page.goto("/");
      await visitor.page.getByRole("link", { name: chat }).waitFor();
      await passesAxe(visitor.page);
      await refused.page.goto(noChat);
      await sees(refused, "Refused:");
      await passesAxe(refused.page);
      await lost.page.goto("/x");
      await passesAxe(lost.page);
      forgive(lost.problems, /status of 404/);
    });

    it(`is ${colorScheme} where the system is`, async () => {
      const { page } = await person({ colorScheme });
      for (const path of [chat, "/"]) {
        await page.goto(path);
        const colour = await page.evaluate<string>("getComputedStyle(document.body).backgroundColor");
        const [red = 0, green = 0, blue = 0] = (colour.match(/\d+/g) ?? []).map(Number);
        expect(red + green + blue > 3 * 128 ? "light" : "dark", path).to.equal(colorScheme);
      }
    });
  }

  it("has the whole chat in a window of 1100 x 800 pixels, without scrolling", async () => {
    const ada = await person({ viewport: { width: 1100, height: 800 } });

    await join(ada, chat, "Ada");
    await talkALot(ada);
    const [chatBox, fieldBox, handshakeBox] = await boxes(chatSection(ada), messageField(ada), handshakeSection(ada));

    expect(await ada.page.evaluate("scrollY")).to.equal(0);
    expect(chatBox.top).to.be.at.least(0);
    expect(chatBox.bottom).to.be.at.most(800);
    expect(fieldBox.bottom).to.be.below(chatBox.bottom);
    expect(handshakeBox.left).to.be.at.least(chatBox.right); // beside it
    expect(handshakeBox.top).to.equal(chatBox.top);
  });

  it("has the handshake right under the chat on a phone of 390 x 844 pixels", async () => {
    const ada = await person({ viewport: { width: 390, height: 844 } });

    await join(ada, chat, "Ada");
    await talkALot(ada);
    const [chatBox, fieldBox, handshakeBox] = await boxes(chatSection(ada), messageField(ada), handshakeSection(ada));

    expect(await ada.page.evaluate("scrollY")).to.equal(0);
    expect(chatBox.top).to.be.at.least(0);
    expect(fieldBox.bottom).to.be.below(chatBox.bottom);
    expect(handshakeBox.top - chatBox.bottom).to.be.within(1, 32);
    expect(handshakeBox.top).to.be.below(844); // so that one sees that there is more
    expect(await ada.page.evaluate("document.documentElement.scrollWidth")).to.equal(390);
  });

  it("keeps the chat in the window while the handshake is read", async () => {
    const ada = await person({ viewport: { width: 1100, height: 800 } });

    await join(ada, chat, "Ada");
    await sees(ada, "You created this namespace.");
    await ada.page.evaluate("scrollTo(0, document.documentElement.scrollHeight)");
    expect(await ada.page.evaluate("scrollY")).to.be.greaterThan(200);

    const [chatBox] = await boxes(chatSection(ada));
    expect(chatBox.top).to.be.at.least(0);
    expect(chatBox.bottom).to.be.at.most(800);
  });

  it("fits a screen of 375 pixels", async () => {
    const ada = await person({ viewport: { width: 375, height: 700 } });
    const fits = () => ada.page.evaluate("document.documentElement.scrollWidth <= 375");

    await join(ada, "/category/1234567890/item/1234567890/chat", "Ada".repeat(13));
    await sees(ada, "You created this namespace.");
    await say(ada, "x".repeat(200));
    await heard(ada, "Ada".repeat(13), "x".repeat(200));
    expect(await fits()).to.equal(true);
    await ada.page.goto("/");
    await ada.page.getByRole("link", { name: "/category/1234567890" }).waitFor();
    expect(await fits()).to.equal(true);
    await ada.page.goto(`/category/${"x".repeat(100)}/item/2/chat`);
    await sees(ada, "Refused:");
    expect(await fits()).to.equal(true);
  });
});

/** Waits until this text is somewhere on the page. */
function sees({ page }: Person, text: string): Promise<void> {
  return page.getByText(text).first().waitFor();
}

function heard({ page }: Person, from: string, text: string): Promise<void> {
  const message = page.getByRole("log").locator(".message").filter({ hasText: from });
  return message.getByText(text, { exact: true }).first().waitFor();
}

function state({ page }: Person, state: string): Promise<void> {
  return page.locator(`[role=status][data-state=${state}]`).waitFor();
}

function messageField({ page }: Person) {
  return page.getByLabel("Message", { exact: true });
}

function chatSection({ page }: Person) {
  return page.getByRole("region", { name: "Chat" });
}

function handshakeSection({ page }: Person) {
  return page.getByRole("region", { name: "The handshake" });
}

/** The titles of the steps in the handshake that is open. */
function steps({ page }: Person): Promise<string[]> {
  return page.locator("#handshakes details[open] .step strong").allInnerTexts();
}

/** Fills the chat, and leaves an error under the message field. */
async function talkALot(person: Person): Promise<void> {
  await sees(person, "You created this namespace.");
  for (let i = 1; i <= 12; i++) {
    await say(person, `message ${i}`);
    await person.page.getByRole("log").getByText(`message ${i}`, { exact: true }).waitFor();
    await fieldIsEmpty(person);
  }
  await say(person, "x".repeat(2001));
  await sees(person, "Not sent:");
}

/** Waits until the last message has been answered. */
async function fieldIsEmpty(person: Person): Promise<void> {
  const field = await messageField(person).elementHandle();
  await person.page.waitForFunction((input) => (input as { value?: string } | null)?.value === "", field);
}

/** Where these stand in the window. */
async function boxes<T extends Locator[]>(...locators: T) {
  const found = await Promise.all(
    locators.map(async (locator) => {
      const box = await locator.boundingBox();
      if (!box) throw new Error(`not visible: ${locator}`);
      return { left: box.x, top: box.y, right: box.x + box.width, bottom: box.y + box.height };
    }),
  );
  return found as { [I in keyof T]: (typeof found)[number] };
}

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

/** Removes problems that a test makes on purpose. */
function forgive(problems: string[], expected: RegExp): void {
  problems.splice(0, problems.length, ...problems.filter((problem) => !expected.test(problem)));
}

async function passesAxe(page: Page): Promise<void> {
  await page.evaluate(axe);
  const { violations, passes } = await page.evaluate<AxeResults>("axe.run()");
  expect(passes).to.not.be.empty;
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(", ")}`)).to.deep.equal([]);
}

// page.test.ts: what the demo promises to whoever opens it, in a real browser.

import { source as axe, type AxeResults } from "axe-core";
import { expect } from "chai";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { arrive, join, lacksChromium, openBrowser, say, startDemo, WITHIN } from "./support/browser";
import type { Demo, Person } from "./support/browser";

const chat = "/category/1/item/2/chat";

describe("the demo page", function () {
  this.timeout(4 * WITHIN);

  let browser: Browser | undefined;
  let demo: Demo;
  let people: Person[];

  before("needs Chromium", async function () {
    const lack = lacksChromium();
    if (lack && process.env["CI"]) throw new Error(lack);
    if (lack) {
      console.log(`  the demo page: not tested, ${lack}`);
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
    const complaints = people.flatMap((person) => person.complaints);
    await Promise.all(people.map(({ page }) => page.context().close()));
    await demo.close();
    expect(complaints, "errors, or requests to elsewhere").to.deep.equal([]);
  });

  async function person(options?: BrowserContextOptions): Promise<Person> {
    if (!browser) throw new Error("no browser");
    const somebody = await arrive(browser, demo.url, options);
    people.push(somebody);
    return somebody;
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
    const field = await messageField(ben).elementHandle();
    await ben.page.waitForFunction((input) => (input as { value?: string } | null)?.value === "", field); // once acknowledged

    await ben.page.close();
    await sees(ada, "Ben left.");
    await sees(ada, "1 person here");
  });

  it("tells the first peer that it created the namespace, and the second that it joined it", async () => {
    const ada = await person();
    const ben = await person();

    await join(ada, chat, "Ada");
    await sees(ada, "You created this namespace.");
    await join(ben, chat, "Ben");
    await sees(ben, "You joined this namespace.");

    expect(await steps(ada))
      .to.include("Created")
      .and.not.include("Found");
    expect(await steps(ben))
      .to.include("Found")
      .and.not.include("Created");
    expect(await ada.page.locator("#handshake summary").innerText()).to.match(/^Connection 1\s+created, \d+ ms$/);
    expect(await ben.page.locator("#handshake summary").innerText()).to.match(/^Connection 1\s+joined, \d+ ms$/);
  });

  for (const [transport, address] of [
    ["on WebSocket", chat],
    ["on long polling, upgraded to WebSocket", `${chat}?transport=polling`],
  ] as const) {
    it(`shows the packets of this very connection, in the order in which they went by, ${transport}`, async () => {
      const ada = await person();
      const wire = overhear(ada.page);

      await join(ada, address, "Ada");
      await sees(ada, "You created this namespace.");
      if (address !== chat) await ada.page.getByText("Upgrade to WebSocket").waitFor();

      const titles = await steps(ada);
      const packets = await ada.page.locator("#handshake .packet").allInnerTexts();
      for (const [i, packet] of packets.entries()) {
        if (titles[i] === "Created") expect(packet).to.equal(`io.of("${chat}")`);
        else expect(wire.join("\n"), titles[i]).to.include(packet);
      }

      expect(packets[0]).to.include(`?ns=${encodeURIComponent(chat)}&EIO=4&transport=`);
      expect(titles.slice(0, 3)).to.deep.equal(["Request with ?ns=", "Connection open", "CONNECT, default namespace"]);
      inOrder(titles, "CONNECT, the namespace", "Let in, the namespace", "The chat’s first event");
      inOrder(titles, "Let in, default namespace", "Created", "Let in, the namespace");

      const times = await ada.page.locator("#handshake .step:not(.in-server) .time").allInnerTexts();
      const ms = times.map((time) => Number(time.replace(/^([\d.]+) ms$/, "$1")));
      expect(ms).to.deep.equal([...ms].sort((a, b) => a - b));
    });
  }

  it("treats names and messages as text, whatever is in them", async () => {
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
    expect(await mallory.page.locator("#handshake").innerText()).to.include(name); // it is in the CONNECT packet
  });

  it("lists the namespaces that live, with their peers, and no longer than they live", async () => {
    const visitor = await person();
    const ada = await person();
    const ben = await person();
    const row = visitor.page.getByRole("listitem").filter({ has: visitor.page.getByRole("link", { name: chat }) });

    await visitor.page.goto("/");
    await sees(visitor, "None now.");
    await join(ada, chat, "Ada");
    await row.getByText("1 peer", { exact: true }).waitFor();
    await sees(visitor, "1 live now");
    await join(ben, chat, "Ben");
    await row.getByText("2 peers", { exact: true }).waitFor();

    await ada.page.close();
    await row.getByText("1 peer", { exact: true }).waitFor();
    await row.getByRole("link").focus();
    await ben.page.close();
    await row.getByText("empty, will be retired").waitFor();
    await row.waitFor({ state: "detached" });
    await sees(visitor, "None now.");
  });

  it("lists what lived before the landing page was opened, and leads there", async () => {
    const ada = await person();
    const visitor = await person();

    await join(ada, chat, "Ada");
    await sees(ada, "You created this namespace.");
    await visitor.page.goto("/");
    await visitor.page.getByRole("link", { name: chat }).click();
    await visitor.page.waitForURL(`**${chat}`);
  });

  it("leads from the landing page to a chat by the keyboard alone", async () => {
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
    await page.getByText("You are here, as Ada.").waitFor();
    await page.getByRole("heading", { name: "Category 7, item 42" }).waitFor();
  });

  it("asks whoever comes by a shared address for a name, and remembers it", async () => {
    const { page } = await person();
    const name = page.getByLabel("Your name");

    await page.goto(chat);
    await name.waitFor();
    expect(await page.getByRole("log").isVisible()).to.equal(false);
    await page.keyboard.type("Ada"); // the field has the focus
    await page.keyboard.press("Enter");
    await page.getByText("You are here, as Ada.").waitFor();

    await page.reload();
    await page.getByText("You are here, as Ada.").waitFor();

    const secondTab = await page.context().newPage(); // of the same person, or of another in the same browser
    await secondTab.goto(chat);
    await secondTab.getByLabel("Your name").waitFor();
    expect(await secondTab.getByLabel("Your name").inputValue()).to.equal("Ada");
  });

  it("works where the browser allows no storage", async () => {
    const { page } = await person();
    await page.addInitScript(`for (const name of ["localStorage", "sessionStorage"])
      Object.defineProperty(window, name, { get() { throw new DOMException("forbidden", "SecurityError"); } })`);

    await join({ page, complaints: [] }, chat, "Ada");
    await page.getByText("You are here, as Ada.").waitFor();
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
    await sees(visitor, "this list waits for it");
    demo = await startDemo({ port: demo.port });
    await state(ada, "connected");
    await sees(ada, "You are back. What was said in between is lost.");
    await sees(ada, "You created this namespace."); // the new server knew nothing of it
    await visitor.page.getByRole("link", { name: chat }).waitFor();

    const rounds = await ada.page.locator("#handshake summary").allInnerTexts();
    expect(rounds[0]).to.match(/^Connection [23], after the loss of the one before\s+created, \d+ ms$/);
    expect(rounds.at(-1)).to.match(/^Connection 1\s+created, \d+ ms$/);
    expect(await steps(ada)).to.include("Created"); // those of the new round, which alone is unfolded
    await say(ada, "Still here");
    await heard(ada, "Ada", "Still here");

    for (const { complaints } of people) forgive(complaints, /net::ERR_/);
  });

  it("brings what was missed after a short loss of the connection", async () => {
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
    await sees(ada, "You are back, and have missed nothing.");
    await heard(ada, "Ben", "Meanwhile");
    await sees(ada, "You joined this namespace."); // by now it is Ben's
    expect(await steps(ada)).to.include("Found");
  });

  it("shows why an address is refused, and where the handshake stopped", async () => {
    const ada = await person();

    await ada.page.goto("/");
    await ada.page.getByRole("link", { name: "Ask for a namespace that no route matches" }).click();
    await ada.page.getByLabel("Your name").fill("Ada");
    await ada.page.getByRole("button", { name: "Join" }).click();
    await sees(ada, "Refused: no route matches /nowhere");
    await state(ada, "refused");
    await ada.page.locator("#handshake .step.end").waitFor();

    const titles = await steps(ada);
    expect(titles).to.include("Refused, no such route");
    expect(titles.at(-1)).to.equal("Connection closed");
    expect(titles).to.not.include.members(["Created"]).and.not.include.members(["Let in, the namespace"]);
    expect(await ada.page.getByText("You created").isVisible()).to.equal(false);
    expect(await messageField(ada).isVisible()).to.equal(false);
  });

  it("shows the reason of a middleware that refuses, and can ask again", async () => {
    const ada = await person();
    let closed = true;
    demo.io.use((_socket, next) => next(closed ? new Error("closed for lunch") : undefined));

    await join(ada, chat, "Ada");
    await sees(ada, "Refused: closed for lunch");
    expect(await steps(ada)).to.include("Refused, default namespace");

    closed = false;
    await ada.page.getByRole("button", { name: "Connect again" }).click();
    await sees(ada, "You created this namespace.");
    await state(ada, "connected");
    await say(ada, "Thanks");
    await heard(ada, "Ada", "Thanks");
  });

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

  it("leaves those who read older messages where they are", async () => {
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
    it(`has nothing that axe objects to, in ${colorScheme}`, async () => {
      const ada = await person({ colorScheme });
      const visitor = await person({ colorScheme });
      const refused = await person({ colorScheme });

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
      await join(refused, `${chat}?ns=/nowhere`, "Eve");
      await sees(refused, "Refused:");
      await passesAxe(refused.page);
    });
  }

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
  });
});

/** Waits until the words can be read somewhere on the page. */
function sees({ page }: Person, words: string): Promise<void> {
  return page.getByText(words).first().waitFor();
}

function heard({ page }: Person, from: string, text: string): Promise<void> {
  const said = page.getByRole("log").locator(".said").filter({ hasText: from });
  return said.getByText(text, { exact: true }).first().waitFor();
}

function state({ page }: Person, state: string): Promise<void> {
  return page.locator(`[role=status][data-state=${state}]`).waitFor();
}

function messageField({ page }: Person) {
  return page.getByLabel("Message", { exact: true });
}

/** The titles of the steps in the round that is unfolded. */
function steps({ page }: Person): Promise<string[]> {
  return page.locator("#handshake details[open] .step strong").allInnerTexts();
}

function inOrder(titles: string[], ...some: string[]): void {
  expect(titles).to.include.members(some);
  expect(titles.filter((title) => some.includes(title))).to.deep.equal(some);
}

/** Everything that goes over the wire, as the browser itself reports it. */
function overhear(page: Page): string[] {
  const wire: string[] = [];
  page.on("request", (request) => {
    const { pathname, search } = new URL(request.url());
    wire.push(`${request.method()} ${pathname}${search}`, request.postData() ?? "");
  });
  page.on("response", async (response) => {
    if (response.url().includes("/socket.io/?")) wire.push(await response.text().catch(() => ""));
  });
  page.on("websocket", (socket) => {
    const { pathname, search } = new URL(socket.url());
    wire.push(`GET ${pathname}${search}`);
    socket.on("framesent", ({ payload }) => wire.push(String(payload)));
    socket.on("framereceived", ({ payload }) => wire.push(String(payload)));
  });
  return wire;
}

/** Takes back complaints that are part of what a test does. */
function forgive(complaints: string[], expected: RegExp): void {
  complaints.splice(0, complaints.length, ...complaints.filter((complaint) => !expected.test(complaint)));
}

async function passesAxe(page: Page): Promise<void> {
  await page.evaluate(axe);
  const { violations, passes } = await page.evaluate<AxeResults>("axe.run()");
  expect(passes).to.not.be.empty;
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(", ")}`)).to.deep.equal([]);
}

// The page of a chat, in a real browser: who is here, what they say, and what happens to the connection.

import { expect } from "chai";
import {
  describeInBrowser,
  heard,
  join,
  messageField,
  say,
  sees,
  steps,
  WITHIN,
  type Person,
} from "../support/browser";
import { open, until } from "../support/harness";

const chat = "/category/1/item/2/chat";

describeInBrowser("the page of a chat", (stage) => {
  /** Somebody else in the chat, who needs no browser. */
  const peer = (name: string) => open(stage.demo.url, chat, { auth: { name }, transports: ["websocket"] });

  it("lets two people meet and talk, tells who is here, and whose message is one's own", async () => {
    const [ada, ben] = [await stage.person(), await stage.person()];

    await join(ada, chat, "Ada");
    await sees(ada, "1 person here");
    await sees(ada, "You are alone here.");
    await join(ben, chat, "Ben");
    await sees(ada, "Ben joined.");
    await sees(ada, "2 people here");
    expect(await ada.page.locator("#people").innerText()).to.equal("Ada (you), Ben");
    expect(await ben.page.locator("#people").innerText()).to.equal("Ben (you), Ada");
    expect(await ada.page.getByText("You are alone here.").isVisible()).to.equal(false);

    await say(ada, "Hello Ben");
    await heard(ben, "Ada", "Hello Ben");
    await say(ben, "Hello Ada");
    await heard(ada, "Ben", "Hello Ada");
    await fieldIsEmpty(ben);
    expect(await ada.page.locator(".message.own").allInnerTexts()).to.have.length(1);
    expect(await ada.page.locator(".message.own").innerText()).to.match(/^Ada \(you\).*Hello Ben$/s);

    await ben.page.close();
    await sees(ada, "Ben left.");
    await sees(ada, "1 person here");
    await sees(ada, "You are alone here.");
  });

  it("tells one's own messages from those of somebody with the same name", async () => {
    const ada = await stage.person();
    await join(ada, chat, "Ada");
    await sees(ada, "1 person here");
    const other = peer("Ada");
    await sees(ada, "2 people here");
    expect(await ada.page.locator("#people").innerText()).to.equal("Ada (you), Ada");
    other.emit("message", "Not you");
    await heard(ada, "Ada", "Not you");
    expect(await ada.page.locator(".message.own").count()).to.equal(0);
  });

  it("names some of many, and says how many more there are", async () => {
    const ada = await stage.person();
    await join(ada, chat, "Ada");
    await sees(ada, "1 person here");
    const names = ["Ada", ...Array.from({ length: 29 }, (_, i) => `peer ${i}`)];
    stage.demo.io.of(chat).emit("joined", { name: "peer 1233", peers: 1234, names });
    await sees(ada, "1,234 people here");
    expect(await ada.page.locator("#people").innerText()).to.match(/^Ada \(you\), peer 0, .*, peer 10 and 1,222 more$/);
  });

  it("shows names and messages as text, whatever is in them", async () => {
    const mallory = await stage.person();
    const markup = "<img src=x onerror=console.error(1)><b>bold</b>";
    const name = "<u>Mallory</u>";

    await join(mallory, chat, name);
    await sees(mallory, "1 person here");
    const twin = peer(name);
    await sees(mallory, `${name} joined.`);
    await say(mallory, markup);
    await heard(mallory, name, markup);
    twin.emit("message", `${markup} again`);
    await heard(mallory, name, `${markup} again`);
    expect(await mallory.page.locator("main :is(img, b, u)").count()).to.equal(0);
    expect(await mallory.page.locator("#handshakes").innerText()).to.include(name); // it is in the CONNECT packet
  });

  it("asks for a name where somebody opens a shared address, takes none that would be cut, and remembers it", async () => {
    const { page } = await stage.person();
    const name = page.getByLabel("Your name");
    const problem = () =>
      name.evaluate((field) => (field as unknown as { validationMessage: string }).validationMessage);

    await page.goto(chat);
    await name.waitFor();
    expect(await page.getByRole("log").isVisible()).to.equal(false);
    await page.keyboard.press("Enter");
    expect(await problem()).to.equal("Please give a name.");
    await name.fill("🦜".repeat(45));
    await page.keyboard.press("Enter");
    expect(await problem()).to.equal("A name has at most 40 characters. This one has 45.");
    await name.fill("");
    await page.keyboard.type("Ada"); // the field has the focus
    await page.keyboard.press("Enter");
    await page.getByText("You are here as Ada.").waitFor();
    await page.keyboard.type("Hello"); // now the message field has it
    await page.keyboard.press("Enter");
    await page.getByRole("log").getByText("Hello", { exact: true }).waitFor();

    await page.reload();
    await page.getByText("You are here as Ada.").waitFor();

    const opened = page.context().waitForEvent("page"); // of the same person, or of another in the same browser
    await page.getByRole("link", { name: "Open a second tab" }).click();
    const secondTab = await opened;
    await secondTab.getByLabel("Your name").waitFor();
    expect(new URL(secondTab.url()).pathname).to.equal(chat);
    expect(await secondTab.getByLabel("Your name").inputValue()).to.equal("Ada");
  });

  it("works where the browser allows no storage", async () => {
    const ada = await stage.person();
    await ada.page.addInitScript(`for (const name of ["localStorage", "sessionStorage"])
      Object.defineProperty(window, name, { get() { throw new DOMException("forbidden", "SecurityError"); } })`);

    await join(ada, chat, "Ada");
    await sees(ada, "You are here as Ada.");
  });

  it("copies its address, and says so where the browser does not allow it", async () => {
    const ada = await stage.person({ permissions: ["clipboard-read", "clipboard-write"] });
    await join(ada, chat, "Ada");
    await ada.page.getByRole("button", { name: "Copy address" }).click();
    await sees(ada, "Copied");
    expect(await ada.page.evaluate("navigator.clipboard.readText()")).to.equal(stage.demo.url + chat);

    await ada.page.evaluate("navigator.clipboard.writeText = () => Promise.reject(new Error())");
    await ada.page.getByRole("button", { name: "Copy address" }).click();
    await sees(ada, "copy it from the address bar");
  });

  it("has a button to leave, which leads back to the list", async () => {
    const ada = await stage.person();
    await join(ada, chat, "Ada");
    await sees(ada, "1 person here");
    const ben = peer("Ben");
    const left: unknown[] = [];
    ben.on("left", ({ name }) => left.push(name));
    await sees(ada, "2 people here");
    await ada.page.getByRole("link", { name: "Leave" }).click();
    await ada.page.getByRole("heading", { name: "On this server" }).waitFor();
    await until(() => left.includes("Ada"));
  });

  it("shows a restart of the server, and sends nothing until it is back", async () => {
    const ada = await stage.person();
    const state = (state: string) => ada.page.locator(`[role=status][data-state=${state}]`).waitFor();
    const send = ada.page.getByRole("button", { name: "Send" });

    await join(ada, chat, "Ada");
    await sees(ada, "You created this namespace");
    await stage.stop();
    await state("reconnecting");
    await sees(ada, "The connection is lost");
    await say(ada, "Are you there?");
    await sees(ada, "Sending waits for the connection.");
    expect(await send.isDisabled()).to.equal(true);

    await stage.startAgain();
    await state("connected");
    await sees(ada, "You are back. Messages sent while you were away are lost.");
    await sees(ada, "You created this namespace"); // the new server knew nothing of it
    expect(await ada.page.locator(".message").count()).to.equal(0); // nobody pretends that it was sent
    expect(await messageField(ada).inputValue()).to.equal("Are you there?");
    await messageField(ada).press("Enter");
    await heard(ada, "Ada", "Are you there?");

    const handshakes = await ada.page.locator("#handshakes summary").allInnerTexts();
    expect(handshakes[0]).to.match(/^Connection [23] \(reconnection\)\s+created, \d+ ms$/);
    expect(handshakes.at(-1)).to.match(/^Connection 1\s+created, \d+ ms$/);
    expect(await steps(ada)).to.include("Created"); // only the new handshake is open
  });

  it("shows the messages that were missed, after a short loss of the connection", async () => {
    const ada = await stage.person();
    await stage.stop();
    await stage.startAgain({ comeBackWithin: WITHIN });

    await join(ada, chat, "Ada");
    await sees(ada, "You created this namespace");
    const ben = peer("Ben");
    await sees(ada, "2 people here");
    ben.emit("message", "Before"); // recovery begins with the first event
    await heard(ada, "Ben", "Before");

    ben.on("left", () => ben.emit("message", "Meanwhile"));
    for (const socket of stage.demo.io.of(chat).sockets.values()) {
      if (socket.handshake.auth["name"] === "Ada") socket.conn.close();
    }
    await sees(ada, "You are back. You missed nothing.");
    await heard(ada, "Ben", "Meanwhile");
    await sees(ada, "You found this namespace"); // by now it is Ben's
    expect(await steps(ada)).to.include("Found");
    await sees(ada, "With pid and offset it also asks for the messages that it missed.");
  });

  it("says when a message comes near 2,000 characters, and keeps one that is refused", async () => {
    const ada = await stage.person();
    const hint = ada.page.locator("#hint");
    const long = "x".repeat(2001);

    await join(ada, chat, "Ada");
    await sees(ada, "You created this namespace");
    await messageField(ada).fill("x".repeat(1799));
    expect(await hint.innerText()).to.equal("");
    await messageField(ada).fill("🦜".repeat(1999));
    expect(await hint.innerText()).to.equal("1 character left");
    await say(ada, long);
    await ada.page.getByRole("alert").getByText("Not sent: the message is longer than 2000 characters.").waitFor();
    expect(await hint.innerText()).to.equal("1 character too many");
    expect(await messageField(ada).inputValue()).to.equal(long);

    await say(ada, "shorter");
    await heard(ada, "Ada", "shorter");
    await fieldIsEmpty(ada);
    expect(await ada.page.getByRole("alert").innerText()).to.equal("");
  });

  it("puts the focus into the field for the next message, and leaves it alone once somebody went elsewhere", async () => {
    const ada = await stage.person();
    const focused = () => ada.page.evaluate<string>("document.activeElement.id");
    let answer: (() => void) | undefined;

    await join(ada, chat, "Ada");
    await sees(ada, "You created this namespace");
    for (const socket of stage.demo.io.of(chat).sockets.values()) socket.use((_event, next) => void (answer = next));
    await messageField(ada).fill("Hello");
    await ada.page.getByRole("button", { name: "Send" }).click();
    await until(() => answer !== undefined);
    expect(await focused()).to.equal("message");
    await ada.page.locator("#leave").focus();
    answer!();
    await fieldIsEmpty(ada);
    expect(await focused()).to.equal("leave");
  });

  it("does not scroll away from older messages while somebody reads them, but counts the new ones", async () => {
    const ada = await stage.person();
    const log = ada.page.getByRole("log");
    const scrollTop = () => log.evaluate((element) => (element as unknown as { scrollTop: number }).scrollTop);
    const atTheTop = async () =>
      ada.page.waitForFunction(
        (element) => (element as { scrollTop?: number } | null)?.scrollTop === 0,
        await log.elementHandle(),
      );

    await join(ada, chat, "Ada");
    await sees(ada, "You created this namespace");
    const everybody = stage.demo.io.of(chat);
    const message = (text: string) =>
      everybody.emit("message", { from: "Ben", sender: "x", text, at: new Date().toISOString() });
    for (let i = 1; i <= 40; i++) message(`line ${i}`);
    await heard(ada, "Ben", "line 40");
    expect(await scrollTop()).to.be.greaterThan(0);

    await log.focus();
    await ada.page.keyboard.press("Home");
    await atTheTop();
    message("one more");
    message("and another");
    await ada.page.getByRole("button", { name: "2 new messages" }).waitFor();
    expect(await scrollTop()).to.equal(0);
    await ada.page.getByRole("button", { name: "2 new messages" }).click();
    await ada.page.getByRole("button", { name: "2 new messages" }).waitFor({ state: "hidden" });
    expect(await scrollTop()).to.be.greaterThan(0);

    await log.focus();
    await ada.page.keyboard.press("Home");
    await atTheTop();
    await say(ada, "my own");
    await heard(ada, "Ada", "my own");
    expect(await scrollTop()).to.be.greaterThan(0);
  });
});

/** Waits until the last message has been answered. */
async function fieldIsEmpty(person: Person): Promise<void> {
  const field = await messageField(person).elementHandle();
  await person.page.waitForFunction((input) => (input as { value?: string } | null)?.value === "", field);
}

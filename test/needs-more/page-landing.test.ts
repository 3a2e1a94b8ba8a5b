// The landing page, in a real browser: the list of namespaces, and the way into a chat.

import { expect } from "chai";
import { describeInBrowser, forgive, sees, WITHIN, type Person } from "../support/browser";
import { join, until } from "../support/harness";

const chat = "/category/1/item/2/chat";

describeInBrowser("the landing page", (stage) => {
  const rows = ({ page }: Person) => page.locator("#namespaces li").allInnerTexts();

  it("lists the namespaces with their number of peers, and removes them when they are retired", async () => {
    const visitor = await stage.person();
    const row = visitor.page.getByRole("listitem").filter({ has: visitor.page.getByRole("link", { name: chat }) });

    await visitor.page.goto("/");
    await sees(visitor, "None now. Join a chat to create one.");
    const ada = await join(stage.demo.url, chat);
    await row.getByText("1 peer", { exact: true }).waitFor();
    await sees(visitor, "1 namespace now");
    const ben = await join(stage.demo.url, chat);
    await row.getByText("2 peers", { exact: true }).waitFor();

    ada.disconnect();
    await row.getByText("1 peer", { exact: true }).waitFor();
    await row.getByRole("link").focus();
    ben.disconnect();
    await row.waitFor({ state: "detached" });
    await sees(visitor, "None now.");
  });

  it("counts down how long an empty namespace stays", async () => {
    await stage.stop();
    await stage.startAgain({ comeBackWithin: 60_000 });
    const visitor = await stage.person();
    await visitor.page.clock.install(); // the page's clock, which the test can put forward
    await visitor.page.goto("/");
    await sees(visitor, "None now."); // from here on there is one change, and so one list
    stage.demo.io.of(chat);
    const left = async () => Number((await visitor.page.getByText(/^empty, \d+ s left$/).innerText()).match(/\d+/)![0]);
    const before = await left();
    expect(before).to.be.within(30, 60);
    await visitor.page.clock.runFor(10_000);
    expect(await left()).to.be.within(1, before - 9);
  });

  it("sorts the list, and keeps the focus where others come and go", async () => {
    const visitor = await stage.person();
    const names = [10, 2, 1].map((item) => `/category/3/item/${item}/chat`);
    await stage.stop();
    await stage.startAgain({ comeBackWithin: 10 * WITHIN });
    await visitor.page.goto("/");
    for (const [i, name] of names.entries()) {
      stage.demo.io.of(name);
      await sees(visitor, `${i + 1} namespace`);
      if (i === 0) await visitor.page.getByRole("link", { name }).focus();
    }
    expect((await rows(visitor)).map((row) => row.split(/\s/)[0])).to.deep.equal([...names].reverse());
    expect(await visitor.page.evaluate("document.activeElement.textContent")).to.equal(names[0]);
  });

  it("shows 30 namespaces at a glance, and of 1,000 the first hundred", async () => {
    const visitor = await stage.person({ viewport: { width: 1280, height: 800 } });
    await stage.stop();
    await stage.startAgain({ comeBackWithin: 10 * WITHIN });
    for (let i = 1; i <= 30; i++) stage.demo.io.of(`/category/1/item/${i}/chat`);
    await visitor.page.goto("/");
    await sees(visitor, "30 namespaces now");
    const list = await visitor.page.locator("#namespaces").boundingBox();
    expect(list!.height).to.be.below(800); // one window

    for (let i = 31; i <= 1000; i++) stage.demo.io.of(`/category/1/item/${i}/chat`);
    await sees(visitor, "1,000 namespaces now");
    await sees(visitor, "and 900 more");
    expect(await rows(visitor)).to.have.length(100);
  });

  it("is grey and cannot be clicked while the server does not answer", async () => {
    const visitor = await stage.person();
    const link = visitor.page.getByRole("link", { name: chat });
    await join(stage.demo.url, chat); // it comes back, too
    await visitor.page.goto("/");
    await link.waitFor();

    await stage.stop();
    await sees(visitor, /The connection to the server is lost|The server does not answer/);
    expect(await visitor.page.locator("#namespaces").evaluate((list) => (list as unknown as { inert: boolean }).inert))
      .to.be.true; // so a screen reader does not offer it either
    await visitor.page.getByText(chat, { exact: true }).click({ force: true });
    expect(new URL(visitor.page.url()).pathname).to.equal("/");

    await stage.startAgain();
    await link.click();
    await visitor.page.waitForURL(`**${chat}`);
  });

  it("leads to a chat with the keyboard alone, and from there the message field has the focus", async () => {
    const { page } = await stage.person();

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
    await page.keyboard.type("Hello");
    await page.keyboard.press("Enter");
    await page.getByRole("log").getByText("Hello", { exact: true }).waitFor();
  });

  it("takes only numbers and names that the server takes too", async () => {
    const { page } = await stage.person();
    await page.goto("/");
    for (const [label, value] of [
      ["Category", "a"],
      ["Item", "1234567890"],
      ["Your name", "x".repeat(41)],
    ] as const) {
      const field = page.getByLabel(label);
      const before = await field.inputValue();
      await field.fill(value);
      await page.getByRole("button", { name: "Join" }).click();
      expect(await field.evaluate((input) => (input as unknown as { validity: { valid: boolean } }).validity.valid))
        .to //
      .be.false;
      await field.fill(before);
    }
    expect(new URL(page.url()).pathname).to.equal("/");
  });

  it("is reached from every address that is not there, and so is a chat", async () => {
    const ada = await stage.person();
    for (const path of ["/x", "/category/1/item/2", `${chat}/`, "/category/a,b/item/2/chat", "/js/page/none.js"]) {
      const response = await fetch(stage.demo.url + path);
      expect(response.status, path).to.equal(404);
      expect(await response.text()).to.include(`<a href="${chat}">`);
    }
    await ada.page.goto("/x");
    await ada.page.getByRole("link", { name: "All namespaces" }).click();
    await ada.page.getByRole("heading", { name: "On this server" }).waitFor();
    await ada.page.goBack();
    await ada.page.getByRole("link", { name: chat }).click();
    await ada.page.getByLabel("Your name").waitFor();
    await until(() => ada.problems.length > 0);
    forgive(ada, /status of 404/);
  });
});

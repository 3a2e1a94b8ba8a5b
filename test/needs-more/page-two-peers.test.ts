// Two peers in one window, in a real browser: the first creates the namespace, the second finds it.

import { expect } from "chai";
import { describeInBrowser, sees, type Person } from "../support/browser";
import { onTheWayIn, until } from "../support/harness";

describeInBrowser("two peers in one window", (stage) => {
  const frame = ({ page }: Person, name: string) => page.frameLocator(`iframe[name=${name}]`);
  const button = ({ page }: Person, name: string) => page.getByRole("button", { name });
  const inFrame = (person: Person, name: string, text: string | RegExp) =>
    frame(person, name).getByText(text).first().waitFor();

  /** From the landing page, with one click. */
  async function open(person: Person): Promise<string> {
    await person.page.goto("/");
    await person.page.getByRole("link", { name: "See two peers side by side" }).click();
    await inFrame(person, "Ada", /^Ada created this namespace in \d+ ms$/);
    await inFrame(person, "Ben", /^Ben found this namespace in \d+ ms$/);
    return person.page.locator("#ns").innerText();
  }

  it("are one click away: the first creates the namespace, the second finds it, and they can talk", async () => {
    const visitor = await stage.person();
    const ns = await open(visitor);
    await sees(visitor, "2 peers");

    const peers = [...stage.demo.io.of(ns).sockets.values()];
    expect(peers.map(({ handshake }) => handshake.auth["name"])).to.deep.equal(["Ada", "Ben"]);
    expect(new Set(peers.map(({ conn }) => conn)).size).to.equal(2); // a connection each
    await inFrame(visitor, "Ben", "Ada had created it, so the server created nothing.");
    for (const [name, line, note] of [
      ["Ada", "io.of(ns);", "creates the namespace"],
      ["Ben", "namespacesCreated.has(ns)", "false: it is there"],
    ] as const) {
      const marked = await frame(visitor, name).locator("#result .marked").innerText();
      expect(marked).to.include(line).and.include(note);
      const steps = await frame(visitor, name).locator(".step strong").allInnerTexts();
      expect(steps.filter((title) => title === "CONNECT")).to.have.length(1);
    }

    await frame(visitor, "Ada").getByLabel("Message", { exact: true }).fill("Hello");
    await frame(visitor, "Ada").getByRole("button", { name: "Send" }).click();
    await frame(visitor, "Ben").getByRole("log").getByText("Hello", { exact: true }).waitFor();
  });

  it("come one after the other: the second waits until the namespace is there", async () => {
    const visitor = await stage.person();
    let letIn = () => {};
    stage.demo.io.use((_socket, next) => void (letIn = next));
    await visitor.page.goto("/two-peers");
    await visitor.page.locator("#life[data-state=none]").waitFor(); // the lobby has told
    await inFrame(visitor, "Ada", "The browser asks for the namespace");
    expect(await visitor.page.locator("iframe").count()).to.equal(1);
    await until(() => onTheWayIn(stage.demo.io) === 1);
    letIn();
    await inFrame(visitor, "Ada", /^Ada created/);
    await visitor.page.locator("iframe[name=Ben]").waitFor();
  });

  it("show the end of the namespace when one and then the other is closed, and how it is created again", async () => {
    await stage.stop();
    await stage.startAgain({ comeBackWithin: 4000 });
    const visitor = await stage.person();
    const ns = await open(visitor);

    await button(visitor, "Close Ada").click();
    await sees(visitor, "1 peer");
    await inFrame(visitor, "Ben", "Ada left.");
    await button(visitor, "Open Ada again").click();
    await inFrame(visitor, "Ada", /^Ada found this namespace/); // Ben is still there

    await button(visitor, "Close Ben").click();
    await sees(visitor, "Ben has left");
    await button(visitor, "Close Ada").click();
    await sees(visitor, "empty");
    await sees(visitor, /^The server removes it in [1-4] s\.$/);
    await sees(visitor, "gone: the next peer creates it again");
    expect(stage.demo.io._nsps.has(ns)).to.equal(false);

    await button(visitor, "Open Ben again").click();
    await inFrame(visitor, "Ben", /^Ben created this namespace/);
  });

  it("need no mouse", async () => {
    const visitor = await stage.person();
    const { page } = visitor;
    const focused = () => page.evaluate<string>("document.activeElement.textContent || document.activeElement.name");
    await page.goto("/");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await inFrame(visitor, "Ben", /^Ben found/);
    expect(await focused()).to.not.be.oneOf(["Ada", "Ben"]); // no frame takes the focus
    for (let i = 0; (await focused()) !== "Close Ada" && i < 10; i++) await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await sees(visitor, "Ada has left");
    expect(await focused()).to.equal("Open Ada again");
  });

  it("come back by themselves when the server was away, and the page says so meanwhile", async () => {
    const visitor = await stage.person();
    await open(visitor);
    await stage.stop();
    await sees(visitor, /The connection to the server is lost|The server does not answer/);
    await inFrame(visitor, "Ada", "The connection is lost");
    await stage.startAgain();
    await inFrame(visitor, "Ada", /^Ada (created|found) this namespace/);
    await inFrame(visitor, "Ben", /^Ben (created|found) this namespace/);
    await sees(visitor, "2 peers");
  });

  it("are both at first sight in a window of 1280 x 800 and of 1100 x 800 pixels, and one below the other on a phone", async () => {
    const visitor = await stage.person({ viewport: { width: 1280, height: 800 } });
    await open(visitor);
    for (const width of [1280, 1100]) {
      await visitor.page.setViewportSize({ width, height: 800 });
      for (const name of ["Ada", "Ben"]) {
        for (const part of ["#result-title", "#result .marked", "#message"]) {
          const box = await frame(visitor, name).locator(part).boundingBox();
          const place = await visitor.page.locator(`iframe[name=${name}]`).boundingBox();
          expect(box!.y, `${name} ${part}`).to.be.at.least(place!.y);
          expect(box!.y + box!.height, `${name} ${part}`).to.be.at.most(Math.min(800, place!.y + place!.height));
        }
      }
    }

    await visitor.page.setViewportSize({ width: 360, height: 740 });
    const [ada, ben] = await Promise.all(["#first", "#second"].map((id) => visitor.page.locator(id).boundingBox()));
    expect(ben!.y).to.be.at.least(ada!.y + ada!.height);
  });

  it("take the item of the address, where it is a number", async () => {
    const visitor = await stage.person();
    for (const [query, ns] of [
      ["?item=77", /^\/category\/1\/item\/77\/chat$/],
      ["?item=x", /^\/category\/1\/item\/\d{1,6}\/chat$/],
    ] as const) {
      await visitor.page.goto(`/two-peers${query}`);
      await inFrame(visitor, "Ben", /^Ben found/);
      expect(await visitor.page.locator("#ns").innerText()).to.match(ns);
    }
  });
});

// Two peers in one window, in a real browser: the first creates the namespace, the second finds it.

import { expect } from "chai";
import { describeInBrowser, heard, say, sees, type Person } from "../support/browser";
import { onTheWayIn, until } from "../support/harness";

/** How much wider and higher a frame's page is than the frame, and what is below its button. */
const MEASURE = `(({ clientWidth, clientHeight, scrollWidth, scrollHeight }) => ({
  more: [scrollWidth - clientWidth, scrollHeight - clientHeight],
  send: clientHeight - document.querySelector("#send").getBoundingClientRect().bottom,
}))(document.documentElement)`;

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

  for (const width of [1280, 1100]) {
    it(`are both at first sight in a window of ${width} x 800 pixels, equally high, with their first packets`, async () => {
      const visitor = await stage.person({ viewport: { width, height: 800 } });
      const boxes = (part: string) =>
        Promise.all(["Ada", "Ben"].map(async (name) => (await frame(visitor, name).locator(part).boundingBox())!));
      const inSight = async () => {
        for (const part of ["#result-title", "#result .marked", "#message", "#send", ".step >> nth=0"]) {
          const [ada, ben] = await boxes(part);
          expect(ada!.y, part).to.be.within(0, 780 - ada!.height);
          expect(ben!.y, part).to.be.within(0, 780 - ben!.height);
          if (part !== "#result .marked") expect([ben!.y, ben!.height], part).to.deep.equal([ada!.y, ada!.height]);
        }
      };
      await open(visitor);
      await frame(visitor, "Ada").locator("#result .marked").waitFor();
      await inSight();
      await say({ page: frame(visitor, "Ada") }, "Hello");
      await heard({ page: frame(visitor, "Ben") }, "Ada", "Hello");
      await say({ page: frame(visitor, "Ben") }, "Hello Ada");
      await heard({ page: frame(visitor, "Ada") }, "Ben", "Hello Ada");
      for (const part of ["#send", ".sides"]) {
        const [ada, ben] = await boxes(part);
        expect(ben!.y, part).to.equal(ada!.y);
        expect(ada!.y, part).to.be.below(780);
      }
    });
  }

  for (const width of [360, 390]) {
    it(`stand one below the other on a phone of ${width} pixels, where only the page scrolls, and nothing is cut off`, async () => {
      const visitor = await stage.person({ viewport: { width, height: 740 } });
      const ns = await open(visitor);
      const [ada, ben] = await Promise.all(["#first", "#second"].map((id) => visitor.page.locator(id).boundingBox()));
      expect(ben!.y).to.be.at.least(ada!.y + ada!.height);
      const fits = async () => {
        for (const name of ["Ada", "Ben"]) {
          const { more, send } = await visitor.page.frame(name)!.evaluate<{ more: number[]; send: number }>(MEASURE);
          expect(more, `${name}, more than there is room for`).to.deep.equal([0, 0]);
          expect(send).to.be.at.least(0);
          expect(await frame(visitor, name).locator("#result .handler").isVisible()).to.equal(false);
        }
      };
      await fits();
      for (const name of ["Ada", "Ben"]) await say({ page: frame(visitor, name) }, "x".repeat(100));
      await heard({ page: frame(visitor, "Ada") }, "Ben", "x".repeat(100));
      await fits();
      for (const peer of stage.demo.io.of(ns).sockets.values()) peer.use(() => {}); // their next messages get no answer
      for (const name of ["Ada", "Ben"]) await say({ page: frame(visitor, name) }, "Perhaps lost");
      await stage.stop();
      for (const name of ["Ada", "Ben"]) {
        await inFrame(visitor, name, "The connection is lost");
        await inFrame(visitor, name, "Perhaps not sent");
      }
      await fits();
    });
  }

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

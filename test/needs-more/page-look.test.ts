// How the pages look, in a real browser: on every screen, in light and dark, for everybody, and on a slow link.

import { source as axe, type AxeResults } from "axe-core";
import { expect } from "chai";
import type { Locator, Page } from "playwright-core";
import { describeInBrowser, forgive, heard, join, messageField, say, sees, WITHIN } from "../support/browser";
import { open } from "../support/harness";

const chat = "/category/1/item/2/chat";
const noChat = "/category/a/item/2/chat"; // no route matches it

describeInBrowser("the look of the pages", (stage) => {
  it("is light or dark as the system is, and has no accessibility problem that axe can find, on any page and in any state", async () => {
    const passes = async (page: Page) => {
      for (const frame of page.frames()) await frame.evaluate(axe);
      await passesAxe(page);
      expect(await brightness(page), page.url()).to.be.above(128);
      await page.emulateMedia({ colorScheme: "dark" });
      await passesAxe(page, ["color-contrast", "link-in-text-block"]); // the others do not depend on colours
      expect(await brightness(page), page.url()).to.be.below(128);
      await page.emulateMedia({ colorScheme: "light" });
    };
    const [ada, visitor] = [await stage.person(), await stage.person()];
    await stage.stop();
    await stage.startAgain({ comeBackWithin: 10 * WITHIN });

    await ada.page.goto(chat);
    await ada.page.getByLabel("Your name").waitFor();
    await passes(ada.page);
    await join(ada, chat, "Ada");
    await sees(ada, "You created this namespace");
    await ada.page.getByText("The call behind it").click();
    await say(ada, "x".repeat(2001));
    await sees(ada, "Not sent");
    await say(ada, "Hello");
    await heard(ada, "Ada", "Hello");
    await passes(ada.page);

    stage.demo.io.of("/category/1/item/3/chat"); // an empty one
    await visitor.page.goto("/");
    await sees(visitor, "2 namespaces");
    await passes(visitor.page);
    await visitor.page.goto("/two-peers?item=2");
    await visitor.page.frameLocator("iframe[name=Ben]").getByText("Ben found").waitFor();
    await passes(visitor.page); // also what is in the frames
    for (const name of ["Ada", "Ben"]) await visitor.page.getByRole("button", { name: `Close ${name}` }).click();
    await sees(visitor, "Ben has left");
    await passes(visitor.page);

    await visitor.page.goto("/");
    await sees(visitor, "2 namespaces");
    await stage.stop();
    await sees(ada, "The connection is lost");
    await passes(ada.page);
    await sees(visitor, /is lost|does not answer/);
    await passes(visitor.page);
    await stage.startAgain();
    await visitor.page.goto(noChat);
    await sees(visitor, "Refused:");
    await passes(visitor.page);
    await visitor.page.goto("/x");
    await passes(visitor.page);
    for (const person of [ada, visitor]) forgive(person, /status of 404/);
  });

  it("has what happened and the whole chat in windows of 1280 x 800 and 1100 x 800 pixels, without scrolling", async () => {
    const ada = await stage.person({ viewport: { width: 1280, height: 800 } });
    await join(ada, chat, "Ada");
    await sees(ada, "You created this namespace");
    for (let i = 1; i <= 12; i++) await say(ada, `message ${i}`).then(() => heard(ada, "Ada", `message ${i}`));
    await say(ada, "x".repeat(2001));
    await sees(ada, "Not sent:");

    for (const width of [1280, 1100]) {
      await ada.page.setViewportSize({ width, height: 800 });
      const [result, marked, chatBox, field, handshake] = await boxes(
        ada.page.locator("#result"),
        ada.page.locator("#result .marked"),
        ada.page.locator("#chat"),
        messageField(ada),
        ada.page.locator("#handshake"),
      );
      expect(await ada.page.evaluate("scrollY")).to.equal(0);
      expect(Math.min(result.top, chatBox.top)).to.be.at.least(0);
      expect(Math.max(result.bottom, marked.bottom, chatBox.bottom)).to.be.at.most(800);
      expect(field.bottom).to.be.below(chatBox.bottom);
      expect(result.left).to.be.at.least(chatBox.right); // beside the chat
      expect(handshake.top).to.be.within(result.bottom, 800); // begins in the window, below the result
    }

    await ada.page.evaluate("scrollTo(0, document.documentElement.scrollHeight)");
    expect(await ada.page.evaluate("scrollY")).to.be.greaterThan(200);
    const [chatBox] = await boxes(ada.page.locator("#chat"));
    expect(chatBox.top, "the chat stays in view while the handshake is read").to.be.at.least(0);
    expect(chatBox.bottom).to.be.at.most(800);
  });

  it("has what happened above the chat on a phone of 390 x 844 pixels, and the whole chat in view", async () => {
    const ada = await stage.person({ viewport: { width: 390, height: 844 } });
    await join(ada, chat, "Ada");
    await sees(ada, "You created this namespace");
    const [result, chatBox, handshake] = await boxes(
      ada.page.locator("#result"),
      ada.page.locator("#chat"),
      ada.page.locator("#handshake"),
    );
    expect(await ada.page.evaluate("scrollY")).to.equal(0);
    expect(result.bottom).to.be.below(chatBox.top);
    expect(chatBox.bottom).to.be.below(handshake.top);
    expect(chatBox.bottom).to.be.at.most(844);
  });

  it("fits a screen of 360 pixels, and a window of 1280 x 800 pixels at a zoom of 200 %", async () => {
    const ada = await stage.person();
    const name = "Ada".repeat(13);
    const fits = async () => {
      for (const [width, height] of [
        [360, 700],
        [640, 400], // so many CSS pixels are left
      ] as const) {
        await ada.page.setViewportSize({ width, height });
        expect(await ada.page.evaluate("document.documentElement.scrollWidth"), ada.page.url()).to.equal(width);
      }
    };

    open(stage.demo.url, "/category/123456789/item/123456789/chat"); // somebody who stays
    await join(ada, "/category/123456789/item/123456789/chat", name);
    await sees(ada, /^You (created|found) this namespace/);
    await say(ada, "x".repeat(200));
    await heard(ada, name, "x".repeat(200));
    await ada.page.getByText("The call behind it").click();
    await fits();
    await ada.page.goto("/");
    await ada.page.getByRole("link", { name: "/category/123456789" }).waitFor();
    await fits();
    await ada.page.goto("/two-peers?item=123456789");
    await ada.page.frameLocator("iframe[name=Ben]").getByText("Ben found").waitFor();
    await fits();
    await ada.page.goto(`/category/${"x".repeat(100)}/item/2/chat`);
    await sees(ada, "Refused:");
    await fits();
  });

  it("weighs at most 60 kB on every page, beside Socket.IO's client", async () => {
    for (const [path, text] of [
      ["/", "None now"],
      ["/two-peers", "2 peers"],
      [noChat, "Refused"],
    ] as const) {
      const newcomer = await stage.person(); // with an empty cache
      const weights = new Map<string, number>();
      newcomer.page.on("response", async (response) => {
        if (response.url().includes("/socket.io/") || weights.has(response.url())) return;
        weights.set(response.url(), (await response.body().catch(() => "")).length);
      });
      await newcomer.page.goto(path);
      await sees(newcomer, text);
      await newcomer.page.waitForLoadState("networkidle");
      const weight = [...weights.values()].reduce((sum, size) => sum + size, 0);
      expect(weight, path).to.be.within(10_000, 60_000);
    }
  });

  it("is usable on a link with a round trip of 400 ms", async () => {
    const ada = await stage.person();
    const network = await ada.page.context().newCDPSession(ada.page);
    await network.send("Network.enable");
    const slow = { offline: false, latency: 400, downloadThroughput: 200_000, uploadThroughput: 200_000 };
    await network.send("Network.emulateNetworkConditions", slow);
    await join(ada, chat, "Ada");
    await sees(ada, "You created this namespace");
    await ada.page.locator("#result .marked").waitFor();
    await say(ada, "Hello");
    await heard(ada, "Ada", "Hello");
  });
});

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

/** How bright the page's background is, from 0 to 255. */
async function brightness(page: Page): Promise<number> {
  const colour = await page.evaluate<string>("getComputedStyle(document.body).backgroundColor");
  const [red = 0, green = 0, blue = 0] = (colour.match(/\d+/g) ?? []).map(Number);
  return (red + green + blue) / 3;
}

/** @param rules - of axe, in place of all that it follows by itself */
async function passesAxe(page: Page, rules?: string[]): Promise<void> {
  const options = { resultTypes: ["violations"], ...(rules && { runOnly: rules }) };
  const { violations, passes } = await page.evaluate<AxeResults>(`axe.run(${JSON.stringify(options)})`);
  expect(passes).to.not.be.empty;
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(", ")}`)).to.deep.equal([]);
}

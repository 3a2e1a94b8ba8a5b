// The pages in Firefox, and in WebKit, which is the engine of Safari: everything happens, nothing is cut off, and nothing
// is on the console. The tests of the pages in `needs-more/` run in Chromium.

import { expect } from "chai";
import { startDemo, type Demo } from "../support/browser";
import { endPrograms, engines, type EngineBrowser } from "../support/engines";
import { pause, until } from "../support/harness";
import { needs } from "../support/installed";
import { installed } from "../support/scratch";

const CHAT = "/category/1/item/2/chat";
const NO_CHAT = "/category/a/item/2/chat"; // no route matches it
const SIZES = [
  [390, 844],
  [1100, 800],
  [1280, 800],
] as const;

/** All that a person sees: the page and what is in its frames. */
const DOCUMENTS = `[document, ...[...document.querySelectorAll("iframe")].map((frame) => frame.contentDocument)]`;

/**
 * What somebody cannot see or reach although it is on the page: it is wider than the window, or something covers it or
 * ends before it does. Each element is brought into view, and the points at its four sides have to be its own.
 */
const CUT_OFF = `(() => {
  const found = [];
  for (const page of ${DOCUMENTS}) {
    const root = page.documentElement;
    const where = page === document ? "" : page.defaultView.name + ": ";
    if (root.scrollWidth > root.clientWidth) found.push(where + "the page is " + root.scrollWidth + " wide");
    for (const element of page.querySelectorAll("h1, h2, p, a, button, input, summary, .state, .code, .line > *")) {
      const style = page.defaultView.getComputedStyle(element);
      const hidden = element.closest(".log, .visually-hidden") || style.clipPath !== "none" || !element.checkVisibility();
      if (hidden || element.getClientRects().length === 0) continue;
      element.scrollIntoView({ block: "center" });
      const { left, right, top, bottom, width, height } = element.getClientRects()[0]; // of a link, its first line
      if (width < 4 || height < 4) continue;
      const [x, y] = [(left + right) / 2, (top + bottom) / 2];
      for (const point of [[left + 2, y], [right - 2, y], [x, top + 2], [x, bottom - 2]]) {
        const there = page.elementFromPoint(...point);
        if (there && (element.contains(there) || there.contains(element))) continue;
        found.push(where + element.outerHTML.slice(0, 80) + " at " + point + " is " + there?.outerHTML.slice(0, 80));
        break;
      }
    }
    page.defaultView.scrollTo(0, 0);
  }
  return found;
})()`;

/** How much more than its own height is in each frame. */
const IN_FRAMES = `${DOCUMENTS}.slice(1).map(({ documentElement: { scrollHeight, clientHeight } }) => scrollHeight - clientHeight)`;

for (const [name, engine] of Object.entries(engines)) {
  describe(`the pages in ${name}`, function () {
    let browser: EngineBrowser | undefined;
    let demo: Demo;

    before(async function () {
      this.timeout(300_000); // a download, on a machine that is busy with other things
      needs(this, name as keyof typeof engines);
      browser = await engine.start(await installed(this, engine.driver));
    });
    after(async () => {
      await browser?.close();
      await endPrograms();
    });
    beforeEach(async () => {
      demo = await startDemo({ comeBackWithin: 3000 });
    });
    afterEach(() => demo.close());

    const goto = (path: string) => browser!.goto(demo.url + path);
    const text = () => browser!.evaluate<string>(`${DOCUMENTS}.map(({ body }) => body?.innerText).join("\\n")`);
    const click = (button: string) =>
      browser!.evaluate(`[...document.querySelectorAll("button")].find((b) => b.innerText === "${button}").click()`);

    /** Waits until a text is on the page or in one of its frames. */
    async function sees(words: string): Promise<void> {
      const deadline = Date.now() + 20_000;
      while (!(await text()).includes(words)) {
        if (Date.now() > deadline) expect(await text()).to.include(words);
        await pause(20);
      }
    }

    /** Whether everything is to be seen, in each size. */
    async function isWhole(state: string): Promise<void> {
      for (const [wished, height] of SIZES) {
        const width = Math.max(wished, engine.narrowest);
        await browser!.resize(width, height);
        expect(await browser!.evaluate("innerWidth")).to.equal(width);
        expect(await browser!.evaluate(CUT_OFF), `${state}, ${width} pixels wide`).to.deep.equal([]);
      }
    }

    it("a person comes, creates a namespace, finds it again and is refused elsewhere, and nothing is cut off", async () => {
      await goto("/");
      await sees("None now");
      await isWhole("an empty server");
      await goto(CHAT);
      await sees("Before you join");
      await isWhole("before somebody has joined");
      await browser!.type("Ada\n"); // the field has the focus
      await sees("You created this namespace");
      await sees("creates the namespace");
      await browser!.type("Hello\n"); // now the message field has it
      await sees("Hello");
      await isWhole("created");
      await goto(CHAT); // within the time in which the namespace stays
      await sees("You found this namespace");
      await sees("false: it is there");
      await isWhole("found");
      await goto("/");
      await sees("1 namespace now");
      await isWhole("a server with a namespace");
      await goto(NO_CHAT);
      await sees(`Refused: no route matches ${NO_CHAT}`);
      await sees("refuses the peer");
      await isWhole("refused");
      await goto("/nowhere");
      await sees("Page not found");
      await isWhole("not found");
    });

    it("two peers come, talk and go, the namespace with them, and nothing is cut off", async () => {
      await browser!.resize(1280, 800);
      await goto("/two-peers?item=2");
      await sees("Ada created this namespace");
      await sees("Ben found this namespace");
      await sees("2 peers");
      await isWhole("two peers");
      for (const { handshake, nsp } of demo.io.of(CHAT).sockets.values()) {
        const from: unknown = handshake.auth["name"];
        nsp.emit("message", { from, sender: "x", text: `I am ${from}`, at: new Date().toISOString() });
      }
      await sees("I am Ben");
      await isWhole("two peers that have talked");
      await browser!.resize(390, 844);
      expect(await browser!.evaluate(IN_FRAMES), "what scrolls in the frames of a phone").to.deep.equal([0, 0]);

      await click("Close Ben");
      await sees("Ben has left");
      await sees("1 peer");
      await click("Close Ada");
      await sees("The server removes it in");
      await isWhole("nobody is there");
      await sees("gone: the next peer creates it again");
      await isWhole("gone");
      await click("Open Ben again");
      await sees("Ben created this namespace");
    });

    it("a person who has lost the server sees it, and comes back", async () => {
      await goto("/two-peers");
      await sees("Ben found this namespace");
      await demo.close();
      await sees("The connection is lost");
      await isWhole("lost");
      demo = await startDemo({ port: demo.port });
      await sees("2 peers");
    });

    it("nothing is on the console, whatever happens", async () => {
      const control = `data:text/html,<script>console.error("this is heard")</script>`;
      const heard = await browser!.problemsOf(control, (problems) => until(() => problems.length > 0));
      expect(heard.join()).to.include("this is heard");

      const peersIn = (name: string) => demo.io._nsps.get(name)?.sockets.size ?? 0;
      let connections = 0;
      demo.io.engine.on("connection", () => connections++);
      for (const [path, happened] of [
        ["/", () => peersIn("/lobby") === 1],
        ["/two-peers?item=2", () => peersIn(CHAT) === 2],
        [NO_CHAT, () => connections > 0 && demo.io.engine.clientsCount === 0], // refused, and gone
      ] as const) {
        connections = 0;
        const problems = await browser!.problemsOf(demo.url + path, async () => {
          await until(happened);
          await pause(500); // what is wrong with the page would be told by now
        });
        expect(problems, path).to.deep.equal([]);
        await until(() => demo.io.engine.clientsCount === 0);
      }
    });
  });
}

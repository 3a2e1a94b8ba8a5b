// browser.ts: a real browser, and people who use the demo with it.

import { readdirSync, statSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { resolve } from "node:path";
import { expect } from "chai";
import type { Browser, BrowserContextOptions, FrameLocator, Page } from "playwright-core";
import { chatServer } from "../../backend/server";
import { endPolls, until } from "./harness";
import { chromiumOrSkip } from "./installed";

/** Milliseconds that anything may take to appear. It is long, because a busy machine is slow. */
export const WITHIN = 15_000;

export interface Demo {
  io: ReturnType<typeof chatServer>["io"];
  url: string;
  port: number;
  close(): Promise<void>;
}

/** The demo server, on a port of its own. */
export async function startDemo({ comeBackWithin = 300, port = 0 } = {}): Promise<Demo> {
  const { server, io } = chatServer(comeBackWithin);
  endPolls(io);
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  const address = server.address() as AddressInfo;

  return {
    io,
    url: `http://127.0.0.1:${address.port}`,
    port: address.port,
    async close() {
      const closed = io.close();
      server.closeAllConnections(); // a browser keeps some open for later requests
      await closed;
    },
  };
}

/** A person with a browser profile of their own. */
export interface Person {
  page: Page;
  /** Errors on the console or in scripts, and requests to other servers. There must be none. */
  problems: string[];
}

/** A page, or a frame in one. */
interface Window {
  page: Pick<Page & FrameLocator, "getByLabel" | "getByRole">;
}

export async function newPerson(browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<Person> {
  const context = await browser.newContext({ baseURL: url, reducedMotion: "reduce", ...options });
  context.setDefaultTimeout(WITHIN);

  const page = await context.newPage();
  const problems: string[] = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) problems.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => problems.push(`script: ${error.message}`));
  page.on("request", (request) => {
    if (!request.url().startsWith(`${url}/`) && !request.url().startsWith("data:")) {
      problems.push(`request: ${request.url()}`);
    }
  });
  page.on("websocket", (socket) => {
    if (!socket.url().startsWith(`${url.replace("http", "ws")}/`)) problems.push(`request: ${socket.url()}`);
  });
  return { page, problems };
}

/** What the tests of a page have: a demo, and people who visit it. */
export interface Stage {
  readonly demo: Demo;
  /** Somebody who opens the browser. The test fails at the end where they had problems. */
  person(options?: BrowserContextOptions): Promise<Person>;
  /** Closes the demo; until `startAgain`, nobody answers. What a browser says of that is no problem. */
  stop(): Promise<void>;
  startAgain(options?: { comeBackWithin: number }): Promise<void>;
}

/** @throws Error where the scripts of the pages are not built, or are older than what they are built from */
function needsBuild(): void {
  const folder = resolve(__dirname, "../../frontend/page");
  const time = (path: string) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const scripts = readdirSync(folder).filter((name) => name.endsWith(".ts"));
  const isBuilt = (name: string) =>
    time(resolve(folder, "dist/frontend/page", name.replace(".ts", ".js"))) >= time(resolve(folder, name));
  if (!scripts.every(isBuilt)) throw new Error("the scripts of the pages are not up to date: npm run build");
}

/** Runs a suite in one browser, and each of its tests on a demo of its own. It is skipped where there is no browser. */
export function describeInBrowser(title: string, suite: (stage: Stage) => void): void {
  describe(title, () => {
    let browser: Browser | undefined;
    let demo: Demo;
    let people: Person[];
    let wasAway = false;

    before("needs Chromium", async function () {
      needsBuild();
      browser = await chromiumOrSkip(this);
    });

    after(() => browser?.close());

    beforeEach(async () => {
      people = [];
      wasAway = false;
      demo = await startDemo();
    });

    afterEach(async () => {
      let problems = people.flatMap((person) => person.problems);
      await Promise.all(people.map(({ page }) => page.context().close()));
      await demo.close();
      if (wasAway) problems = problems.filter((problem) => !/net::ERR_|already in CLOSING or CLOSED/.test(problem));
      expect(problems, "errors, or requests to other servers").to.deep.equal([]);
    });

    suite({
      get demo() {
        return demo;
      },
      async person(options) {
        const newcomer = await newPerson(browser!, demo.url, options);
        people.push(newcomer);
        return newcomer;
      },
      async stop() {
        wasAway ||= people.some(({ page }) => page.url() !== "about:blank"); // somebody sees it
        // a client that is just about to upgrade would only notice at its next ping; one whose page was left meanwhile never does
        const deadline = Date.now() + 5000;
        const sockets = () => [...demo.io._nsps.values()].flatMap((namespace) => [...namespace.sockets.values()]);
        await until(() => Date.now() > deadline || sockets().every(({ conn }) => conn.transport.name === "websocket"));
        return demo.close();
      },
      async startAgain(options) {
        demo = await startDemo({ port: demo.port, ...options });
      },
    });
  });
}

/** Opens a chat and joins it under this name. */
export async function join({ page }: Person, path: string, name: string): Promise<void> {
  await page.goto(path);
  await page.getByLabel("Your name").fill(name);
  await page.getByRole("button", { name: "Join" }).click();
}

/** Writes a message and sends it with Enter. */
export async function say({ page }: Window, text: string): Promise<void> {
  await page.getByLabel("Message", { exact: true }).fill(text);
  await page.getByLabel("Message", { exact: true }).press("Enter");
}

/** Waits until this text is to be seen on the page. */
export function sees({ page }: Person, text: string | RegExp): Promise<void> {
  return page.getByText(text).filter({ visible: true }).first().waitFor();
}

/** Waits until a message is in the chat. */
export function heard({ page }: Window, from: string, text: string): Promise<void> {
  const message = page.getByRole("log").locator(".message").filter({ hasText: from });
  return message.getByText(text, { exact: true }).first().waitFor();
}

export function messageField({ page }: Person) {
  return page.getByLabel("Message", { exact: true });
}

/** The titles of the steps in the handshake that is open. */
export function steps({ page }: Person): Promise<string[]> {
  return page.locator("#handshakes details[open] .step strong").allInnerTexts();
}

/** Removes problems that a test makes on purpose. */
export function forgive({ problems }: Person, expected: RegExp): void {
  problems.splice(0, problems.length, ...problems.filter((problem) => !expected.test(problem)));
}

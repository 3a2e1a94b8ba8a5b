// engines.ts: Firefox, and WebKit, which is the engine of Safari. Playwright drives builds of its own; these are Debian's.
// What drives them is installed where it is used: see scratch.ts.

import { spawn, type ChildProcess } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { next, pause } from "./harness";
import { FIREFOX, WEBKIT } from "./installed";
import { freePort } from "./redis";

/** A browser with one window. */
export interface EngineBrowser {
  /** Opens a page, and resolves when it is loaded. */
  goto(url: string): Promise<void>;
  /** Gives the page so much room. */
  resize(width: number, height: number): Promise<void>;
  /** The value of an expression in the page. */
  evaluate<T>(expression: string): Promise<T>;
  /** Types a text; `\n` is Enter. */
  type(text: string): Promise<void>;
  /**
   * Opens a page in a window of its own, and returns what is an error or a warning on its console.
   *
   * @param seen - resolves when the page has been looked at for long enough; `problems` grows meanwhile
   */
  problemsOf(url: string, seen: (problems: string[]) => Promise<unknown>): Promise<string[]>;
  close(): Promise<void>;
}

/** An engine, and how its browser is driven. */
export interface Engine {
  /** As `npm install` takes it. */
  driver: string;
  /** How wide its narrowest window is, in pixels. */
  narrowest: number;
  /** @param folder - the driver is in its `node_modules`; the browser may write into it */
  start(folder: string): Promise<EngineBrowser>;
}

/** The part of `puppeteer-core` that is used here. */
interface Puppeteer {
  launch(options: { browser: "firefox"; executablePath: string }): Promise<{
    newPage(): Promise<PuppeteerPage>;
    close(): Promise<void>;
  }>;
}
interface PuppeteerPage {
  goto(url: string): Promise<unknown>;
  setViewport(size: { width: number; height: number }): Promise<void>;
  evaluate(expression: string): Promise<unknown>;
  keyboard: { type(text: string): Promise<void> };
  on(event: "console", listener: (message: { type(): string; text(): string }) => void): void;
  on(event: "pageerror", listener: (error: Error) => void): void;
  close(): Promise<void>;
}

const firefox: Engine = {
  driver: "puppeteer-core@^24", // 25 needs Node.js 22
  narrowest: 0,
  async start(folder) {
    const puppeteer = require(join(folder, "node_modules/puppeteer-core")) as Puppeteer;
    const browser = await puppeteer.launch({ browser: "firefox", executablePath: FIREFOX });
    const page = await browser.newPage();
    return {
      goto: async (url) => void (await page.goto(url)),
      resize: (width, height) => page.setViewport({ width, height }),
      evaluate: async <T>(expression: string) => (await page.evaluate(expression)) as T,
      type: (text) => page.keyboard.type(text),
      async problemsOf(url, seen) {
        const problems: string[] = [];
        const other = await browser.newPage();
        other.on("console", (message) => {
          if (["error", "warn"].includes(message.type())) problems.push(message.text());
        });
        other.on("pageerror", (error) => problems.push(error.message));
        await other.goto(url);
        await seen(problems);
        await other.close();
        return problems;
      },
      close: () => browser.close(),
    };
  },
};

/** The part of `selenium-webdriver` that is used here. */
interface Selenium {
  Builder: new () => SeleniumBuilder;
}
interface Size {
  width: number;
  height: number;
}
interface SeleniumBuilder {
  disableEnvironmentOverrides(): SeleniumBuilder;
  usingServer(url: string): SeleniumBuilder;
  withCapabilities(capabilities: object): SeleniumBuilder;
  build(): PromiseLike<{
    get(url: string): Promise<void>;
    manage(): { window(): { getRect(): Promise<Size>; setRect(size: Size): Promise<unknown> } };
    executeScript(script: string): Promise<unknown>;
    actions(): { sendKeys(...keys: string[]): { perform(): Promise<void> } };
    quit(): Promise<void>;
  }>;
}

const ENTER = "\uE007"; // the key, in the words of WebDriver

const webkit: Engine = {
  driver: "selenium-webdriver@^4",
  narrowest: 450, // for its tool bar; the pages look as on a phone up to 480
  async start(folder) {
    const { Builder } = require(join(folder, "node_modules/selenium-webdriver")) as Selenium;
    const home = join(folder, "home");
    const port = await freePort();
    mkdirSync(home);
    // it has no mode without windows, so it gets a screen that nobody sees
    const screen = run("Xvfb", ["-displayfd", "1", "-screen", "0", "1600x1200x24"]);
    const [display] = await next<[string]>(createInterface(screen.stdout), "line");
    const env = { ...process.env, DISPLAY: `:${display}`, HOME: home, XDG_CACHE_HOME: home, XDG_DATA_HOME: home };

    await startWebKitDriver(env, port);
    const browser = await new Builder()
      .disableEnvironmentOverrides()
      .usingServer(`http://127.0.0.1:${port}`)
      .withCapabilities({
        browserName: "MiniBrowser",
        "webkitgtk:browserOptions": { binary: WEBKIT, args: ["--automation"] },
      })
      .build();
    const evaluate = async <T>(expression: string) => (await browser.executeScript(`return ${expression}`)) as T;

    return {
      goto: (url) => browser.get(url),
      async resize(width, height) {
        const window = browser.manage().window();
        const size = () => evaluate<[number, number]>("[innerWidth, innerHeight]");
        const [outer, [innerWidth, innerHeight]] = [await window.getRect(), await size()]; // it has a tool bar
        await window.setRect({ width: width + outer.width - innerWidth, height: height + outer.height - innerHeight });
        // it takes its new size when it likes
        for (const deadline = Date.now() + 5000; Date.now() < deadline; await pause(20)) {
          if ((await size())[0] === width) return;
        }
      },
      evaluate,
      type: (text) =>
        browser
          .actions()
          .sendKeys(...text.replaceAll("\n", ENTER))
          .perform(),
      async problemsOf(url, seen) {
        // a browser that is driven writes nothing of its console, so this one is not driven
        const options = ["--enable-write-console-messages-to-stdout=true", url];
        const window = run(WEBKIT, options, env);
        const problems: string[] = [];
        createInterface(window.stderr).on("line", (line) => {
          if (/CONSOLE.* (ERROR|WARN)/.test(line)) problems.push(line);
        });
        await seen(problems);
        await end(window);
        return problems;
      },
      close: () => browser.quit(),
    };
  },
};

/** Resolves when it answers at this port. */
async function startWebKitDriver(env: NodeJS.ProcessEnv, port: number): Promise<void> {
  const driver = run("WebKitWebDriver", ["--host=127.0.0.1", `--port=${port}`], env);
  while (driver.exitCode === null) {
    const answer = await fetch(`http://127.0.0.1:${port}/status`).catch(() => undefined);
    if (answer?.ok) return;
    await pause(50);
  }
  throw new Error(`WebKitWebDriver has ended: ${driver.exitCode}`);
}

const running = new Set<ChildProcess>();

function run(program: string, args: string[], env = process.env) {
  const child = spawn(program, args, { env, stdio: ["ignore", "pipe", "pipe"] });
  running.add(child.once("exit", () => running.delete(child)));
  for (const output of [child.stdout, child.stderr]) output.resume(); // nobody may read it
  return child;
}

async function end(program: ChildProcess): Promise<void> {
  const ended = next(program, "exit");
  program.kill("SIGKILL");
  await ended;
}

/** Ends what the engines have started, also where they could not be used. */
export async function endPrograms(): Promise<void> {
  await Promise.all([...running].map(end));
}

export const engines = { Firefox: firefox, WebKit: webkit };

// browser.ts: a real browser, and people who use the demo with it.

import type { AddressInfo } from "node:net";
import { chromium, type Browser, type BrowserContextOptions, type Page } from "playwright-core";
import { chatServer } from "../../backend/server";
import { CHROMIUM, lacks } from "./installed";

/** Milliseconds that anything may take to appear. It is long, because a busy machine is slow. */
export const WITHIN = 15_000;

/** Says what is wrong where there is no Chromium to test with. */
export const missingChromium = () => lacks("Chromium");

export function openBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: CHROMIUM,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--no-first-run",
    ],
  });
}

export interface Demo {
  io: ReturnType<typeof chatServer>["io"];
  url: string;
  port: number;
  close(): Promise<void>;
}

/** The demo server, on a port of its own. */
export async function startDemo({ comeBackWithin = 300, port = 0 } = {}): Promise<Demo> {
  const { server, io } = chatServer(comeBackWithin);
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

/** Opens a chat and joins it under this name. */
export async function join({ page }: Person, path: string, name: string): Promise<void> {
  await page.goto(path);
  await page.getByLabel("Your name").fill(name);
  await page.getByRole("button", { name: "Join" }).click();
}

/** Writes a message and sends it with Enter. */
export async function say({ page }: Person, text: string): Promise<void> {
  await page.getByLabel("Message", { exact: true }).fill(text);
  await page.getByLabel("Message", { exact: true }).press("Enter");
}

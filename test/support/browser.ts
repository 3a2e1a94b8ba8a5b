// browser.ts: a real browser, and people who use the demo in it.

import { accessSync, constants } from "node:fs";
import type { AddressInfo } from "node:net";
import { chromium, type Browser, type BrowserContextOptions, type Page } from "playwright-core";
import { chatServer } from "../../backend/server";

/** The longest that anything may take to appear; a machine that is busy with other work is slow. */
export const WITHIN = 15_000;

const executablePath = process.env["CHROMIUM"] ?? "/usr/bin/chromium";

/** Whether there is a Chromium to test with, and what to say if not. */
export function lacksChromium(): string | undefined {
  try {
    accessSync(executablePath, constants.X_OK);
    return undefined;
  } catch {
    return `there is no Chromium at ${executablePath}; set CHROMIUM to the path of one`;
  }
}

export function openBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath,
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
      server.closeAllConnections(); // a browser keeps some open, in case
      await closed;
    },
  };
}

/** Someone with a browser profile of their own. */
export interface Person {
  page: Page;
  /** What a page must never do: errors on its console or in its scripts, requests to other servers. */
  complaints: string[];
}

export async function arrive(browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<Person> {
  const context = await browser.newContext({ baseURL: url, reducedMotion: "reduce", ...options });
  context.setDefaultTimeout(WITHIN);

  const page = await context.newPage();
  const complaints: string[] = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => complaints.push(`script: ${error.message}`));
  page.on("request", (request) => {
    if (!request.url().startsWith(`${url}/`) && !request.url().startsWith("data:")) {
      complaints.push(`request: ${request.url()}`);
    }
  });
  page.on("websocket", (socket) => {
    if (!socket.url().startsWith(`${url.replace("http", "ws")}/`)) complaints.push(`request: ${socket.url()}`);
  });
  return { page, complaints };
}

/** Opens a chat and joins it under this name. */
export async function join({ page }: Person, path: string, name: string): Promise<void> {
  await page.goto(path);
  await page.getByLabel("Your name").fill(name);
  await page.getByRole("button", { name: "Join" }).click();
}

/** Says something, as one does: with Enter. */
export async function say({ page }: Person, text: string): Promise<void> {
  await page.getByLabel("Message", { exact: true }).fill(text);
  await page.getByLabel("Message", { exact: true }).press("Enter");
}

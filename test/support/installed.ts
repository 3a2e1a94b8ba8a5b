// installed.ts: the programs that some tests need, where they are, and what happens where one is missing or unfit.

import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import type { Context } from "mocha";
import type { Browser } from "playwright-core";

export const PYTHON = process.env["PYTHON"] ?? "/usr/bin/python3";

/** The headless shell is Chromium without windows: the tests of the pages take half of the processor time in it. */
const CHROMIUMS = ["/usr/bin/chromium-headless-shell", "/usr/bin/chromium"];
const CHROMIUM = process.env["CHROMIUM"] ?? CHROMIUMS.find((path) => existsSync(path));
/** Where there is none of them: playwright-core knows where these are on each system. */
const CHANNELS = ["chrome", "msedge"];

/** What each kind of machine calls the folder of its libraries. */
const libraries = existsSync("/usr/lib") ? readdirSync("/usr/lib").map((name) => `/usr/lib/${name}`) : [];
const miniBrowser = libraries.map((folder) => `${folder}/webkit2gtk-4.1/MiniBrowser`).find((path) => existsSync(path));

export const FIREFOX = process.env["FIREFOX"] ?? "/usr/bin/firefox-esr";
/** The browser that comes with WebKit to try it out. */
export const WEBKIT = process.env["WEBKIT"] ?? miniBrowser ?? "/usr/lib/webkit2gtk-4.1/MiniBrowser";

/** What a program prints; undefined where it is missing or fails. */
function output(program: string, ...args: string[]): string | undefined {
  const { status, stdout } = spawnSync(program, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  return status === 0 ? stdout : undefined;
}

/** The name of the server and of its command line: that of Valkey where there is no Redis. */
export const REDIS = ["redis", "valkey"].find((name) => output(`${name}-server`, "--version") !== undefined) ?? "redis";

function withoutRedis(): string | undefined {
  const version = output(`${REDIS}-server`, "--version");
  if (version === undefined) return "there is no redis-server; install Redis 7 or later, or Valkey";
  const [, number] = /v=(\d+[.\d]*)/.exec(version) ?? [];
  if (parseInt(number ?? "", 10) >= 7) return undefined;
  return `${REDIS}-server is of version ${number ?? "unknown"}; install Redis 7 or later, or Valkey`;
}

function withoutPython(): string | undefined {
  const script =
    "import requests, websocket, socketio, inspect; print(*inspect.signature(socketio.Client.connect).parameters)";
  const parameters = output(PYTHON, "-c", script);
  if (parameters === undefined)
    return `${PYTHON} has no python-socketio with requests and websocket-client; install them, or set PYTHON`;
  const isOld = ["auth", "wait"].some((parameter) => !parameters.split(/\s/).includes(parameter));
  return isOld ? `the python-socketio of ${PYTHON} is too old; install 5.1 or later, or set PYTHON` : undefined;
}

function withoutFirefox(): string | undefined {
  return existsSync(FIREFOX) ? undefined : `there is no Firefox at ${FIREFOX}; set FIREFOX to the path of one`;
}

function withoutWebKit(): string | undefined {
  const isThere = existsSync(WEBKIT) && output("WebKitWebDriver", "--help") !== undefined;
  if (isThere && output("Xvfb", "-help") !== undefined) return undefined;
  return "WebKit's MiniBrowser, WebKitWebDriver or Xvfb is missing; install webkit2gtk-driver and xvfb";
}

/** How to find out what is wrong with a program; undefined where it is there and fit. */
const programs = { Redis: withoutRedis, Python: withoutPython, Firefox: withoutFirefox, WebKit: withoutWebKit };

export type Program = keyof typeof programs;
/** Those that `npm test` needs, beside Chromium. */
export const everydayPrograms: Program[] = ["Redis", "Python"];
const known = new Map<Program, string | undefined>();

/** Says what is wrong where a program is missing or unfit. */
export function lacks(program: Program): string | undefined {
  if (!known.has(program)) known.set(program, programs[program]());
  return known.get(program);
}

/**
 * Skips the test where a program is missing or unfit, or the whole suite if it is called in its `before`.
 *
 * @throws Error instead where `CI` is set
 */
export function needs(test: Context, program: Program): void {
  const reason = lacks(program);
  if (reason) skip(test, reason);
}

/**
 * Starts Chromium, or else Chrome or Edge.
 *
 * @throws Error that says why none of them starts
 */
export async function openChromium(): Promise<Browser> {
  const { chromium } = await import("playwright-core"); // not for those who only ask for Redis
  const places = CHROMIUM ? [{ executablePath: CHROMIUM }] : CHANNELS.map((channel) => ({ channel }));
  const failures: string[] = [];
  for (const place of places) {
    try {
      return await chromium.launch({ ...place, args: ["--no-sandbox", "--disable-gpu"] });
    } catch (err) {
      const reason = (err as Error).message.split("\n")[0]!.replace("browserType.launch: ", "");
      failures.push(`${Object.values(place)[0]}: ${reason}`);
    }
  }
  throw new Error(`no Chromium starts; set CHROMIUM to the path of one (${failures.join("; ")})`);
}

/** Does what {@link openChromium} does, or skips as {@link needs} does. */
export async function chromiumOrSkip(test: Context): Promise<Browser> {
  return openChromium().catch(({ message }: Error) => skip(test, message));
}

const told = new Set<string>();

/**
 * Skips the test, or the suite in whose `before` it is called, and says why, once for each reason.
 *
 * @throws Error instead where `CI` is set
 */
export function skip(test: Context, reason: string): never {
  if (process.env["CI"]) throw new Error(reason);
  if (!told.has(reason)) console.log(`      skipped: ${reason}`);
  told.add(reason);
  return test.skip();
}

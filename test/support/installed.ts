// installed.ts: the programs that some tests need, where they are, and what happens where one is missing.

import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import type { Context } from "mocha";

/** The headless shell is Chromium without windows: the tests of the pages take half of the processor time in it. */
const CHROMIUMS = ["/usr/bin/chromium-headless-shell", "/usr/bin/chromium"];

export const CHROMIUM = process.env["CHROMIUM"] ?? CHROMIUMS.find((path) => existsSync(path)) ?? CHROMIUMS[1]!;
/** What each kind of machine calls the folder of its libraries. */
const libraries = existsSync("/usr/lib") ? readdirSync("/usr/lib").map((name) => `/usr/lib/${name}`) : [];
const miniBrowser = libraries.map((folder) => `${folder}/webkit2gtk-4.1/MiniBrowser`).find((path) => existsSync(path));

export const FIREFOX = process.env["FIREFOX"] ?? "/usr/bin/firefox-esr";
/** The browser that comes with WebKit to try it out. */
export const WEBKIT = process.env["WEBKIT"] ?? miniBrowser ?? "/usr/lib/webkit2gtk-4.1/MiniBrowser";
export const PYTHON = process.env["PYTHON"] ?? "/usr/bin/python3";

const succeeds = (program: string, ...args: string[]) => spawnSync(program, args, { stdio: "ignore" }).status === 0;

/** How to find out whether a program is there, and what to say where it is not. */
const programs = {
  Chromium: {
    found: () => existsSync(CHROMIUM),
    otherwise: `there is no Chromium at ${CHROMIUM}; set CHROMIUM to the path of one`,
  },
  Firefox: {
    found: () => existsSync(FIREFOX),
    otherwise: `there is no Firefox at ${FIREFOX}; set FIREFOX to the path of one`,
  },
  WebKit: {
    found: () => existsSync(WEBKIT) && succeeds("WebKitWebDriver", "--help") && succeeds("Xvfb", "-help"),
    otherwise: "WebKit's MiniBrowser, WebKitWebDriver or Xvfb is missing; install webkit2gtk-driver and xvfb",
  },
  Redis: {
    found: () => succeeds("redis-server", "--version"),
    otherwise: "there is no redis-server; install Redis 7 or later",
  },
  Python: {
    found: () => succeeds(PYTHON, "-c", "import requests, socketio, websocket"),
    otherwise: `${PYTHON} has no python-socketio with requests and websocket-client; install them, or set PYTHON`,
  },
};

export type Program = keyof typeof programs;
/** Those that `npm test` needs. */
export const everydayPrograms: Program[] = ["Chromium", "Redis", "Python"];

/** Says what is wrong where a program is missing. */
export function lacks(program: Program): string | undefined {
  const { found, otherwise } = programs[program];
  return found() ? undefined : otherwise;
}

/**
 * Skips the test where a program is missing, or the whole suite if it is called in its `before`.
 *
 * @throws Error instead where `CI` is set
 */
export function needs(test: Context, program: Program): void {
  const reason = lacks(program);
  if (!reason) return;
  if (process.env["CI"]) throw new Error(reason);
  console.log(`      skipped: ${reason}`);
  test.skip();
}

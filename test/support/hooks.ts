// hooks.ts: mocha loads this for every run, so that each test cleans up after itself, and a test that fails says so at
// once. Mocha's own reporters tell the reasons at the end, and those of files that run in parallel when a file has ended.

import { relative } from "node:path";
import type { Context } from "mocha";
import { cleanUp } from "./harness";
import { choosePatience, howLong, testimony } from "./waiting";

const TIMEOUT = 60_000; // mocha's, for a test that says nothing else
const ENOUGH = 3; // failures that have waited in vain: then the rest of a file would take long, and tell nothing new

/** How many tests of each file have failed after a wait that was in vain. */
const inVain = new Map<string, number>();

function beforeEach(this: Context): void {
  const { currentTest: test } = this;
  const file = test!.file!;
  choosePatience(file);
  if (test!.timeout() === TIMEOUT) test!.timeout(Math.min(TIMEOUT, 10 * howLong())); // more than a wait that is busy
  if ((inVain.get(file) ?? 0) < ENOUGH) return;
  if (inVain.get(file) !== Infinity) say(`The rest of ${relative(".", file)} is skipped: what has failed says enough.`);
  inVain.set(file, Infinity);
  this.skip();
}

async function afterEach(this: Context): Promise<void> {
  const { file = "", state, err, duration } = this.currentTest!;
  if (state === "failed") {
    if ((duration ?? Infinity) >= howLong()) inVain.set(file, (inVain.get(file) ?? 0) + 1);
    if (/^Timeout of/.test(err!.message)) err!.message += testimony(); // mocha's own
    tell(this, err!);
  }
  try {
    await cleanUp();
  } catch (err) {
    tell(this, err as Error); // now mocha gives the file up
    throw err;
  }
}

/** Tells why a test has failed, and where. */
function tell({ currentTest: test }: Context, { message, stack = "" }: Error): void {
  const here = stack.split("\n").find((line) => /^ +at .*\.test\.ts:/.test(line));
  const where = here ? /[^( ]+\.test\.ts:\d+/.exec(here)![0] : test!.file!;
  const reason = message.replaceAll("\n", "\n    ");
  say(`  ${relative(".", where)}, "${test!.fullTitle()}":\n    ${reason}`);
}

const say = (text: string) => process.stderr.write(`${text}\n`); // also where a test listens to the console

export const mochaHooks = { beforeEach, afterEach };

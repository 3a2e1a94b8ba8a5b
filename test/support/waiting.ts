// waiting.ts: every wait ends. One that has been in vain says what it has waited for, what it has seen instead, and what
// the servers of the test know at that moment.

import { performance } from "node:perf_hooks";
import * as timers from "node:timers";
import { inspect, isDeepStrictEqual } from "node:util";

const { clearInterval, setInterval, setTimeout } = timers; // as they are now: some tests replace them

const AT_A_DESK = 4_000; // milliseconds: somebody runs one file, and wants to know
const TOGETHER = 30_000; // files that run at the same time make each other slow, and so do browsers and other programs
const IN_CI = 50_000; // less than mocha's timeout, and more than any busy machine needs
const LONGEST = 55_000;
const BUSY = 0.8; // the part of the time in which this process has had something to do

let patience = process.env["CI"] ? IN_CI : TOGETHER;

/** Decides how long the waits of a test last. */
export function choosePatience(file: string): void {
  const alone = process.env["MOCHA_WORKER_ID"] === undefined && !/needs-more|elsewhere/.test(file);
  patience = process.env["CI"] ? IN_CI : alone ? AT_A_DESK : TOGETHER;
}

/** Milliseconds that a wait lasts in this test; up to five times as long where this process itself is busy. */
export function howLong(): number {
  return patience;
}

const witnesses = new Set<() => string>();
const bounds = new Set<NodeJS.Timeout>();

/** Adds to the message of each wait that is in vain what `describe` returns then, until the test ends. */
export function witness(describe: () => string): void {
  witnesses.add(describe);
}

/** What the witnesses of this test say now, each from a line of its own. */
export function testimony(): string {
  return [...witnesses].map((describe) => `\n${describe()}`).join("");
}

/** Ends the waits of a test that has ended: whatever it has not awaited is of no interest any more. */
export function endWaits(): void {
  witnesses.clear();
  bounds.forEach((timer) => clearInterval(timer));
  bounds.clear();
}

/** Makes a function that says whether a wait that begins now is over. */
function stopwatch(atLeast = 0): () => boolean {
  const since = performance.now();
  const load = performance.eventLoopUtilization();
  const wait = Math.max(patience, atLeast);
  return () => {
    const waited = performance.now() - since;
    if (waited < wait) return false;
    return waited > Math.min(5 * wait, LONGEST) || performance.eventLoopUtilization(load).utilization < BUSY;
  };
}

function inVain(what: string, caller: Error, since: number): Error {
  const seconds = Math.round((performance.now() - since) / 1000);
  return from(caller, new Error(`after ${seconds} s ${what}${testimony()}`));
}

/** Makes an error tell where the test was: those of Socket.IO come from a listener. */
function from({ stack = "" }: Error, err: Error): Error {
  const frames = stack.split("\n").filter((line) => /^ +at /.test(line) && !line.includes("/support/"));
  err.stack = [`${err.name}: ${err.message}`, ...frames].join("\n");
  return err;
}

/**
 * Resolves when something that no event announces has come true.
 *
 * @param look - returns what there is to see now
 * @param wanted - what it shall be, or a condition for it; of an object, each property is told by itself
 * @param what - names it in the message; if left out, the code of `look` does
 * @throws Error when it has not come true in {@link howLong}
 */
export function until(look: () => boolean): Promise<void>;
export function until<T>(look: () => T, wanted: T | ((seen: T) => boolean), what?: string): Promise<void>;
export async function until(look: () => unknown, wanted: unknown = true, what = codeOf(look)): Promise<void> {
  const caller = new Error();
  const since = performance.now();
  const isOver = stopwatch();
  const fits = (seen: unknown) => (typeof wanted === "function" ? wanted(seen) : isDeepStrictEqual(seen, wanted));
  for (let seen = look(); !fits(seen); seen = look()) {
    if (isOver()) throw inVain(difference(what, seen, wanted), caller, since);
    await pause(2 + Math.min(20, (performance.now() - since) / 20)); // what takes long is looked at less often
  }
}

const codeOf = (look: () => unknown) =>
  String(look)
    .replace(/^\(\) => /, "")
    .replaceAll(/\w+_\d+\.(?=\w+\()/g, "");
const show = (value: unknown) => inspect(value, { breakLength: Infinity, maxStringLength: 300 });
const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function difference(what: string, seen: unknown, wanted: unknown): string {
  if (wanted === true) return `this was still not so: ${what}`;
  if (typeof wanted === "function") return `${what} was ${show(seen)}, which is not ${String(wanted)}`;
  if (!isRecord(seen) || !isRecord(wanted)) return `${what} was ${show(seen)} instead of ${show(wanted)}`;
  const wrong = Object.keys(wanted).filter((key) => !isDeepStrictEqual(seen[key], wanted[key]));
  return `${what}:${wrong.map((key) => `\n  ${key}: ${show(seen[key])} instead of ${show(wanted[key])}`).join("")}`;
}

/**
 * A promise that is rejected if it takes longer than {@link howLong}.
 *
 * @param what - says then what has not happened
 * @param start - as of a promise
 * @param atLeast - milliseconds that it may take in any case: a program that has to start is slow on a busy machine
 */
export function inTime<T>(
  what: () => string,
  start: (resolve: (value: T) => void, reject: (err: Error) => void) => void,
  atLeast = 0,
): Promise<T> {
  const caller = new Error();
  const since = performance.now();
  const isOver = stopwatch(atLeast);
  let timer: NodeJS.Timeout;
  const promise = new Promise<T>((resolve, reject) => {
    timer = setInterval(() => isOver() && reject(inVain(what(), caller, since)), 100);
    bounds.add(timer);
    start(resolve, (err) => reject(from(caller, err)));
  });
  const stop = () => {
    clearInterval(timer);
    bounds.delete(timer);
  };
  promise.then(stop, stop); // also: it is nobody's mistake if the test awaits it later, or never
  return promise;
}

/** Milliseconds in which something that must not happen would happen. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

// handler.ts: the lines of the server's `io-handler.ts` that decided about a handshake. The server reads them from the
// file that it runs, so they cannot be out of date. Where it has no such file, nothing is shown.

import { make } from "./dom.js";
import type { Result } from "./steps.js";

// Lines are found by what is in them.
const MISS = "no route matches";
const QUESTION = "namespacesCreated.has(ns)";
const CREATION = "io.of(ns)";

/** The line that decided about a peer, which is marked, and what some lines did for it. */
const marks: Record<Exclude<Result, "lost">, { line: string; notes: Record<string, string> }> = {
  created: { line: CREATION, notes: { [QUESTION]: "true: it is not there", [CREATION]: "creates the namespace" } },
  found: { line: QUESTION, notes: { [QUESTION]: "false: it is there", [CREATION]: "skipped" } },
  refused: { line: MISS, notes: { [MISS]: "refuses the peer" } },
};

/** Asks the server for the lines. It never fails. */
const handlerLines: Promise<string[]> = fetch("/handler").then(
  async (response) => (await response.text()).split("\n").filter(Boolean),
  () => [],
);

/**
 * Draws the lines into `code`, as soon as they are there: the one that decided about this peer is marked, those that
 * were skipped are pale. A line that has a note loses its comment for it, or the two would not fit beside each other.
 *
 * @param part - all lines, or only the code of the `if` that asks whether the namespace exists
 */
export async function drawHandler(code: HTMLElement, result: Result, part: "all" | "question"): Promise<void> {
  const lines = await handlerLines;
  if (result === "lost" || lines.length === 0) return code.remove();

  const { line, notes } = marks[result];
  const marked = lines.findIndex((text) => text.includes(line));
  const question = lines.findIndex((text) => text.includes(QUESTION));
  const shown = part === "all" ? [...lines.keys()] : codeOf(lines, question);
  const indent = indentOf(lines[shown[0] ?? 0] ?? "");

  code.replaceChildren(
    ...shown.map((i) => {
      const whole = (lines[i] ?? "").slice(indent);
      const note = i === marked ? notes[line] : Object.entries(notes).find(([part]) => whole.includes(part))?.[1];
      const text = note ? whole.replace(/ \/\/ .*/, "") : whole;
      const state = i === marked ? "marked" : isSkipped(lines, i, marked) ? "skipped" : "";
      return make(
        "span",
        `line ${state}`,
        i === marked ? make("mark", "", text) : make("span", "", text),
        ...(note ? [make("span", "note", note)] : []),
      );
    }),
  );
}

/** Whether a line did not run: it is in an `if` that the marked line is not in, or it comes after a refusal. */
function isSkipped(lines: string[], i: number, marked: number): boolean {
  const inIf = lines.findIndex((line, start) => /^\s*if \(.*\{$/.test(line) && bodyOf(lines, start).includes(i));
  if (inIf >= 0 && !bodyOf(lines, inIf).includes(marked)) return true;

  const refused = lines[marked]?.includes(MISS) ?? false;
  const closesIt = i === marked + 1 && isClosing(lines[i]);
  return refused && i > marked && !closesIt && i < lines.length - 1; // the last one ends the block
}

/** The numbers of the lines of this `if`, without comments. */
function codeOf(lines: string[], start: number): number[] {
  const end = endOf(lines, start);
  const numbers = [start, ...bodyOf(lines, start), ...(isClosing(lines[end]) ? [end] : [])];
  return numbers.filter((i) => !/^\s*\/\//.test(lines[i] ?? ""));
}

/** The numbers of the lines in the block that this line begins. */
function bodyOf(lines: string[], start: number): number[] {
  return [...lines.keys()].slice(start + 1, endOf(lines, start));
}

/** The number of the line that closes the block that this line begins: the next one that is not further in. */
function endOf(lines: string[], start: number): number {
  const indent = indentOf(lines[start] ?? "");
  const end = lines.findIndex((line, i) => i > start && indentOf(line) <= indent);
  return end < 0 ? lines.length : end;
}

function isClosing(line: string | undefined): boolean {
  return line?.trim() === "}";
}

function indentOf(line: string): number {
  return line.search(/\S|$/);
}

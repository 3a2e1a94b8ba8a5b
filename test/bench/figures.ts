// figures.ts: what was measured, round by round, and the table made of it.

import { cpus } from "node:os";
import type { Kind } from "./clients";

/** A question that the benchmark answers. */
export interface Question {
  /** In words. */
  text: string;
  /** Behind each value. */
  unit: string;
  /** Whether it has a row in the table; everything is in the file. */
  inTable: boolean;
}

/** The values of one question: one for each round, so that those of a round stand beside each other. */
type Rounds = Record<Kind, number[]>;

/** The answers to a list of questions, whose order is that of the table. */
export class Figures<Name extends string> {
  private readonly rounds = new Map<Name, Rounds>();

  constructor(private readonly questions: Record<Name, Question>) {}

  /** Notes the value of one round. */
  add(name: Name, kind: Kind, value: number): void {
    let rounds = this.rounds.get(name);
    if (!rounds) this.rounds.set(name, (rounds = { native: [], floor: [], pattern: [] }));
    rounds[kind].push(value);
  }

  /** Everything, for a file. */
  toJSON() {
    const figures = this.answered().map(({ question: { text, unit }, rounds }) => ({
      question: text,
      unit,
      median: { native: median(rounds.native), floor: median(rounds.floor), pattern: median(rounds.pattern) },
      ratios: {
        "floor ÷ native": summary(rounds.floor, rounds.native),
        "pattern ÷ native": summary(rounds.pattern, rounds.native),
        "pattern ÷ floor": summary(rounds.pattern, rounds.floor),
      },
      rounds,
    }));
    return { machine: machine(), figures };
  }

  /** GitHub-flavoured Markdown: the medians of the rounds, and the median and the quartiles of their ratios. */
  toString(): string {
    const rows = this.answered()
      .filter(({ question }) => question.inTable)
      .map(({ question: { text, unit }, rounds: { native, floor, pattern } }) => {
        const values = [native, floor, pattern].map((values) => `${threeDigits(median(values))} ${unit}`.trim());
        return `| ${[text, ...values, ratio(pattern, native), ratio(pattern, floor)].join(" | ")} |`;
      });
    return [
      `${machine()}. Rates are what one core of the server can do; in brackets the quartiles of the rounds.`,
      "",
      "| | native | floor | pattern | pattern ÷ native | pattern ÷ floor |",
      "|---|---:|---:|---:|---:|---:|",
      ...rows,
    ].join("\n");
  }

  private answered() {
    return (Object.keys(this.questions) as Name[]).flatMap((name) => {
      const rounds = this.rounds.get(name);
      return rounds ? [{ question: this.questions[name], rounds }] : [];
    });
  }
}

/** The median. */
export function median(values: number[]): number {
  return quantile(values, 0.5);
}

/** The value below which such a share of the values lies, interpolated. */
function quantile(values: number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const place = (sorted.length - 1) * share;
  const below = sorted[Math.floor(place)] ?? NaN;
  const above = sorted[Math.ceil(place)] ?? NaN;
  return below + (above - below) * (place % 1);
}

/** The ratio of each round: the median of them and its quartiles. */
function summary(of: number[], to: number[]) {
  const ratios = of.map((value, round) => value / (to[round] ?? NaN));
  return { median: median(ratios), quartiles: [quantile(ratios, 0.25), quantile(ratios, 0.75)] };
}

function ratio(of: number[], to: number[]): string {
  const { median, quartiles } = summary(of, to);
  const range = of.length > 1 ? ` (${quartiles.map((quartile) => quartile.toFixed(2)).join("–")})` : "";
  return `**${median.toFixed(2)}**${range}`;
}

function threeDigits(value: number): string {
  return value.toLocaleString("en", { minimumSignificantDigits: 3, maximumSignificantDigits: 3 });
}

function machine(): string {
  const date = new Date().toLocaleDateString("en-GB", { day: "numeric", month: "long", year: "numeric" });
  return `${date}, Node.js ${process.version}, ${cpus().length} cores of ${cpus()[0]?.model.trim() ?? "unknown make"}`;
}

// figures.ts: what was measured, round for round, and the table made of it.

import { cpus } from "node:os";
import type { Kind } from "./clients";

interface Figure {
  name: string;
  unit: string;
  native: number[];
  pattern: number[];
}

export class Figures {
  private readonly figures = new Map<string, Figure>();

  /** Notes the value of one round. Both kinds get one in each round, so that they stand beside each other. */
  add(name: string, unit: string, kind: Kind, value: number): void {
    let figure = this.figures.get(name);
    if (!figure) this.figures.set(name, (figure = { name, unit, native: [], pattern: [] }));
    figure[kind].push(value);
  }

  /** Every round, for a file. */
  toJSON() {
    return { machine: machine(), figures: [...this.figures.values()] };
  }

  /** GitHub-flavoured Markdown: the medians, and the ratio of each round: its median, least and greatest. */
  toString(): string {
    const rows = [...this.figures.values()].map(({ name, unit, native, pattern }) => {
      const ratios = pattern.map((value, round) => value / (native[round] ?? NaN));
      const range = `${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)}`;
      const ratio = ratios.length > 1 ? `**${median(ratios).toFixed(2)}** (${range})` : "";
      return `| ${name} | ${show(median(native), unit)} | ${show(median(pattern), unit)} | ${ratio} |`;
    });
    return [
      `Node.js ${machine().node}, ${machine().cores} × ${machine().cpu}`,
      "",
      "| | native `io.of(/regex/)` | this pattern | pattern ÷ native |",
      "|---|---:|---:|---:|",
      ...rows,
    ].join("\n");
  }
}

export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

function machine() {
  return { node: process.version, cpu: cpus()[0]?.model.trim() ?? "unknown processor", cores: cpus().length };
}

/** Three significant figures, and no more digits than that for what is less than a thousand. */
function show(value: number, unit: string): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : Math.abs(value) >= 1 ? 2 : 3;
  return `${Number(value.toFixed(digits)).toLocaleString("en")} ${unit}`.trim();
}

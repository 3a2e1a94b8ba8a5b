// figures.ts: what was measured, round for round, and the table made of it.

import { cpus } from "node:os";
import type { Kind } from "./clients";

interface Figure {
  section: string;
  name: string;
  unit: string;
  native: number[];
  pattern: number[];
}

export class Figures {
  private readonly figures: Figure[] = [];

  /** Notes the value of one round. Both kinds get one in each round, so that they stand beside each other. */
  add(section: string, name: string, unit: string, kind: Kind, value: number): void {
    let figure = this.figures.find((known) => known.section === section && known.name === name);
    if (!figure) this.figures.push((figure = { section, name, unit, native: [], pattern: [] }));
    figure[kind].push(value);
  }

  /** Every round, for a file. */
  toJSON() {
    return { machine: machine(), figures: this.figures };
  }

  /** GitHub-flavoured Markdown: the medians, and the ratio of each round: its median, least and greatest. */
  toString(): string {
    const { node, cpu, cores } = machine();
    const sections = new Set(this.figures.map(({ section }) => section));
    const rows = [...sections].flatMap((title) => [
      `| **${title}** | | | |`,
      ...this.figures.filter(({ section }) => section === title).map(row),
    ]);
    return [
      `Node.js ${node} on ${cores} cores of ${cpu}; medians of the rounds, with the range of the ratios.`,
      "",
      "| | native `io.of(/regex/)` | this pattern | pattern ÷ native |",
      "|---|---:|---:|---:|",
      ...rows,
    ].join("\n");
  }
}

function row({ name, unit, native, pattern }: Figure): string {
  const ratios = pattern.map((value, round) => value / native[round]!);
  const ratio = `**${median(ratios).toFixed(2)}** (${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)})`;
  const cells = [name, show(median(native), unit), show(median(pattern), unit), ratios.length > 1 ? ratio : ""];
  return `| ${cells.join(" | ")} |`;
}

export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

function machine() {
  return { node: process.version, cpu: cpus()[0]?.model.trim() ?? "unknown processor", cores: cpus().length };
}

/** Three significant figures, or whole numbers. */
function show(value: number, unit: string): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : Math.abs(value) >= 1 ? 2 : 3;
  return `${Number(value.toFixed(digits)).toLocaleString("en")} ${unit}`.trim();
}

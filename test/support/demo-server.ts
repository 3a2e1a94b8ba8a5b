// demo-server.ts: the demo as a process of its own.

import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { ModuleKind, ScriptTarget, transpileModule } from "typescript";
import { atTheEnd, next } from "./harness";

const root = join(__dirname, "../..");
const compilerOptions = { module: ModuleKind.CommonJS, target: ScriptTarget.ES2022, esModuleInterop: true };

/**
 * Compiles `backend/` once for the suite in which it is called: a process starts three times as fast as with ts-node.
 *
 * @returns a function that starts the compiled `server.ts`, and may be called in tests
 */
export function compiledServer(): (env?: NodeJS.ProcessEnv) => DemoProcess {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "first-peer-"));
    for (const beside of ["frontend", "node_modules"])
      symlinkSync(join(root, beside), join(folder, beside), "junction");
    for (const file of readdirSync(join(root, "backend"), { recursive: true, encoding: "utf8" })) {
      if (!file.endsWith(".ts")) continue;
      const { outputText } = transpileModule(readFileSync(join(root, "backend", file), "utf8"), { compilerOptions });
      const compiled = join(folder, "backend", file.replace(/ts$/, "js"));
      mkdirSync(dirname(compiled), { recursive: true });
      writeFileSync(compiled, outputText);
    }
  });
  after(() => rmSync(folder, { recursive: true }));
  return (env) => new DemoProcess(process.execPath, [join(folder, "backend/server.js")], env);
}

/** A program that is ended with the test, and what it prints. */
export class DemoProcess {
  readonly child;
  readonly lines: string[] = [];
  readonly errors: string[] = [];
  /** Resolves with the exit code when the process has ended. */
  readonly ended: Promise<number | null>;

  constructor(program: string, args: string[], env: NodeJS.ProcessEnv = {}) {
    this.child = spawn(program, args, {
      cwd: root,
      env: { ...process.env, PORT: "0", REDIS_URL: "", ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    createInterface(this.child.stdout).on("line", (line) => this.lines.push(line));
    createInterface(this.child.stderr).on("line", (line) => this.errors.push(line));
    this.ended = next<[number | null]>(this.child, "close").then(([code]) => code);
    atTheEnd(() => this.child.kill("SIGKILL") && this.ended);
  }

  /** Resolves when a line that matches has been printed; rejects with all errors if the process ends before. */
  async line(pattern: RegExp): Promise<RegExpMatchArray> {
    for (;;) {
      const match = this.lines.map((text) => text.match(pattern)).find(Boolean);
      if (match) return match;
      const ended = this.ended.then(() => Promise.reject(new Error(`ended: ${this.errors.join("\n")}`)));
      await Promise.race([next(this.child.stdout, "data"), ended]);
      await new Promise(setImmediate); // now the line is there
    }
  }

  /** Resolves with the address that the server prints when it listens. */
  async url(): Promise<string> {
    return (await this.line(/(http:\/\/localhost:\d+)/))[1]!;
  }
}

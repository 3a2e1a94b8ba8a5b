// demo-server.ts: the demo as a process of its own.

import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { ModuleKind, ScriptTarget, transpileModule } from "typescript";
import { atTheEnd } from "./harness";
import { inTime } from "./waiting";

const SLOW = 30_000; // milliseconds: a program that starts on a busy machine

const root = join(__dirname, "../..");
const compilerOptions = { module: ModuleKind.CommonJS, target: ScriptTarget.ES2022, esModuleInterop: true };

/**
 * Compiles `backend/` once for the suite in which it is called: a process starts three times as fast as with ts-node.
 *
 * @returns a function that starts the compiled `server.ts`, and may be called in tests
 */
export function compiledServer(): (env?: NodeJS.ProcessEnv) => DemoProcess {
  let folder = "";
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
  after(() => folder && rmSync(folder, { recursive: true })); // where the suite is skipped, there is none
  return (env) => new DemoProcess(process.execPath, [join(folder, "backend/server.js")], env);
}

/** Runs a TypeScript file as the READMEs say, until the test ends. (Its types are checked elsewhere: that takes seconds.) */
export function runFile(file: string, args: string[] = [], env: NodeJS.ProcessEnv = {}): DemoProcess {
  const tsNode = [join(root, "node_modules/ts-node/dist/bin.js"), "--transpile-only"];
  return new DemoProcess(process.execPath, [...tsNode, file, ...args], env);
}

/** A program that is ended with the test, and what it prints. */
export class DemoProcess {
  readonly child;
  readonly lines: string[] = [];
  readonly errors: string[] = [];
  private readonly output;
  private readonly closed: Promise<number | null>;

  constructor(program: string, args: string[], env: NodeJS.ProcessEnv = {}) {
    this.child = spawn(program, args, {
      cwd: root,
      env: { ...process.env, PORT: "0", REDIS_URL: "", ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.output = createInterface(this.child.stdout).on("line", (line) => this.lines.push(line));
    createInterface(this.child.stderr).on("line", (line) => this.errors.push(line));
    this.closed = new Promise((resolve) => this.child.once("close", resolve));
    atTheEnd(() => this.child.kill("SIGKILL") && this.closed);
  }

  /** Resolves with the exit code when the process has ended. */
  get ended(): Promise<number | null> {
    return inTime(
      () => `the program had not ended, ${this.said()}`,
      (resolve) => void this.closed.then(resolve),
      SLOW,
    );
  }

  /** Resolves when a line that matches has been printed; rejects with all errors if the process ends before. */
  line(pattern: RegExp): Promise<RegExpMatchArray> {
    return inTime(
      () => `no line was printed that matches ${pattern}, ${this.said()}`,
      (resolve, reject) => {
        const look = () => {
          const match = this.lines.map((text) => text.match(pattern)).find(Boolean);
          if (match) resolve(match);
        };
        look();
        this.output.on("line", look);
        void this.closed.then(() => reject(new Error(`ended: ${this.errors.join("\n")}`)));
      },
      SLOW,
    );
  }

  private said(): string {
    return `but this: ${[...this.lines, ...this.errors].join("\n  ")}`;
  }

  /** Resolves with the address that the server prints when it listens. */
  async url(): Promise<string> {
    return (await this.line(/(http:\/\/localhost:\d+)/))[1]!;
  }
}

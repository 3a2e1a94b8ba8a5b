// projects.ts: new projects, made by the tools that people make theirs with, and the files of the pattern copied into them.

import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Context } from "mocha";
import { readConfigFile, sys } from "typescript";
import { atTheEnd } from "./harness";
import { block, root } from "./readmes";
import { NPM, orSkip } from "./scratch";

/** What checks style or runs tests in a new project takes long to install, and is not needed to build it. */
const NOT_NEEDED = /eslint|oxlint|prettier|jest|vitest|supertest|coverage|mau|tailwind/;

/** A project in a folder of its own. */
export class Project {
  constructor(readonly folder: string) {}

  /** Runs a program in the project to its end, and resolves with what it prints; that is the error if it fails. */
  async run(program: string, ...args: string[]): Promise<string> {
    // without the settings that npm hands down to whoever runs these tests through it
    const env = Object.fromEntries(Object.entries(process.env).filter(([key]) => !/^npm_/i.test(key)));
    try {
      const options = { cwd: this.folder, env: { ...env, NEXT_TELEMETRY_DISABLED: "1" }, timeout: 240_000 };
      return (await promisify(execFile)(program, args, options)).stdout;
    } catch (err) {
      const { message, stdout } = err as Error & { stdout: string };
      throw new Error(`${message}\n${stdout}`);
    }
  }

  install(...packages: string[]): Promise<string> {
    return this.run("npm", "install", ...NPM, ...packages);
  }

  write(file: string, code: string): void {
    mkdirSync(join(this.folder, file, ".."), { recursive: true });
    writeFileSync(join(this.folder, file), code);
  }

  /** Changes settings in `tsconfig.json`. */
  set(compilerOptions: Record<string, unknown>): void {
    const path = join(this.folder, "tsconfig.json");
    const { config } = readConfigFile(path, sys.readFile) as { config: { compilerOptions: object } };
    this.write(
      "tsconfig.json",
      JSON.stringify({ ...config, compilerOptions: { ...config.compilerOptions, ...compilerOptions } }),
    );
  }

  /** Copies what the guides say to copy. */
  copy(file: "frontend/client.ts" | "backend/io-handler.ts" | "backend/namespaces", to: string): void {
    cpSync(join(root, file), join(this.folder, to, file.split("/")[1]!), { recursive: true });
  }

  /** Gives the relative imports of the copied files an ending, with the command of the guide. */
  endImports(folder: string, ending: ".js" | ".ts"): Promise<string> {
    const command = block("recipe", "endings.sh").replace(".js", ending);
    return this.run("sh", "-c", `cd ${folder} && ${command}`);
  }
}

/** An empty folder, until the test ends: such a project takes up to half a gigabyte. */
function emptyFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "first-peer-"));
  atTheEnd(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/**
 * Makes a project that a tool writes, with its packages and further ones, until the test ends. Without a network the test
 * is skipped.
 *
 * @param command - as `npx` takes it; it makes the folder `app`
 */
export function madeBy(context: Context, command: string[], ...packages: string[]): Promise<Project> {
  const folder = emptyFolder();
  return orSkip(context, `npm could not run ${command[0]}`, async () => {
    await new Project(folder).run("npx", "--yes", ...NPM, ...command);
    const project = new Project(join(folder, "app"));
    const settings = JSON.parse(readFileSync(join(project.folder, "package.json"), "utf8")) as {
      devDependencies: Record<string, string>;
    };
    for (const name of Object.keys(settings.devDependencies)) {
      if (NOT_NEEDED.test(name)) delete settings.devDependencies[name];
    }
    project.write("package.json", JSON.stringify(settings));
    await project.install(...packages);
    return project;
  });
}

/** The same with what `tsc --init` of a version of TypeScript writes. */
export function madeByTsc(
  context: Context,
  version: number,
  type: "commonjs" | "module",
  ...packages: string[]
): Promise<Project> {
  const project = new Project(emptyFolder());
  return orSkip(context, `npm could not install TypeScript ${version}`, async () => {
    project.write("package.json", JSON.stringify({ type }));
    await project.install(`typescript@${version}`, ...packages);
    await project.run("npx", "tsc", "--init");
    return project;
  });
}

/** Packs this project as an application would install it, and resolves with the file. */
export async function packed(): Promise<string> {
  const folder = emptyFolder();
  await new Project(root).run("npm", "pack", "--loglevel=error", "--pack-destination", folder);
  return join(folder, readdirSync(folder)[0]!);
}

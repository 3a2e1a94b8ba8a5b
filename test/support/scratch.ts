// scratch.ts: folders outside the repository, with packages that are too heavy to be dependencies of everybody.

import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Context } from "mocha";
import { skip } from "./installed";

const root = join(__dirname, "../..");
const kept = join(root, "node_modules/.cache/scratch"); // what has been installed once is used again by the next run

/** Settings of npm: what it has is used again, and no network is noticed soon. */
export const NPM = [
  ...["--prefer-offline", "--loglevel=error", "--no-audit", "--no-fund"],
  ...["--fetch-retry-mintimeout=1000", "--fetch-retry-factor=1"],
];

/** An empty folder, which is removed at the end of the suite. */
export function emptyFolder({ test }: Context): string {
  const folder = mkdtempSync(join(tmpdir(), "scratch-"));
  test!.parent!.afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/**
 * Resolves with an empty folder whose `node_modules` holds these packages; it is removed at the end of the suite. Where
 * they cannot be installed, the test is skipped with a message, or the whole suite if this is called in its `before`.
 *
 * @param packages - as `npm install` takes them, with a version
 * @throws Error instead of skipping where `CI` is set
 */
export async function installed(context: Context, ...packages: string[]): Promise<string> {
  const folder = emptyFolder(context);
  await orSkip(context, `npm could not install ${packages.join(" ")}`, async () => {
    symlinkSync(await modulesWith(packages), join(folder, "node_modules"), "junction");
  });
  return folder;
}

/**
 * Resolves with what `install` resolves with. Where it fails, the test is skipped with a message, or the whole suite if
 * this is called in its `before`.
 *
 * @throws Error instead of skipping where `CI` is set
 */
export async function orSkip<T>(context: Context, otherwise: string, install: () => Promise<T>): Promise<T> {
  try {
    return await install();
  } catch (err) {
    const { stderr, message } = err as Error & { stderr?: string };
    const reason = `${otherwise}: ${stderr || message}`;
    skip(context, process.env["CI"] ? reason : reason.split("\n")[0]!);
  }
}

async function modulesWith(packages: string[]): Promise<string> {
  const place = join(kept, createHash("sha256").update(packages.join(" ")).digest("hex"));
  if (!existsSync(place)) {
    mkdirSync(kept, { recursive: true });
    const fresh = mkdtempSync(join(kept, "new-"));
    writeFileSync(join(fresh, "package.json"), "{}");
    const options = ["--no-save", ...NPM];
    options.push("--legacy-peer-deps"); // what they ask for beside themselves is in the repository
    options.push("--prefix", fresh); // also where npm itself runs the tests, and has told them its own folder
    try {
      await promisify(execFile)("npm", ["install", ...options, ...packages], { cwd: fresh, timeout: 240_000 });
      renameSync(fresh, place);
    } catch (err) {
      rmSync(fresh, { recursive: true, force: true });
      if (!existsSync(place)) throw err; // else another run was faster
    }
  }
  return join(place, "node_modules");
}

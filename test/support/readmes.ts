// readmes.ts: the READMEs, and the code in them.

import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import type { Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { basename, join, sep } from "node:path";
import type { Server } from "socket.io";
import { atTheEnd } from "./harness";

export const root = join(__dirname, "../..");

const paths = ["README.md", ...["backend", "frontend", "test"].flatMap(readmesBelow)];
/** The text of each README by its path. */
export const readmes = new Map(paths.map((path) => [path, readFileSync(join(root, path), "utf8")]));

function readmesBelow(folder: string): string[] {
  const files = readdirSync(join(root, folder), { recursive: true, encoding: "utf8" });
  return files.filter((file) => basename(file) === "README.md").map((file) => `${folder}/${file.replaceAll(sep, "/")}`);
}

/**
 * The blocks of code under a comment `<!-- kind: name -->`, by name.
 * - `excerpt`: a part of the file of that name
 * - `example`: a whole file, which works beside the files that the README says to copy
 * - `recipe`: a file that also needs packages which this project does not install
 * - `wire`: packets
 */
export function blocks(kind: "excerpt" | "example" | "recipe" | "wire"): [name: string, code: string][] {
  const pattern = new RegExp(`<!-- ${kind}: (\\S+) -->\\n+\`\`\`\\w*\\n([^]*?)\\n\`\`\``, "g");
  return [...readmes.values()].flatMap((text) => [...text.matchAll(pattern)]).map(([, name, code]) => [name!, code!]);
}

/** One of the blocks; its server listens on a free port. */
export function block(kind: "example" | "recipe", name: string): string {
  const code = new Map(blocks(kind)).get(name);
  if (code === undefined) throw new Error(`no README has the ${kind} ${name}`);
  return code.replace(
    /listen\(300\d, "localhost", \(\) => console.log\(.*\)\)/,
    'listen(0, "localhost", () => console.log(JSON.stringify(server.address())))',
  );
}

/** Makes a project of what the README says to copy, and pastes its examples, until the test ends. */
export function pasted(): string {
  const folder = mkdtempSync(join(tmpdir(), "first-peer-"));
  atTheEnd(() => rmSync(folder, { recursive: true }));
  for (const part of ["tsconfig.json", "backend", "frontend/client.ts"]) {
    cpSync(join(root, part), join(folder, part), { recursive: true });
  }
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"), "junction");
  for (const [name] of blocks("example")) writeFileSync(join(folder, name), block("example", name));
  return folder;
}

/**
 * Runs an example of a server in this process, until the test ends.
 *
 * @param change - makes another version of its code
 * @returns what it exports, its `io`, and its address
 */
export async function startExample<Exported = object>(name: string, change = (code: string) => code) {
  const file = join(pasted(), `backend/${name}.ts`);
  const quiet = readFileSync(file, "utf8").replace(/, \(\) => console.log\(.*\)\);$/m, ");");
  writeFileSync(file, `${change(quiet)}\nexport { server, io };\n`);
  const exported = require(file) as Exported & { server: HttpServer; io: Server };
  const { server, io } = exported;
  atTheEnd(async () => {
    const closed = io.close();
    server.closeAllConnections();
    await closed;
  });
  if (!server.listening) await new Promise((resolve) => server.once("listening", resolve));
  return { ...exported, url: `http://localhost:${(server.address() as AddressInfo).port}` };
}

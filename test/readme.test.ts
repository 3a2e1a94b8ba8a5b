// The READMEs say what the code says, and what they ask the reader to paste works.

import { expect } from "chai";
import { execFile } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, sep } from "node:path";
import { promisify } from "node:util";
import { readConfigFile, sys } from "typescript";
import { compile } from "./support/compiler";
import { compiledServer, DemoProcess } from "./support/demo-server";
import { atTheEnd } from "./support/harness";
import { pythonOrSkip } from "./support/python";

const root = join(__dirname, "..");
const paths = ["README.md", ...["backend", "frontend", "test"].flatMap(readmesBelow)];
const readmes = new Map(paths.map((path) => [path, readFileSync(join(root, path), "utf8")]));
const all = [...readmes.values()].join("\n");

function readmesBelow(folder: string): string[] {
  const files = readdirSync(join(root, folder), { recursive: true, encoding: "utf8" });
  return files.filter((file) => basename(file) === "README.md").map((file) => `${folder}/${file.replaceAll(sep, "/")}`);
}

/** The fenced blocks under a comment `<!-- kind: name -->`, with the name. */
function blocks(kind: "excerpt" | "example"): [string, string][] {
  const pattern = new RegExp(`<!-- ${kind}: (\\S+) -->\\n+\`\`\`\\w+\\n([^]*?)\\n\`\`\``, "g");
  return [...all.matchAll(pattern)].map(([, name, code]) => [name!, code!]);
}

/** Code in which only words and their order count, not how it is indented or wrapped. */
const normal = (code: string) => code.replace(/\s+/g, " ").trim();

const examples = blocks("example");

/** Makes a project of what the README says to copy, and pastes its examples; their servers listen on free ports. */
function pasted(): string {
  const folder = mkdtempSync(join(tmpdir(), "first-peer-"));
  atTheEnd(() => rmSync(folder, { recursive: true }));
  for (const part of ["tsconfig.json", "backend", "frontend/client.ts"]) {
    cpSync(join(root, part), join(folder, part), { recursive: true });
  }
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"), "junction");
  for (const [path, code] of examples) {
    const listening = /listen\(300\d, "localhost", \(\) => console.log\(.*\)\)/;
    const free = 'listen(0, "localhost", () => console.log(JSON.stringify(server.address())))';
    writeFileSync(join(folder, path), code.replace(listening, free));
  }
  return folder;
}

/** Runs a TypeScript file as the README says, until the test ends. */
const run = (file: string) => new DemoProcess(process.execPath, [join(root, "node_modules/ts-node/dist/bin.js"), file]);

describe("the READMEs", () => {
  for (const [path, code] of blocks("excerpt")) {
    it(`quotes ${path} as it is: ${code.trim().split("\n")[0]}`, () => {
      let rest = normal(readFileSync(join(root, path), "utf8"));
      for (const part of code.split(/^\s*\/\/ \.\.\.$/m)) {
        const at = rest.indexOf(normal(part));
        expect(at, normal(part)).to.be.at.least(0);
        rest = rest.slice(at + normal(part).length);
      }
    });
  }

  it("names tests that exist", async function () {
    this.timeout(60_000);
    const folders = ["test", "test/needs-more"];
    const mocha = join(root, "node_modules/mocha/bin/mocha.js");
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [mocha, "--dry-run", "--reporter", "json", ...folders],
      {
        cwd: root,
        maxBuffer: 1e8,
      },
    );
    const { tests } = JSON.parse(stdout.slice(stdout.indexOf("{"))) as { tests: { title: string }[] };
    const titles = new Set(tests.map(({ title }) => title));

    const [, table] = readmes.get("test/README.md")!.match(/\| change .*\n\|[- |]+\|\n([^]*?)\n\n/)!;
    const rows = table!.split("\n");
    expect(rows.length).to.be.greaterThan(10);
    for (const row of rows) {
      const names = [...row.split("|")[2]!.matchAll(/`([^`]+)`/g)].map(([, name]) => name);
      expect(names, row).to.not.deep.equal([]);
      for (const name of names) expect(titles.has(name!), name).to.equal(true);
    }
  });

  it("links to headings and files that exist", () => {
    const slug = (heading: string) =>
      heading
        .toLowerCase()
        .replace(/[^\w\- ]/g, "")
        .replaceAll(" ", "-"); // as GitHub
    for (const [path, text] of readmes) {
      for (const [, link, source] of text.matchAll(/\]\(([^)\s]+)\)|(?:src|srcset)="([^"]+)"/g)) {
        const [file, heading] = (link ?? source)!.split("#");
        if (file!.startsWith("http")) continue;
        const target = file ? join(dirname(path), file) : path;
        expect(existsSync(join(root, target)), `${path}: ${target}`).to.equal(true);
        if (!heading) continue;
        const headings = [...(readmes.get(target) ?? "").matchAll(/^#+ (.+)$/gm)].map(([, title]) => slug(title!));
        expect(headings, `${path}: ${link}`).to.include(heading);
      }
    }
  });

  it("has examples in TypeScript that compile under the project's strict settings", function () {
    this.timeout(60_000);
    const files = examples.map(([path]) => path).filter((path) => path.endsWith(".ts"));
    const { config } = readConfigFile(join(root, "tsconfig.json"), sys.readFile) as {
      config: { compilerOptions: Record<string, unknown> };
    };
    expect(files).to.not.deep.equal([]);
    expect(compile(pasted(), files, config.compilerOptions)).to.deep.equal([]);
  });

  it("has an auction that works as pasted", async () => {
    const folder = pasted();
    const [, port] = await run(join(folder, "backend/auction.ts")).line(/"port":(\d+)/);
    const file = join(folder, "frontend/bidder.ts");
    writeFileSync(file, readFileSync(file, "utf8").replace("3001", port!));

    const bidder = run(file);
    await bidder.line(/is 10$/);
    expect(bidder.lines).to.deep.equal(["the highest bid for the lamp is 0", "the highest bid for the lamp is 10"]);
  });

  describe("in Python", () => {
    const start = compiledServer();

    it("has a client that works as pasted", async function () {
      const python = pythonOrSkip(this);
      const url = await start().url();
      const { stdout } = await promisify(execFile)(python, [join(pasted(), "chat.py"), url], { timeout: 15_000 });
      expect(stdout).to.equal("created 1\n");
    });
  });
});

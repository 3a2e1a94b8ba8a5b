// The READMEs say what the code says, and what they ask the reader to paste works.

import { expect } from "chai";
import { execFile, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { atTheEnd } from "./support/harness";
import { pythonOrSkip } from "./support/python";

const root = join(__dirname, "..");
const paths = ["README.md", "backend/cluster/README.md", "test/README.md", "test/bench/README.md"];
const readmes = new Map(paths.map((path) => [path, readFileSync(join(root, path), "utf8")]));
const all = [...readmes.values()].join("\n");

/** The fenced blocks under a comment `<!-- kind: name -->`, with the name. */
function blocks(kind: "excerpt" | "example"): [string, string][] {
  const pattern = new RegExp(`<!-- ${kind}: (\\S+) -->\\n+\`\`\`\\w+\\n([^]*?)\\n\`\`\``, "g");
  return [...all.matchAll(pattern)].map(([, name, code]) => [name!, code!]);
}

/** Code in which only words and their order count, not how it is indented or wrapped. */
const normal = (code: string) => code.replace(/\s+/g, " ").trim();

/** Writes the examples into a folder below the one that the README says, since the two have settings of their own. */
function writeExamples(parent: "backend" | "frontend" = "backend"): string {
  const folder = mkdtempSync(join(root, parent, ".example-"));
  atTheEnd(() => rmSync(folder, { recursive: true }));
  for (const [path, code] of blocks("example")) {
    const moved = code
      .replace('"./io-handler"', JSON.stringify(join(root, "backend/io-handler")))
      .replace('"./client"', JSON.stringify(join(root, "frontend/client")))
      .replace(
        /listen\(300\d, "localhost", \(\) => console.log\(.*\)\)/,
        'listen(0, "localhost", () => console.log(server.address()))',
      );
    writeFileSync(join(folder, path.split("/").at(-1)!), moved);
  }
  return folder;
}

/** Runs a TypeScript file until the test ends; the lines that it prints come one by one. */
function run(file: string) {
  const child = spawn(process.execPath, [join(root, "node_modules/ts-node/dist/bin.js"), file], {
    cwd: root,
    stdio: ["ignore", "pipe", "inherit"],
  });
  atTheEnd(() => child.kill());
  return createInterface(child.stdout)[Symbol.asyncIterator]();
}

/** The port in what `console.log(server.address())` prints. */
async function portOf(lines: AsyncIterator<string>): Promise<string> {
  for (let text = ""; ;) {
    const line = await lines.next();
    if (line.done) throw new Error(`no port in: ${text}`);
    text += line.value;
    const port = text.match(/port: (\d+)/)?.[1];
    if (port) return port;
  }
}

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
    const mocha = join(root, "node_modules/mocha/bin/mocha.js");
    const { stdout } = await promisify(execFile)(process.execPath, [mocha, "--dry-run", "--reporter", "json"], {
      cwd: root,
      maxBuffer: 1e8,
    });
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

  it("has examples in TypeScript that compile under the project's strict settings", async () => {
    const folder = writeExamples();
    const config = join(folder, "tsconfig.json");
    writeFileSync(
      config,
      JSON.stringify({ extends: join(root, "tsconfig.json"), compilerOptions: { rootDir: root }, include: ["*.ts"] }),
    );
    await promisify(execFile)(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", config]).catch(
      ({ stdout }: { stdout: string }) => expect.fail(stdout),
    );
  });

  it("has an auction that works as pasted", async () => {
    const folder = writeExamples();
    const port = await portOf(run(join(folder, "auction.ts")));
    const bidder = join(writeExamples("frontend"), "bidder.ts");
    writeFileSync(bidder, readFileSync(bidder, "utf8").replace("3001", port));
    const lines = run(bidder);

    expect((await lines.next()).value).to.equal("the highest bid for the lamp is 0");
    expect((await lines.next()).value).to.equal("the highest bid for the lamp is 10");
  });

  it("has a client in Python that works as pasted", async function () {
    const python = pythonOrSkip(this);
    const folder = writeExamples();
    const demo = spawn(process.execPath, ["-r", "ts-node/register", "backend/server.ts"], {
      cwd: root,
      env: { ...process.env, PORT: "0", REDIS_URL: "" },
      stdio: ["ignore", "pipe", "inherit"],
    });
    atTheEnd(() => demo.kill());
    const first = await createInterface(demo.stdout)[Symbol.asyncIterator]().next();
    const url = String(first.value).match(/http:\S+/)![0];

    const { stdout } = await promisify(execFile)(python, [join(folder, "chat.py"), url], { timeout: 15_000 });
    expect(stdout).to.equal("created 1\n");
  });
});

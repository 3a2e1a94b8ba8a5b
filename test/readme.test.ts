// The READMEs say what the code says, and what they ask the reader to paste works.

import { expect } from "chai";
import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { readConfigFile, sys } from "typescript";
import { compile } from "./support/compiler";
import { compiledServer, runFile } from "./support/demo-server";
import { pythonOrSkip } from "./support/python";
import { blocks, pasted, readmes, root } from "./support/readmes";

/** Code in which only words and their order count, not how it is indented or wrapped. */
const normal = (code: string) => code.replace(/\s+/g, " ").trim();

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

  it("have a tutorial of at most 1,900 words of prose", () => {
    const prose = readmes.get("README.md")!.replace(/^```[^]*?^```$/gm, "");
    expect(prose.split(/\s+/).length).to.be.at.most(1900);
  });

  it("names tests that exist", () => {
    const files = readdirSync(__dirname, { recursive: true, encoding: "utf8" }).filter((file) =>
      file.endsWith("test.ts"),
    );
    const code = files.map((file) => readFileSync(join(__dirname, file), "utf8")).join("\n");
    const titles = [...code.matchAll(/"(.+?)"|`(.+?)`/g)].map(([, plain, template]) => plain ?? template!);
    const patterns = titles.flatMap((title) => {
      const parts = title.split(/\$\{.*?\}/).map((part) => part.replace(/[^\w ]/g, "\\$&"));
      return parts.join("").length < 10 ? [] : new RegExp(`^${parts.join(".+")}$`); // what is in braces may be anything
    });

    const [, table] = readmes.get("test/README.md")!.match(/\| change .*\n\|[- |]+\|\n([^]*?)\n\n/)!;
    const rows = table!.split("\n");
    expect(rows.length).to.be.greaterThan(10);
    for (const row of rows) {
      const names = [...row.split("|")[2]!.matchAll(/`([^`]+)`/g)].map(([, name]) => name);
      expect(names, row).to.not.deep.equal([]);
      for (const name of names)
        expect(
          patterns.some((pattern) => pattern.test(name!)),
          name,
        ).to.equal(true);
    }
  });

  it("links to headings and files that exist", () => {
    const slug = (heading: string) =>
      heading
        .toLowerCase()
        .replace(/[^\w\- ]/g, "")
        .replaceAll(" ", "-"); // as GitHub
    for (const [path, text] of readmes) {
      const prose = text.replace(/^```[^]*?^```$/gm, "");
      for (const [, link, source] of prose.matchAll(/\]\(([^)\s]+)\)|(?:src|srcset)="([^"]+)"/g)) {
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

  it("has examples in TypeScript that compile under the project's strict settings", () => {
    const files = blocks("example")
      .map(([path]) => path)
      .filter((path) => path.endsWith(".ts"));
    const { config } = readConfigFile(join(root, "tsconfig.json"), sys.readFile) as {
      config: { compilerOptions: Record<string, unknown> };
    };
    expect(files).to.not.deep.equal([]);
    expect(compile(pasted(), files, config.compilerOptions)).to.deep.equal([]);
  });

  it("has a whole server and a whole client that run as they stand, and a refusal that is heard", async () => {
    const folder = pasted();
    const [, port] = await runFile(join(folder, "backend/hello.ts")).line(/"port":(\d+)/);
    const file = join(folder, "frontend/hello.ts");
    const code = readFileSync(file, "utf8").replace("3000", port!);
    writeFileSync(file, code);
    await runFile(file).line(/^hello \(item 2 of category 1\)$/);
    writeFileSync(file, code.replace("process.argv[2]", '"/category/x"'));
    await runFile(file).line(/^refused: no route matches \/category\/x$/);
  });

  it("has an auction that works as pasted", async () => {
    const folder = pasted();
    const [, port] = await runFile(join(folder, "backend/auction.ts")).line(/"port":(\d+)/);
    const file = join(folder, "frontend/bidder.ts");
    writeFileSync(file, readFileSync(file, "utf8").replace("3001", port!));

    const bidder = runFile(file);
    await bidder.line(/is 10$/);
    expect(bidder.lines).to.deep.equal(["the highest bid for the lamp is 0", "the highest bid for the lamp is 10"]);
  });

  it("has a guarded server that works as pasted, and says why it refuses", async () => {
    const folder = pasted();
    const [, port] = await runFile(join(folder, "backend/guarded.ts")).line(/"port":(\d+)/);
    const file = join(folder, "frontend/member.ts");
    const code = readFileSync(file, "utf8").replace("3002", port!);
    for (const [token, line] of [
      ["token of Ada", /^Ada: hello$/],
      ["token of Mallory", /^refused: not here$/],
      ["another", /^refused: members only$/],
    ] as const) {
      writeFileSync(file, code.replace("process.argv[2]", JSON.stringify(token)));
      await runFile(file).line(line);
    }
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

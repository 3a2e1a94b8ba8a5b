// An application can install the project instead of copying its files: what `npm pack` makes is installed into a folder
// of its own, without a network, and the README's auction is compiled and run there.

import { expect } from "chai";
import { execFile, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { compile } from "../support/compiler";
import { atTheEnd } from "../support/harness";
import { block } from "../support/readmes";

const root = join(__dirname, "../..");
const { name, version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  name: string;
  version: string;
};

/** Settings of an application that wants to know every mistake. */
const strict = { strict: true, target: "es2022", types: ["node"] };

/** The values of `type` in package.json: which kind of module an application is made of. */
const kinds = ["commonjs", "module"];

/** An example of the README, which imports the package instead of a file. */
const example = (path: string) =>
  block("example", path).replace('"./io-handler"', `"${name}"`).replace('"./client"', `"${name}/client"`);

/** Both entries with types that an `any` in their place would not pass. */
const typed = `
import { Server } from "socket.io";
import type { Socket } from "socket.io-client";
import ioHandler, { routes, type Routes } from "${name}";
import { connect } from "${name}/client";

export const table: Routes = routes;
export const socket: Socket = connect("http://localhost", "/auction/lamp");
const ee = ioHandler(new Server(), { routes: { auction: /^\\/auction\\/(\\w+)$/ } });
ee.on("dynamic.group.auction", (peer, lot) => void [peer.id, lot.length]);
// @ts-expect-error: there is no such route
ee.on("dynamic.group.chat", () => undefined);
// @ts-expect-error: the name of the namespace is missing
connect("http://localhost");
`;

describe("the package", function () {
  this.timeout(300_000); // npm and the compiler, on a machine that is busy with other things

  let scratch: string;
  let app: string;

  /** Runs a program to its end; what it has printed is the error if it fails. */
  async function run(program: string, args: string[], cwd = app): Promise<string> {
    // without the settings that npm hands down to whoever runs these tests through it
    const env = Object.fromEntries(Object.entries(process.env).filter(([key]) => !/^npm_/i.test(key)));
    try {
      return (await promisify(execFile)(program, args, { cwd, env, timeout: 120_000 })).stdout;
    } catch (err) {
      const { message, stdout } = err as Error & { stdout: string };
      throw new Error(`${message}\n${stdout}`);
    }
  }

  /** Runs a compiled file of the application until the test ends; the lines that it prints come one by one. */
  function start(...args: string[]) {
    const child = spawn(process.execPath, args, { cwd: app, stdio: ["ignore", "pipe", "inherit"] });
    atTheEnd(() => child.kill());
    return createInterface(child.stdout)[Symbol.asyncIterator]();
  }

  before(async () => {
    scratch = mkdtempSync(join(tmpdir(), `${name}-`));
    app = join(scratch, "app");
    mkdirSync(app);
    writeFileSync(join(app, "package.json"), "{}");

    const npm = ["--loglevel", "error", "--offline", "--cache", join(scratch, "cache")];
    await run("npm", ["pack", ...npm, "--pack-destination", scratch], root);
    await run("npm", ["install", ...npm, join(scratch, `${name}-${version}.tgz`)]);

    // what the application has installed besides, found one folder further up
    mkdirSync(join(scratch, "node_modules/@types"), { recursive: true });
    for (const other of ["socket.io", "socket.io-client", "@types/node"]) {
      symlinkSync(join(root, "node_modules", other), join(scratch, "node_modules", other), "junction");
    }
    for (const type of kinds) {
      mkdirSync(join(app, type));
      writeFileSync(join(app, type, "package.json"), JSON.stringify({ type }));
      writeFileSync(join(app, type, "typed.ts"), typed);
      writeFileSync(join(app, type, "auction.ts"), example("backend/auction.ts"));
      writeFileSync(
        join(app, type, "bidder.ts"),
        example("frontend/bidder.ts").replace('"http://localhost:3001"', "process.argv[2]!"),
      );
    }
  });

  after(() => rmSync(scratch, { recursive: true, force: true }));

  it("holds the handler, its namespaces, the client and their types, and nothing of the demo", () => {
    const folder = join(app, "node_modules", name);
    const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    const sources = readdirSync(join(root, "backend/namespaces")).filter((file) => file.endsWith(".ts"));
    const parts = sources.map((file) => `dist/backend/namespaces/${file}`);

    expect(files.map((file) => relative(folder, join(file.parentPath, file.name)))).to.have.members([
      "LICENSE",
      "README.md",
      "package.json",
      "client/package.json",
      ...["io-handler.js", "io-handler.d.ts", "package/index.mjs", "package/index.d.mts"].map(
        (file) => `dist/backend/${file}`,
      ),
      ...[".js", ".d.ts", ".mjs", ".d.mts"].map((ending) => `dist/frontend/client${ending}`),
      ...parts.flatMap((part) => [".js", ".d.ts"].map((ending) => part.replace(/\.ts$/, ending))),
    ]);
  });

  it("has the text of the licence, as each place has that files are copied from", () => {
    const licence = readFileSync(join(app, "node_modules", name, "LICENSE"), "utf8");
    expect(licence).to.match(/^MIT License\n\nCopyright/);
    for (const place of ["backend/namespaces", "frontend"]) {
      expect(readFileSync(join(root, place, "LICENSE"), "utf8"), place).to.equal(licence);
    }
  });

  it("brings no other package into the application", () => {
    const installed = readdirSync(join(app, "node_modules")).filter((entry) => !entry.startsWith("."));
    expect(installed).to.deep.equal([name]);
  });

  it("compiles in CommonJS and in ES modules as Node.js has them, and the README's auction then runs in both", async () => {
    const files = ["auction.ts", "bidder.ts", "typed.ts"];
    const both = kinds.flatMap((kind) => files.map((file) => join(kind, file)));
    expect(compile(app, both, { ...strict, module: "nodenext" })).to.deep.equal([]);

    for (const kind of kinds) {
      const { value } = await start(`${kind}/auction.js`).next();
      const { port } = JSON.parse(String(value)) as { port: number };
      const lines = start(`${kind}/bidder.js`, `http://localhost:${port}`);

      expect((await lines.next()).value, kind).to.equal("the highest bid for the lamp is 0");
      expect((await lines.next()).value, kind).to.equal("the highest bid for the lamp is 10");
    }
  });

  it("has its types where bundlers look for them", () => {
    const bundler = { ...strict, noEmit: true, module: "esnext", moduleResolution: "bundler" };
    expect(compile(app, ["module/typed.ts"], bundler)).to.deep.equal([]);
  });

  it("has its types where TypeScript looked before it knew `exports`", () => {
    const older = {
      ...strict,
      noEmit: true,
      module: "commonjs",
      moduleResolution: "node10",
      ignoreDeprecations: "6.0",
    };
    expect(compile(app, ["commonjs/typed.ts"], older)).to.deep.equal([]);
  });

  it("can be required in plain JavaScript", async () => {
    const script = `console.log(require("${name}").default.name, require("${name}/client").connect.name)`;
    expect(await run(process.execPath, ["--eval", script])).to.equal("ioHandler connect\n");
  });

  it("is found by bundlers that know no `exports`, since its files lie where they look", () => {
    const folder = JSON.stringify(join(app, "node_modules", name)); // a path, for which Node.js reads no `exports` either
    const script = `console.log(require(${folder}).default.name, require(${folder} + "/client").connect.name)`;
    return run(process.execPath, ["--eval", script]).then((names) => expect(names).to.equal("ioHandler connect\n"));
  });

  it("has a client that a page can take: an ES module that imports socket.io-client alone", async () => {
    const script = `console.log(import.meta.resolve("${name}/client"))`;
    const url = (await run(process.execPath, ["--input-type=module", "--eval", script])).trim();
    const code = readFileSync(new URL(url), "utf8");
    expect(code).to.include("export function connect(");
    expect([...code.matchAll(/^import .* from "(.*)";$/gm)].map(([, from]) => from)).to.deep.equal([
      "socket.io-client",
    ]);
  });
});

// The pattern where people run Socket.IO: in other runtimes, on other engines, minified, and copied into ES modules. The
// server is a process of its own there, and plays the same scene on each transport with the clients of this process.

import { expect } from "chai";
import { execFile, spawn } from "node:child_process";
import { cpSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { io as connectPlain, type Socket } from "socket.io-client";
import { compile } from "../support/compiler";
import { atTheEnd, join, joined, next, onEachTransport, open, refusal } from "../support/harness";
import { emptyFolder, installed } from "../support/scratch";

const root = path.join(__dirname, "../..");
const CHAT = "/category/1/item/2/chat";
const SERVER = "test/support/anywhere.ts";

/** Copies the pattern's files into a folder as an application would, and the server of this test. */
function copyInto(app: string): void {
  for (const file of ["backend/io-handler.ts", "backend/namespaces", "frontend/client.ts", SERVER]) {
    cpSync(path.join(root, file), path.join(app, file), { recursive: true });
  }
  symlinkSync(path.join(root, "node_modules"), path.join(app, "node_modules"), "junction");
}

/** Does what the README says for ES modules: a relative import ends in `.ts`. */
function makeModules(app: string): void {
  writeFileSync(path.join(app, "package.json"), '{ "type": "module" }');
  for (const folder of ["backend", "backend/namespaces", "test/support"]) {
    for (const file of readdirSync(path.join(app, folder)).filter((name) => name.endsWith(".ts"))) {
      const code = readFileSync(path.join(app, folder, file), "utf8");
      writeFileSync(path.join(app, folder, file), code.replace(/( from "\.[^"]*)"/g, '$1.ts"'));
    }
  }
}

/** A place where the pattern runs. */
interface Place {
  /** What has to be installed for it. */
  packages?: string[];
  engine?: string;
  /** Prepares the copied files, and returns the command that runs the server; `modules` is where the packages are. */
  prepare: (app: string, modules: string) => string[] | Promise<string[]>;
}

/** A version of Node.js as a package; each kind of machine has one of its own. */
const nodePackage = (version: number) =>
  `node-${version}@npm:node-${process.platform.replace("32", "")}-${process.arch}@${version}`;

/** Bundles and minifies a server into one file, so that no class keeps its name. */
async function minified(app: string, modules: string): Promise<string> {
  const options = ["--bundle", "--minify", "--platform=node", "--log-level=error", "--outfile=server.js"];
  await promisify(execFile)(path.join(modules, ".bin/esbuild"), [SERVER, ...options], { cwd: app });
  return "server.js";
}

const ownTypes = (version: number): Place => ({
  packages: [nodePackage(version)],
  prepare: (app, modules) => {
    makeModules(app);
    return [path.join(modules, `node-${version}/bin/node`), "--expose-gc", "--experimental-strip-types", SERVER];
  },
});

const bun: Place = {
  packages: ["bun@1", "@socket.io/bun-engine@0.1"],
  prepare: (_app, modules) => [path.join(modules, ".bin/bun"), SERVER],
};

const places: Record<string, Place> = {
  "in Bun": bun,
  "in Bun, on Bun's own engine": { ...bun, engine: "@socket.io/bun-engine" },
  "in Deno": {
    packages: ["deno@2"],
    prepare: (app, modules) => {
      makeModules(app);
      return [path.join(modules, ".bin/deno"), "run", "--allow-all", "--v8-flags=--expose-gc", SERVER];
    },
  },
  "on uWebSockets.js": {
    // npm has no more of it than what others publish; this one is for Node.js 20
    packages: ["uWebSockets.js@npm:@trufflesuite/uws-js-unofficial@20.30.0-unofficial.0", nodePackage(20), "esbuild@0"],
    engine: "uWebSockets.js",
    prepare: async (app, modules) => [
      path.join(modules, "node-20/bin/node"),
      "--expose-gc",
      await minified(app, modules),
    ],
  },
  "minified into one file": {
    packages: ["esbuild@0"],
    prepare: async (app, modules) => [process.execPath, "--expose-gc", await minified(app, modules)],
  },
  "compiled as ES modules": {
    prepare: (app) => {
      makeModules(app);
      const settings = { strict: true, target: "es2022", module: "nodenext", types: ["node"], skipLibCheck: true };
      const endings = { rewriteRelativeImportExtensions: true };
      const asNodeItself = { erasableSyntaxOnly: true, verbatimModuleSyntax: true }; // what type stripping can take
      expect(compile(app, [SERVER], { ...settings, ...endings, ...asNodeItself })).to.deep.equal([]);
      return [process.execPath, "--expose-gc", SERVER.replace(/ts$/, "js")];
    },
  },
  "with the type stripping of Node.js 22": ownTypes(22),
  "with the type stripping of Node.js 24": ownTypes(24),
  "with the type stripping of Node.js 26": ownTypes(26),
};

for (const [where, { packages = [], engine = "node:http", prepare }] of Object.entries(places)) {
  describe(`the pattern runs ${where}`, () => {
    let url: string;
    let stop = () => {};
    before(async function () {
      this.timeout(300_000); // a download, on a machine that is busy with other things
      const folder = packages.length > 0 ? await installed(this, ...packages) : emptyFolder(this);
      const app = path.join(folder, "app");
      copyInto(app);
      const [program, ...args] = await prepare(app, path.join(folder, "node_modules"));
      const env = { ...process.env, DENO_DIR: path.join(folder, "deno") };
      const server = spawn(program!, [...args, engine], { cwd: app, env, stdio: ["pipe", "pipe", "inherit"] });
      stop = () => server.kill();
      const [port] = await Promise.race([
        next<[string]>(createInterface(server.stdout), "line"),
        next(server, "exit").then(([code]) => expect.fail(`the server has ended: ${code}`)),
      ]);
      url = `http://127.0.0.1:${port}`;
    });
    after(() => stop());

    onEachTransport("from its first peer on", (transports) => {
      let control: Socket; // tells what happens at the server
      let events: string[];
      beforeEach(async () => {
        events = [];
        control = connectPlain(`${url}/control`, { forceNew: true });
        atTheEnd(() => control.disconnect());
        control.onAny((_name, event: string) => events.push(event));
        await joined(control);
      });

      it("a namespace is created, joined, come back to after a lost connection, and retired", async () => {
        const first = await join(url, CHAT, { transports });
        const later = await join(url, CHAT, { transports });
        const heard = next(first, "said");
        later.emit("say", "hello");
        expect((await heard)[0]).to.equal("hello");

        const [left, missed, back] = [next(control, "left"), next(first, "said"), next(first, "connect")];
        first.io.engine.close();
        await left;
        later.emit("say", "still there?");
        await back;
        expect(first.recovered).to.equal(true);
        expect((await missed)[0]).to.equal("still there?");
        expect(await control.emitWithAck("namespaces")).to.deep.equal(["/", "/control", CHAT]);

        const retired = next(control, "retired");
        first.disconnect();
        later.disconnect();
        await retired;
        expect(await control.emitWithAck("namespaces")).to.deep.equal(["/", "/control"]);
        const cameAndWent = ["joined 1 2", "joined 1 2", "left 1 2", "recovered 1 2", "left 1 2", "left 1 2"];
        expect(events).to.deep.equal([`created ${CHAT}`, ...cameAndWent, `retired ${CHAT}`]);
      });

      it("a peer is refused with the reason", async () => {
        const socket = open(url, "/nowhere", { transports });
        expect((await refusal(socket)).message).to.equal("no route matches /nowhere");
        expect([socket.active, events]).to.deep.equal([false, []]);
      });

      it("the client runs there too, and nothing of a retired namespace stays in memory", async () => {
        const retired = next(control, "retired");
        expect(await control.emitWithAck("join and leave", CHAT, transports)).to.equal("joined");
        expect(await control.emitWithAck("join and leave", "/nowhere", transports)).to.equal(
          "no route matches /nowhere",
        );
        await retired;
        let inMemory: number;
        do inMemory = await control.emitWithAck("in memory");
        while (inMemory > 0);
      });
    });
  });
}

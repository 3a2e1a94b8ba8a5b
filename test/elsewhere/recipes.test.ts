// The recipes of the guides that need packages which this project does not install: they are installed into a folder of
// its own, once for all of them. React also needs a browser, and the names in Python need Python.

import { expect } from "chai";
import { execFile } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import type { Browser } from "playwright-core";
import type { Socket as ServerSocket } from "socket.io";
import { newPerson } from "../support/browser";
import { compile } from "../support/compiler";
import { DemoProcess } from "../support/demo-server";
import { atTheEnd, next, open, openPlain, pause, startServer, until } from "../support/harness";
import { chromiumOrSkip } from "../support/installed";
import { pythonOrSkip } from "../support/python";
import { block, blocks, root, startExample } from "../support/readmes";
import { installed } from "../support/scratch";

const CHAT = "/category/1/item/2/chat";
const PACKAGES = [
  ...["common", "core", "platform-express", "platform-socket.io", "websockets"].map((part) => `@nestjs/${part}@^12`),
  ...[
    "reflect-metadata",
    "rxjs",
    "fastify@^5",
    "react@^19",
    "react-dom@^19",
    "@types/react@^19",
    "@types/react-dom@^19",
  ],
  ...["esbuild@^0.28", "socket.io@~4.8", "socket.io-client@~4.8"],
];

/** The program around a recipe. */
const programs = {
  "nest/src/main.ts": `
    import "reflect-metadata";
    import { Module } from "@nestjs/common";
    import { NestFactory } from "@nestjs/core";
    import { WebSocketGateway } from "@nestjs/websockets";
    import type { Socket } from "socket.io";
    import { ChatGateway } from "./chat.gateway";

    @WebSocketGateway()
    class RootGateway {
      handleConnection(socket: Socket) {
        console.log("the root gateway has seen", socket.handshake.query["ns"]);
      }
    }

    @Module({ providers: [ChatGateway, RootGateway] })
    class AppModule {}

    void NestFactory.create(AppModule, { logger: ["error"] }).then(async (app) => {
      await app.listen(0, "127.0.0.1");
      process.once("SIGTERM", () => void app.close());
      console.log(await app.getUrl());
    });`,
};

/** The page of the recipe for React, which also leaves when the test says so. */
const leaving = (code: string) =>
  code.replace(
    /^(createRoot\(.*\))\.render/m,
    'const page = $1;\ndocument.body.addEventListener("leave", () => page.unmount());\npage.render',
  );

describe("the recipe", () => {
  let app: string;

  before(async function () {
    this.timeout(300_000);
    app = await installed(this, ...PACKAGES);
    writeFileSync(join(app, "package.json"), JSON.stringify({ private: true, type: "commonjs" }));

    for (const copy of ["nest/src", "fastify"]) {
      cpSync(join(root, "backend/io-handler.ts"), join(app, copy, "io-handler.ts"));
      cpSync(join(root, "backend/namespaces"), join(app, copy, "namespaces"), { recursive: true });
    }
    cpSync(join(root, "frontend/client.ts"), join(app, "react/src/client.ts"));
    for (const [file, code] of [...blocks("recipe"), ...Object.entries(programs)]) {
      mkdirSync(dirname(join(app, file)), { recursive: true });
      writeFileSync(join(app, file), file === "react/src/main.tsx" ? leaving(code) : code.replace("3004", "0"));
    }
    const errors = compile(app, ["nest/src/main.ts", "fastify/app.ts", "react/src/main.tsx"], {
      ...{ strict: true, skipLibCheck: true, target: "es2022", lib: ["es2023", "dom"], module: "nodenext" },
      ...{ experimentalDecorators: true, emitDecoratorMetadata: true, jsx: "react-jsx" },
      ...{ rootDir: ".", outDir: "out", types: ["node"], typeRoots: [join(root, "node_modules/@types")] },
    });
    expect(errors).to.deep.equal([]);
  });

  const run = (file: string, ...options: string[]) =>
    new DemoProcess(process.execPath, [...options, join(app, "out", file)]);

  it("for Nest puts the pattern beside a gateway", async () => {
    const nest = run("nest/src/main.js");
    const [url] = await nest.line(/http:\S+/);

    expect(await next(open(url, CHAT), "topic")).to.deep.equal([{ categoryId: "1", itemId: "2" }]);
    const [hello] = openPlain(url, ["/app"]);
    expect(await hello!.timeout(15_000).emitWithAck("hello", {})).to.equal("hello from /app");
    const [plain] = openPlain(url, ["/"]);
    expect(await next(plain!, "refused")).to.deep.equal([{ err: "ns not provided" }]);
    await nest.line(/seen undefined/);
    await nest.line(/seen \/category\/1\/item\/2\/chat/);

    nest.child.kill("SIGTERM");
    expect(await nest.ended).to.equal(0);
  });

  it("for Fastify serves both, and ends when Fastify is closed", async () => {
    const main = join(app, "out/fastify/app.js");
    writeFileSync(main, `${readFileSync(main, "utf8")}\nprocess.once("SIGTERM", () => void app.close());`);
    const fastify = run("fastify/app.js");
    const [url] = await fastify.line(/http:\S+/);

    expect(await next(open(url, CHAT), "topic")).to.deep.equal([{ categoryId: "1", itemId: "2" }]);
    expect(await (await fetch(`${url}/hello`)).text()).to.equal("hello");

    fastify.child.kill("SIGTERM");
    expect(await fastify.ended).to.equal(0);
  });

  describe("in a browser", () => {
    let browser: Browser;

    before(async function () {
      browser = await chromiumOrSkip(this);
    });
    after(() => browser?.close());

    /** Serves a page and its script on an origin of their own, and returns the origin. */
    async function serve(script: () => string): Promise<string> {
      const pages = createServer((request, response) => {
        response.setHeader("Content-Type", request.url === "/" ? "text/html" : "text/javascript");
        response.end(
          request.url === "/" ? '<!doctype html><div id="root"></div><script src="/main.js"></script>' : script(),
        );
      });
      await new Promise<void>((resolve) => pages.listen(0, "127.0.0.1", resolve));
      atTheEnd(() => pages.close());
      return `http://127.0.0.1:${(pages.address() as AddressInfo).port}`;
    }

    /** Opens a page with the component; the connections that it has opened are counted. */
    async function openPage(change = (code: string) => code) {
      let script = "";
      const origin = await serve(() => script);
      const { io, url } = await startExample("guarded", (code) => code.replace("http://localhost:5173", origin));
      const count = { connections: 0 };
      io.engine.on("connection", () => count.connections++);

      const component = block("recipe", "react/src/Chat.tsx").replace("http://localhost:3002", url);
      writeFileSync(join(app, "react/src/Chat.tsx"), change(component));
      const esbuild = join(app, "node_modules/esbuild/bin/esbuild");
      script = (
        await promisify(execFile)(esbuild, ["--bundle", "--jsx=automatic", join(app, "react/src/main.tsx")], {
          maxBuffer: 1e8,
        })
      ).stdout;
      const { page } = await newPerson(browser, origin);
      atTheEnd(() => page.context().close());
      await page.goto("/");
      return { page, io, count };
    }

    it("for React in StrictMode opens one connection, and leaves nothing behind", async () => {
      const { page, io, count } = await openPage();
      await page.getByText("connected").waitFor();
      await page.getByRole("button").click();
      await page.getByText("Ada: hello").waitFor();

      await page.locator("body").dispatchEvent("leave");
      await until(() => [io.engine.clientsCount, io._nsps.size], [0, 1]);
      expect(count.connections).to.equal(1);
    });

    it("would leave a connection behind if it connected in the effect itself", async () => {
      const { page, io, count } = await openPage((code) =>
        code.replace("setTimeout(() => peer.connect())", "Number(void peer.connect())"),
      );
      await page.getByText("connected").waitFor();
      await page.locator("body").dispatchEvent("leave");
      await until(() => io._nsps.size === 1);
      expect(count.connections).to.equal(2);
      expect(io.engine.clientsCount).to.equal(1);
    });

    for (const transport of ["polling", "websocket"]) {
      it(`six peers ${transport === "polling" ? "block" : "do not block"} it, on ${transport}`, async () => {
        const { io, url } = await startServer({ io: { cors: { origin: "*" } } });
        const client = readFileSync(join(root, "node_modules/socket.io-client/dist/socket.io.min.js"), "utf8");
        const { page } = await newPerson(browser, await serve(() => client));
        atTheEnd(() => page.context().close());
        await page.goto("/");
        await page.evaluate(`for (let item = 0; item < 6; item++) {
          const ns = "/category/1/item/" + item + "/chat";
          io("${url}" + ns, { query: { ns }, forceNew: true, transports: ["${transport}"] });
        }`);
        await until(() => [...io._nsps.values()].filter(({ sockets }) => sockets.size > 0).length === 7);
        const { clients } = io.engine as unknown as { clients: Record<string, ServerSocket["conn"]> };
        await until(() => Object.values(clients).every((conn) => conn.transport.writable)); // each has sent its next poll

        const answer = page.evaluate(`fetch("${url}/socket.io/socket.io.js").then(() => "answered")`);
        if (transport === "polling") {
          expect(await Promise.race([answer, pause(300)])).to.equal(undefined);
          io.of("/category/1/item/0/chat").emit("news"); // answers a poll
        }
        expect(await answer).to.equal("answered");
      });
    }
  });

  it("for Python reaches names that a URL has to encode, whatever the default namespace is told", async function () {
    const python = pythonOrSkip(this);
    const { io, created, url } = await startServer({ routes: { room: /^\/room\/(.+)$/ } });
    io.on("connection", (socket) => {
      socket.emit("welcome"); // in the default namespace, which this client has not asked for
      io.emit("news");
    });
    let connections = 0;
    io.engine.on("connection", () => connections++);
    const name = "/room/a+b 100%25 ä&c";
    const code = block("example", "chat.py")
      .replace('"/category/1/item/2/chat"', JSON.stringify(name))
      .replace("wait=False)", "wait=True)\n        leave()");
    await promisify(execFile)(python, ["-c", code, url], { timeout: 30_000 });
    expect([created, connections]).to.deep.equal([[name], 1]);
  });
});

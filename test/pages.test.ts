// What the demo serves besides Socket.IO, wherever its folder is, and what it lets a browser do with it.

import { expect } from "chai";
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, extname, join } from "node:path";
import express from "express";
import type * as Pages from "../backend/demo/pages";
import { chatServer } from "../backend/server";
import { atTheEnd, next } from "./support/harness";

const root = join(__dirname, "..");
const CHAT = "/category/1/item/2/chat";
const PAGES = ["/", "/two-peers", CHAT, "/x"];

describe("the pages of the demo", () => {
  it("are there also below a folder whose name begins with a dot", async () => {
    const folder = mkdtempSync(join(tmpdir(), ".first-peer-"));
    atTheEnd(() => rmSync(folder, { recursive: true }));
    for (const part of ["backend/demo/pages.ts", "backend/io-handler.ts", "frontend/page", "README.md"]) {
      cpSync(join(root, part), join(folder, part), { recursive: true });
    }
    symlinkSync(join(root, "node_modules"), join(folder, "node_modules"), "junction");
    const module = join(folder, "frontend/page/dist/frontend/page/module.js");
    mkdirSync(dirname(module), { recursive: true });
    writeFileSync(module, "");

    const { pages } = require(join(folder, "backend/demo/pages")) as typeof Pages;
    const server = express().use(pages()).listen(0, "127.0.0.1");
    atTheEnd(() => server.close());
    await next(server, "listening");
    const { port } = server.address() as AddressInfo;
    const files = [
      "/style.css",
      "/chat.css",
      "/favicon.ico",
      "/js/frontend/page/module.js",
      "/source/README.md",
      "/handler",
    ];
    for (const path of [...PAGES, ...files]) {
      const response = await fetch(`http://127.0.0.1:${port}${path}`);
      expect(response.status, path).to.equal(path === "/x" ? 404 : 200);
      expect(await response.text(), path).to.not.include("Cannot GET");
    }
  });

  it("have no style for what is on none of them", () => {
    const folder = join(root, "frontend/page");
    const read = (...endings: string[]) =>
      readdirSync(folder)
        .filter((name) => endings.includes(extname(name)))
        .map((name) => readFileSync(join(folder, name), "utf8"))
        .join("\n");
    const selectors = read(".css").replace(/\/\*[^]*?\*\/|[^;{}]*;/g, ""); // without comments and declarations
    const names = [...selectors.matchAll(/[.#]([a-z][a-z-]*)|="([a-z]+)"/g)].map(([, name, value]) => name ?? value!);
    expect(names).to.include.members(["card", "life", "in-server", "lost"]);
    const words = new Set(read(".html", ".ts").match(/[a-z][a-z-]*/g));
    expect(names.filter((name) => !words.has(name))).to.deep.equal([]);
  });

  describe("tell a browser", () => {
    let url: string;
    beforeEach(async () => {
      const { server, io } = chatServer();
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      atTheEnd(() => io.close());
      url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    });

    it("to load nothing from elsewhere and to guess no types, and do not tell it what serves them", async () => {
      for (const path of [...PAGES, "/style.css", "/handler", "/source/README.md"]) {
        const { headers } = await fetch(url + path);
        expect(headers.get("content-security-policy"), path).to.match(
          /^default-src 'self'; script-src 'self' 'sha256-/,
        );
        expect(headers.get("x-content-type-options"), path).to.equal("nosniff");
        expect(headers.has("x-powered-by"), path).to.equal(false);
      }
    });

    it("to run their own import map, and no other script that is in the page", async () => {
      for (const path of PAGES) {
        const response = await fetch(url + path);
        const policy = response.headers.get("content-security-policy");
        for (const [, script] of (await response.text()).matchAll(
          /<script(?! type="module" src)[^>]*>([^]*?)<\/script>/g,
        )) {
          const hash = createHash("sha256").update(script!).digest("base64");
          expect(policy, path).to.include(`'sha256-${hash}'`);
        }
      }
    });

    it("where the icon is, also beside a source that is plain text", async () => {
      const { status, headers } = await fetch(`${url}/favicon.ico`); // where a browser looks by itself
      expect([status, headers.get("content-type")]).to.deep.equal([200, "image/svg+xml"]);
    });
  });
});

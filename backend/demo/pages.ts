// pages.ts: what the browser gets: the pages, their modules, and the source of what they show.

import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import express, { Router, type RequestHandler } from "express";

const root = join(__dirname, "../..");
const folder = join(root, "frontend/page");

/** The files that the pages link to. */
const SOURCES = /^\/source\/(README\.md|backend\/(?:io-handler|server)\.ts|frontend\/client\.ts)$/;

/** The styles: of all pages, and of one. */
const STYLES = /^\/[a-z-]+\.css$/;

/** Everything that the demo serves besides Socket.IO. */
export function pages(): Router {
  const router = Router();
  const handler = handlerBlock(); // read at the start, so that it is the code that runs
  const headers = safetyHeaders();

  // A file is named below a root, or a dot in the name of a folder above it would hide it.
  const page =
    (name: string): RequestHandler =>
    (_request, response) =>
      response.sendFile(name, { root: folder });

  router.use((_request, response, next) => {
    response.removeHeader("X-Powered-By");
    response.set(headers);
    next();
  });
  router.get("/", page("index.html"));
  router.get("/two-peers", page("two-peers.html"));
  // The page of a namespace has the namespace's name as its path, so that its address can be shared. A path that only
  // looks like one gets the same page, which shows the refusal. A comma ends a namespace's name, so it is left out.
  router.get(/^\/category\/[^/,]+\/item\/[^/,]+\/chat$/, page("chat.html"));

  router.get(STYLES, (request, response) => response.sendFile(request.path.slice(1), { root: folder }));
  router.get("/favicon.ico", (_request, response) => response.type("svg").sendFile("icon.svg", { root: folder }));
  router.use("/js", express.static(join(folder, "dist"), { index: false }));
  router.get(
    "/handler",
    (_request, response) =>
      void response
        .status(handler ? 200 : 204)
        .type("text")
        .send(handler),
  );
  router.get(SOURCES, (request, response) => {
    response.type("text").sendFile(request.path.slice("/source/".length), { root });
  });
  router.use((_request, response) => response.status(404).sendFile("not-found.html", { root: folder }));
  return router;
}

/**
 * What a browser may do with these pages: nothing but load from this server and connect to it. The import map, which has
 * to be in the page, is named by its hash.
 */
function safetyHeaders() {
  const importMap = readFileSync(join(folder, "chat.html"), "utf8").match(/<script type="importmap">([^]*?)<\/script>/);
  const hash = createHash("sha256")
    .update(importMap?.[1] ?? "")
    .digest("base64");
  const policy = [
    "default-src 'self'",
    `script-src 'self' 'sha256-${hash}'`,
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'self'", // the page with two peers has the chat's page in its frames
  ];
  return { "Content-Security-Policy": policy.join("; "), "X-Content-Type-Options": "nosniff" };
}

/** The lines of `io-handler.ts` that decide about a handshake; nothing where this server runs without its source. */
export function handlerBlock(): string | undefined {
  const file = join(root, "backend/io-handler.ts");
  if (!existsSync(file)) return undefined;

  const source = readFileSync(file, "utf8");
  const [block, indent] = source.match(/^( *)onConnection\(.*, \(socket\) => \{\n[^]*?^\1\}\);$/m) ?? [];
  return block?.replaceAll(`\n${indent}`, "\n").trimStart();
}

// pages.ts: what the browser gets: the pages, their modules, and the source of what they show.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import express, { Router } from "express";

const root = join(__dirname, "../..");
const folder = join(root, "frontend/page");

/** The files that the pages link to. */
const SOURCES = /^\/source\/(README\.md|backend\/(?:io-handler|server)\.ts|frontend\/client\.ts)$/;

/** Everything that the demo serves besides Socket.IO. */
export function pages(): Router {
  const router = Router();
  const handler = handlerBlock(); // read at the start, so that it is the code that runs
  const page = (name: string) => join(folder, `${name}.html`);

  router.get("/", (_request, response) => response.sendFile(page("index")));
  router.get("/two-peers", (_request, response) => response.sendFile(page("two-peers")));
  // The page of a namespace has the namespace's name as its path, so that its address can be shared. A path that only
  // looks like one gets the same page, which shows the refusal. A comma ends a namespace's name, so it is left out.
  router.get(/^\/category\/[^/,]+\/item\/[^/,]+\/chat$/, (_request, response) => response.sendFile(page("chat")));

  router.get("/style.css", (_request, response) => response.sendFile(join(folder, "style.css")));
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
  router.use((_request, response) => response.status(404).sendFile(page("not-found")));
  return router;
}

/** The lines of `io-handler.ts` that decide about a handshake; nothing where this server runs without its source. */
export function handlerBlock(): string | undefined {
  const file = join(root, "backend/io-handler.ts");
  if (!existsSync(file)) return undefined;

  const source = readFileSync(file, "utf8");
  const [block, indent] = source.match(/^( *)onConnection\(.*, \(socket\) => \{\n[^]*?^\1\}\);$/m) ?? [];
  return block?.replaceAll(`\n${indent}`, "\n").trimStart();
}

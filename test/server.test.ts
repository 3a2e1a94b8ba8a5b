// The demo server as a user meets it: a process that is started, asked for pages, and ended.

import { expect } from "chai";
import { spawn } from "node:child_process";
import { connect as dial, createServer, type AddressInfo } from "node:net";
import { createInterface } from "node:readline";
import { networkInterfaces } from "node:os";
import { join as joinPath } from "node:path";
import { atTheEnd, join, next } from "./support/harness";

const root = joinPath(__dirname, "..");

/** Runs `backend/server.ts` in a process of its own. */
function run(env: NodeJS.ProcessEnv) {
  const child = spawn(process.execPath, ["-r", "ts-node/register", "backend/server.ts"], {
    cwd: root,
    env: { ...process.env, REDIS_URL: "", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const lines: string[] = [];
  const errors: string[] = [];
  createInterface(child.stdout).on("line", (line) => lines.push(line));
  createInterface(child.stderr).on("line", (line) => errors.push(line));
  const ended = new Promise<number | null>((resolve) => child.once("close", (code) => resolve(code)));
  atTheEnd(() => child.exitCode === null && child.kill("SIGKILL"));

  const line = async (pattern: RegExp) => {
    for (;;) {
      const match = lines.map((text) => text.match(pattern)).find(Boolean);
      if (match) return match;
      await Promise.race([
        next(child.stdout, "data"),
        ended.then((code) => Promise.reject(new Error(`ended: ${code}`))),
      ]);
      await new Promise(setImmediate);
    }
  };
  return { child, lines, errors, ended, line };
}

async function runAndListen(env: NodeJS.ProcessEnv = {}) {
  const server = run({ PORT: "0", ...env });
  const [, url] = await server.line(/(http:\/\/localhost:\d+)/);
  return { ...server, url: url! };
}

describe("npm start", () => {
  it("prints its address in one line, and serves the page under its own path and each chat's", async () => {
    const { lines, url } = await runAndListen();
    expect(lines).to.deep.equal([`Listening on ${url}`]);

    for (const path of ["/", "/category/1/item/2/chat", "/category/one/item/2/chat"]) {
      const response = await fetch(url + path);
      expect(response.status, path).to.equal(200);
      expect(response.headers.get("content-type"), path).to.match(/^text\/html/);
    }
    for (const path of ["/category/1/item/2/chat/", "/x", "/client.ts", "/tsconfig.json"]) {
      expect((await fetch(url + path)).status, path).to.equal(404);
    }
  });

  it("logs when a namespace is created", async () => {
    const { url, line } = await runAndListen();
    await join(url, "/category/5/item/6/chat");
    await line(/\/category\/5\/item\/6\/chat created/);
  });

  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    it(`${signal} closes every connection and ends the process with code 0`, async () => {
      const { child, url, ended, errors } = await runAndListen();
      const peers = await Promise.all([
        join(url, "/category/1/item/1/chat", { transports: ["websocket"], reconnection: false }),
        join(url, "/category/1/item/1/chat", { transports: ["polling"], reconnection: false }),
      ]);
      const idle = dial(Number(new URL(url).port), new URL(url).hostname).on("error", () => undefined);
      atTheEnd(() => idle.destroy());
      await next(idle, "connect");
      const gone = peers.map((peer) => next(peer, "disconnect"));

      child.kill(signal);

      expect(await ended).to.equal(0);
      await Promise.all(gone);
      expect(errors).to.deep.equal([]);
    });
  }

  it("an empty HOST is as good as none: other machines are not let in", async () => {
    const { url } = await runAndListen({ HOST: "" });
    const elsewhere = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
    for (const { address, internal, family } of elsewhere) {
      if (internal || family !== "IPv4") continue;
      const socket = dial(Number(new URL(url).port), address);
      const answer = await Promise.race([next(socket, "connect"), next<[Error]>(socket, "error")]);
      socket.destroy();
      expect(answer[0]).to.have.property("code", "ECONNREFUSED");
    }
  });

  const mistakes: [string, NodeJS.ProcessEnv, RegExp][] = [
    ["a PORT that is no number", { PORT: "http" }, /^PORT .*"http"\.$/],
    ["a PORT that is too high", { PORT: "65536" }, /^PORT .*"65536"\.$/],
    ["an empty PORT", { PORT: "" }, /^PORT .*""\.$/],
    ["a HOST that is not this machine's", { PORT: "0", HOST: "192.0.2.1" }, /^HOST "192\.0\.2\.1" /],
  ];
  for (const [what, env, sentence] of mistakes) {
    it(`${what} is one plain sentence and exit code 1`, async () => {
      const { ended, lines, errors } = run(env);
      expect(await ended).to.equal(1);
      expect(lines).to.deep.equal([]);
      expect(errors).to.have.length(1);
      expect(errors[0]).to.match(sentence);
    });
  }

  it("a port that is taken is one plain sentence and exit code 1", async () => {
    const other = createServer().listen(0, "localhost");
    atTheEnd(() => other.close());
    await next(other, "listening");
    const { port } = other.address() as AddressInfo;

    const { ended, errors } = run({ PORT: String(port) });

    expect(await ended).to.equal(1);
    expect(errors).to.have.length(1);
    expect(errors[0]).to.match(new RegExp(`^PORT ${port} is taken`));
  });
});

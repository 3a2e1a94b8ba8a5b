// The demo server as a user meets it: a process that is started, asked for pages, and ended.

import { expect } from "chai";
import { connect as dial, createServer, type AddressInfo } from "node:net";
import { networkInterfaces } from "node:os";
import { DemoProcess, compiledServer } from "./support/demo-server";
import { atTheEnd, join, next } from "./support/harness";

const onWindows = process.platform === "win32"; // which has no signals

describe("the demo server", () => {
  const start = compiledServer();

  it("prints its address in one line, and serves the page under its own path and each chat's", async () => {
    const server = start();
    const url = await server.url();
    expect(server.lines).to.deep.equal([`Listening on ${url}`]);

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
    const server = start();
    await join(await server.url(), "/category/5/item/6/chat");
    await server.line(/\/category\/5\/item\/6\/chat created/);
  });

  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    it(`${signal} closes every connection and ends the process with code 0`, async function () {
      if (onWindows) this.skip();
      const server = start();
      const url = await server.url();
      const peers = await Promise.all([
        join(url, "/category/1/item/1/chat", { transports: ["websocket"], reconnection: false }),
        join(url, "/category/1/item/1/chat", { transports: ["polling"], reconnection: false }),
      ]);
      const idle = dial(Number(new URL(url).port), new URL(url).hostname).on("error", () => undefined);
      atTheEnd(() => idle.destroy());
      await next(idle, "connect");
      const gone = peers.map((peer) => next(peer, "disconnect"));

      server.child.kill(signal);

      expect(await server.ended).to.equal(0);
      await Promise.all(gone);
      expect(server.errors).to.deep.equal([]);
    });
  }

  it("an empty HOST is as good as none: other machines are not let in", async () => {
    const url = await start({ HOST: "" }).url();
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
    ["a HOST that is not this machine's", { HOST: "192.0.2.1" }, /^HOST "192\.0\.2\.1" /],
  ];
  for (const [what, env, sentence] of mistakes) {
    it(`${what} is one plain sentence and exit code 1`, async () => {
      const { ended, lines, errors } = start(env);
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

    const { ended, errors } = start({ PORT: String(port) });

    expect(await ended).to.equal(1);
    expect(errors).to.have.length(1);
    expect(errors[0]).to.match(new RegExp(`^PORT ${port} is taken`));
  });
});

describe("npm start", () => {
  it("runs the demo server, and passes SIGTERM on to it", async function () {
    if (onWindows) this.skip();
    const npm = new DemoProcess("npm", ["start", "--ignore-scripts"]); // without the build
    const url = await npm.url();
    expect((await fetch(url)).status).to.equal(200);

    npm.child.kill("SIGTERM");

    await npm.ended; // also its standard output, which the server has as well
    expect(await fetch(url).catch(() => "nobody answers")).to.equal("nobody answers");
  });
});

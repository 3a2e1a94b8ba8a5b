// The pattern on the older servers of Socket.IO that it is made for: the tests of the pattern itself, once more on each.

import { expect } from "chai";
import { execFile } from "node:child_process";
import { join } from "node:path";

const FILES = ["first-peer", "connect-order", "client", "lifetime", "ownership", "recovery", "hostile"];
const WITHIN = 300_000; // the longest that they may take; it is half a minute on a machine that has nothing else to do

/** Each version, and the tests of what it does not have. */
const versions = {
  "4.6": "where ns is repeated|WebTransport", // where ns is repeated, it is no string, and so it counts as missing
  "4.7": "where ns is repeated",
};

const mocha = join(__dirname, "../node_modules/mocha/bin/mocha.js");
const files = FILES.map((name) => join(__dirname, `${name}.test.ts`));
const options = [
  "--no-package",
  "--exit",
  "-r",
  "ts-node/register",
  "-r",
  join(__dirname, "support/hooks.ts"),
  "--timeout",
  "20000",
  "--reporter",
  "dot",
];

/** Resolves with what the tests have printed, and whether one has failed. */
function run(version: string, without: string): Promise<{ failed: boolean; output: string }> {
  const args = [mocha, ...options, "--invert", "--grep", without, ...files];
  const env = { ...process.env, SOCKET_IO: `socket.io-${version}` };
  return new Promise((resolve) => {
    execFile(process.execPath, args, { env, timeout: WITHIN, killSignal: "SIGKILL" }, (err, stdout, stderr) =>
      resolve({ failed: err !== null, output: stdout + stderr }),
    );
  });
}

describe("the tests of the pattern", function () {
  this.timeout(WITHIN + 10_000);
  const runs = new Map<string, ReturnType<typeof run>>();
  before(() => {
    for (const [version, without] of Object.entries(versions)) runs.set(version, run(version, without)); // all at once
  });

  for (const version of Object.keys(versions)) {
    it(`hold on Socket.IO ${version} too`, async () => {
      const { failed, output } = (await runs.get(version))!;
      if (failed) console.log(output);
      expect(failed).to.equal(false);
    });
  }
});

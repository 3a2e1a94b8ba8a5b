// The pattern on the older servers of Socket.IO that it is made for: the tests of the pattern itself, once more on each.

import { expect } from "chai";
import { execFile } from "node:child_process";
import { join } from "node:path";

const root = join(__dirname, "../..");
const mocha = join(root, "node_modules/mocha/bin/mocha.js");
const WITHIN = 600_000; // the longest that they may take; it is half a minute on a machine that has nothing else to do

/** The tests for each version, and those of them that are about what it does not have. */
const versions = {
  "4.6": {
    files: [
      "first-peer",
      "connect-order",
      "client",
      "lifetime",
      "ownership",
      "recovery",
      "hostile",
      "beside-native",
      "holding",
      "memory",
    ],
    without: "ns is repeated|ns repeated|WebTransport|native namespaces|msgpack", // where ns is repeated, it is no string, and so it counts as missing
  },
  // its Client is that of 4.6, line by line: what the rest of Socket.IO and Engine.IO could break is left
  "4.7": {
    files: ["first-peer", "connect-order", "lifetime", "recovery", "beside-native", "memory"],
    without: "ns is repeated|native namespaces|msgpack",
  },
};

/** Resolves with what the tests have printed, and whether one has failed. */
function run(version: keyof typeof versions): Promise<{ failed: boolean; output: string }> {
  const { files, without } = versions[version];
  const paths = files.map((file) => `test/${file}.test.ts`);
  const args = [mocha, "--reporter", "dot", "--invert", "--grep", without, ...paths];
  const options = { cwd: root, env: { ...process.env, SOCKET_IO: `socket.io-${version}` } };
  return new Promise((resolve) => {
    execFile(process.execPath, args, { ...options, timeout: WITHIN, killSignal: "SIGKILL" }, (err, stdout, stderr) =>
      resolve({ failed: err !== null, output: stdout + stderr }),
    );
  });
}

describe("the tests of the pattern", function () {
  this.timeout(WITHIN + 10_000);
  const runs = new Map<string, ReturnType<typeof run>>();
  before(() => {
    for (const version of ["4.6", "4.7"] as const) runs.set(version, run(version)); // both at once
  });

  for (const version of Object.keys(versions)) {
    it(`hold on Socket.IO ${version} too`, async () => {
      const { failed, output } = (await runs.get(version))!;
      if (failed) console.log(output);
      expect(failed).to.equal(false);
    });
  }
});

// The code before it runs: what the compiler and the formatter say of it.

import { exec } from "node:child_process";
import { join } from "node:path";

it("all files have the types and the format that `npm run check` asks for", function (done) {
  this.timeout(300_000); // a machine that is busy with the other tests
  exec("npm run --silent check", { cwd: join(__dirname, "../..") }, (err, stdout, stderr) =>
    done(err && new Error(stdout + stderr)),
  );
});

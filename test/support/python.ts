// The Python whose python-socketio is a client in another language.

import { execFileSync } from "node:child_process";
import type { Context } from "mocha";

const PYTHON = process.env["PYTHON"] ?? "/usr/bin/python3";

/**
 * The program to run; where it lacks what the tests import, they are skipped with a message.
 *
 * @throws Error instead where `CI` is set
 */
export function pythonOrSkip(test: Context): string {
  try {
    execFileSync(PYTHON, ["-c", "import requests, socketio, websocket"], { stdio: "ignore" });
  } catch {
    const missing = "python3-socketio, python3-requests and python3-websocket are not installed";
    if (process.env["CI"]) throw new Error(missing);
    console.log(`      skipped: ${missing}`);
    test.skip();
  }
  return PYTHON;
}

// python.ts: the Python whose python-socketio is a client in another language.

import type { Context } from "mocha";
import { needs, PYTHON } from "./installed";

/** The program to run; where it lacks what the tests import, they are skipped with a message. See {@link needs}. */
export function pythonOrSkip(test: Context): string {
  needs(test, "Python");
  return PYTHON;
}

// hooks.ts: mocha loads this for every run, so that each test cleans up after itself, also where files run in parallel.

import { cleanUp } from "./harness";

export const mochaHooks = { afterEach: cleanUp };

// plan.ts: what `npm test` says before it starts.

import { everydayPrograms, lacks, openChromium } from "./installed";

console.log("All tests, and a check of types and formatting: one and a half to three minutes on two cores.");
console.log("What needs no more than `npm install` takes less than a minute: npm run test:quick");
for (const program of everydayPrograms) tell(program, lacks(program));
void openChromium().then(
  (browser) => browser.close(),
  ({ message }: Error) => tell("Chromium", message),
);

function tell(program: string, reason: string | undefined): void {
  if (reason) console.log(`Tests that need ${program} ${process.env["CI"] ? "will fail" : "are skipped"}: ${reason}.`);
}

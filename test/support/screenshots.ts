// screenshots.ts: the pictures of the README, taken of the real demo. `npm run screenshots` makes them again.

import { join as path } from "node:path";
import type { Browser } from "playwright-core";
import { heard, newPerson, say, startDemo } from "./browser";
import { openChromium } from "./installed";

const folder = path(__dirname, "../../frontend/page/screenshots");

async function main(): Promise<void> {
  const browser = await openChromium();
  try {
    for (const colorScheme of ["light", "dark"] as const) await take(browser, colorScheme);
  } finally {
    await browser.close();
  }
}

async function take(browser: Browser, colorScheme: "light" | "dark"): Promise<void> {
  const demo = await startDemo({ comeBackWithin: 10_000 });
  const look = { colorScheme, viewport: { width: 1280, height: 800 }, deviceScaleFactor: 1.5 };
  const { page } = await newPerson(browser, demo.url, look);
  const [ada, ben] = [page.frameLocator("iframe[name=Ada]"), page.frameLocator("iframe[name=Ben]")];

  await page.goto("/two-peers?item=2");
  await ben.getByText("Ben found this namespace").waitFor();
  await page.getByText("2 peers").waitFor();
  for (const peer of [ada, ben]) await peer.locator("#result .marked").waitFor();
  await say({ page: ada }, "I came first: the server created it for me.");
  await heard({ page: ben }, "Ada", "I came first: the server created it for me.");
  await say({ page: ben }, "For me it was there already.");
  await heard({ page: ada }, "Ben", "For me it was there already.");
  await ben.getByLabel("Message", { exact: true }).blur();
  await page.screenshot({ path: path(folder, `two-peers-${colorScheme}.png`) });

  await page.context().close();
  await demo.close();
}

void main().catch((error: Error) => {
  console.error(`screenshots: ${error.message}`);
  process.exitCode = 1;
});

// screenshots.ts: the pictures of the README, taken of the real demo. `npm run screenshots` makes them again.

import { join as path } from "node:path";
import type { Browser } from "playwright-core";
import { newPerson, join, missingChromium, openBrowser, say, startDemo } from "./browser";

const folder = path(__dirname, "../../frontend/page/screenshots");

async function main(): Promise<void> {
  const missing = missingChromium();
  if (missing) throw new Error(missing);

  const browser = await openBrowser();
  try {
    for (const colorScheme of ["light", "dark"] as const) await take(browser, colorScheme);
  } finally {
    await browser.close();
  }
}

async function take(browser: Browser, colorScheme: "light" | "dark"): Promise<void> {
  const demo = await startDemo({ comeBackWithin: 10_000 });
  const look = { colorScheme, viewport: { width: 1280, height: 800 }, deviceScaleFactor: 1.5 };
  const [ada, ben, eve, visitor] = await Promise.all([1, 2, 3, 4].map(() => newPerson(browser, demo.url, look)));
  if (!ada || !ben || !eve || !visitor) return;

  await join(ada, "/category/1/item/2/chat", "Ada");
  await ada.page.getByText("You created this namespace.").waitFor();
  await join(ben, "/category/1/item/2/chat", "Ben");
  await ben.page.getByText("2 people here").waitFor();
  await say(ada, "Hello Ben. I came first, so the server created this namespace for me.");
  await say(ben, "For me it was there already. My browser sent the same packets as yours!");
  await say(ada, "Yes. The green box on the right is the difference.");
  await ada.page.getByText("Yes. The green box").waitFor();
  await ada.page.screenshot({ path: path(folder, `chat-${colorScheme}.png`), fullPage: true });

  await join(eve, "/category/7/item/42/chat", "Eve");
  await eve.page.getByText("You created this namespace.").waitFor();
  await visitor.page.goto("/");
  await visitor.page.getByText("2 now").waitFor();
  await visitor.page.screenshot({ path: path(folder, `landing-${colorScheme}.png`), fullPage: true });

  await Promise.all([ada, ben, eve, visitor].map(({ page }) => page.context().close()));
  await demo.close();
}

void main().catch((error: Error) => {
  console.error(`screenshots: ${error.message}`);
  process.exitCode = 1;
});

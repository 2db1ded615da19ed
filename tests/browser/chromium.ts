import { type BrowserContext, chromium } from "playwright-core";
import { tempDir } from "../helpers/temp.ts";

const PATH = "/usr/bin/chromium";

/** Whether there is a browser; without one its tests say that they are skipped. */
export const hasChromium: boolean = exists(PATH);
if (!hasChromium) console.log("skipped: tests in a browser, because chromium is not installed");

/** A browser with an empty profile. */
export async function browser(): Promise<{ readonly context: BrowserContext } & AsyncDisposable> {
  const profile = await tempDir();
  const context = await chromium.launchPersistentContext(profile.path, {
    executablePath: PATH,
    headless: true,
    viewport: { width: 1360, height: 800 },
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
  return {
    context,
    async [Symbol.asyncDispose]() {
      await context.close();
      await profile[Symbol.asyncDispose]();
    },
  };
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

import { assert, assertEquals, assertGreater } from "@std/assert";
import type { Page } from "playwright-core";
import { Dashboard } from "../../examples/dashboard/dashboard.ts";
import { browser, hasChromium } from "./chromium.ts";
import { decodePng } from "./png.ts";

const PICTURE = ".tmp/dashboard.png";

Deno.test({
  name: "the dashboard shows readings, survives a killed gateway without a gap, and looks like it",
  ignore: !hasChromium,
  // The browser's driver keeps handles of its own until the process ends.
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const published: string[] = [];
    await using dashboard = await Dashboard.start({ onPublished: (id) => published.push(id) });
    await using chromium = await browser();
    const { context } = chromium;
    const page = await context.newPage();
    const troubles: string[] = [];
    page.on("pageerror", (error) => troubles.push(String(error)));
    // There is something to find in the history.
    await until(() => published.length >= 60);
    await page.goto(dashboard.url);
    await page.waitForSelector("[data-state=connected]");
    await holds(page, "readings.tally.received > 60");
    assertGreater(await number(page, "tally.replayed"), 40);

    // The readings move.
    const before = await canvas(page);
    const seen = await number(page, "tally.received");
    await holds(page, `readings.tally.received > ${seen + 20}`);
    assert(await canvas(page) !== before, "the chart did not change");

    // Another viewer comes, and goes.
    await holds(page, `document.querySelector("#occupancy").textContent === "1"`);
    const other = await context.newPage();
    await other.goto(dashboard.url);
    await holds(page, `document.querySelectorAll("#viewers li").length === 2`);
    await holds(other, `document.querySelectorAll("#viewers li").length === 2`);
    await other.close();
    await holds(page, `document.querySelectorAll("#viewers li").length === 1`);

    // The gateway dies, and the sensor goes on.
    const killed = dashboard.gatewayPid;
    Deno.kill(killed, "SIGKILL");
    await page.waitForSelector("body:not([data-state=connected])");
    const away = published.length;
    await until(() => published.length >= away + 10);
    await page.waitForSelector("[data-state=connected]");
    assert(dashboard.gatewayPid !== killed);
    const back = published.length;
    await until(() => published.length >= back + 40);
    const last = published.at(-1)!;
    await holds(page, `readings.ids.includes(${JSON.stringify(last)})`);

    const ids = await page.evaluate("readings.ids") as string[];
    const shown = ids.slice(0, ids.indexOf(last) + 1);
    const expected = published.slice(published.indexOf(shown[0]!), published.indexOf(last) + 1);
    assertGreater(expected.length, 150);
    assertEquals(shown, expected);
    assertEquals(await number(page, "tally.missing"), 0);
    assertEquals(await number(page, "tally.doubled"), 0);
    const story = await page.locator("#story").innerText();
    assert(story.includes("The gateway is gone") && story.includes("The gateway is back"), story);
    await holds(page, `document.querySelectorAll("#viewers li").length === 1`);
    assertEquals(troubles, []);

    await page.screenshot({ path: PICTURE });
    const { width, height, colours } = await decodePng(await Deno.readFile(PICTURE));
    assertEquals([width, height], [1360, 800]);
    // An empty page has a few, charts and text bring hundreds.
    assertGreater(colours, 200);
  },
});

function number(page: Page, name: string): Promise<number> {
  return page.evaluate(`readings.${name}`);
}

function canvas(page: Page): Promise<string> {
  return page.evaluate(`document.querySelector("#cpu canvas").toDataURL()`);
}

/** Waits until an expression is true in the page. Evaluated from outside: the page's policy forbids it inside. */
function holds(page: Page, expression: string): Promise<void> {
  return until(() => page.evaluate(expression), expression);
}

async function until(
  condition: () => boolean | Promise<unknown>,
  what = condition.toString(),
): Promise<void> {
  const limit = performance.now() + 60_000;
  while (!await condition()) {
    if (performance.now() > limit) throw new Error(`waited too long for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

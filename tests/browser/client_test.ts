import { bundle } from "../client/bundle.ts";
import type { EverywhereOptions, EverywhereResult } from "../client/everywhere.ts";
import { assertEverywhere } from "../client/expected.ts";
import { testGateway } from "../gateway/helpers/gateway.ts";
import { browser, hasChromium } from "./chromium.ts";

const WAYS: { options: Omit<EverywhereOptions, "url">; transport: string }[] = [
  { options: {}, transport: "websocket" },
  { options: { protobuf: true }, transport: "websocket" },
  { options: { transport: "sse" }, transport: "sse" },
];

Deno.test({
  name: "in Chromium the client loses nothing, over every transport",
  ignore: !hasChromium,
  // The browser's driver keeps handles of its own until the process ends.
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const script = await bundle("tests/client/everywhere.ts");
    await using site = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
      const isScript = new URL(request.url).pathname === "/everywhere.js";
      return isScript
        ? new Response(script, { headers: { "content-type": "text/javascript" } })
        : new Response("<!doctype html>", { headers: { "content-type": "text/html" } });
    });
    const origin = `http://127.0.0.1:${site.addr.port}`;
    // The page is of another origin than the gateway.
    await using running = await testGateway({
      server: { origins: { allowedOrigins: [origin], allowAllOrigins: false } },
    });
    await using chromium = await browser();
    const page = await chromium.context.newPage();
    await page.exposeFunction("breakNow", (session: string) => {
      running.hub.admin.disconnect([session], 3511, "");
    });
    await page.goto(origin);
    for (const { options, transport } of WAYS) {
      const asked = JSON.stringify({ url: running.url, ...options });
      const result = await page.evaluate(
        `import("/everywhere.js").then(({ everywhere }) => everywhere(${asked}, breakNow))`,
      );
      assertEverywhere(result as EverywhereResult, transport);
    }
  },
});

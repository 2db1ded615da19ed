import { assertEquals, assertLess } from "@std/assert";
import { bundle } from "./bundle.ts";

/** What the JSON client may weigh on its way to a browser. */
const MAX_BYTES = 15_000;

Deno.test("the client for browsers is under 15 kB", async () => {
  const script = await bundle("client.ts");
  const bytes = await gzipped(script);
  assertLess(bytes, MAX_BYTES, `${bytes} bytes`);
  console.log(`the client is ${bytes} bytes, minified and gzipped`);
  // Nothing of a runtime, and nothing that has to be fetched from elsewhere.
  assertEquals(script.match(/\bDeno\b|\bprocess\.|\brequire\(|\bimport\b/g), null);
});

async function gzipped(text: string): Promise<number> {
  const stream = new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"));
  return (await new Response(stream).arrayBuffer()).byteLength;
}

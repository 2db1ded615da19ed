import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { compress, DecompressionError, InvalidConfigError } from "@keyop/messenger/pipes";
import { TestHost } from "../helpers/pipe_host.ts";

const LONG = { text: "a reading like the one before. ".repeat(1_000) };

function layerOf(value: unknown): { $pipe: string; header: { alg: string }; body: string } {
  return value as { $pipe: string; header: { alg: string }; body: string };
}

Deno.test("what is long is sent compressed, what is short as it is, and both arrive", async () => {
  const pipe = compress();
  const end = new TestHost([pipe]);
  const long = await end.send(LONG);
  assertEquals([layerOf(long.value).$pipe, layerOf(long.value).header.alg], ["compress", "gzip"]);
  const short = await end.send("short");
  assertEquals(short.value, "short");
  assertEquals((await end.receive(long)).value, LONG);
  assertEquals((await end.receive(short)).value, "short");
  const stats = pipe.stats();
  assertEquals([stats.compressed, stats.plain], [1, 1]);
  assertEquals(stats.bytesBefore, JSON.stringify(LONG).length);
  assertEquals(stats.bytesAfter, layerOf(long.value).body.length);
  assert(stats.bytesAfter < stats.bytesBefore / 20);
});

Deno.test("what would not get shorter is sent as it is", async () => {
  const noise = crypto.getRandomValues(new Uint8Array(2_000)).toBase64();
  assertEquals((await new TestHost([compress()]).send(noise)).value, noise);
});

Deno.test("values beyond 64 KiB are compressed and decompressed too", async () => {
  const value = Array.from({ length: 50_000 }, (_, n) => n % 100);
  const end = new TestHost([compress()]);
  const wire = await end.send(value);
  assertEquals(layerOf(wire.value).header.alg, "gzip");
  assertEquals((await end.receive(wire)).value, value);
});

Deno.test("any JSON value comes out as it went in, also one that looks like a compressed one", async () => {
  const end = new TestHost([compress({ minBytes: 0 })]);
  const back = async (value: unknown) => (await end.receive(await end.send(value))).value;
  await fc.assert(fc.asyncProperty(fc.jsonValue(), async (value) => {
    assertEquals(await back(value), JSON.parse(JSON.stringify(value)));
  }));
  const lookalikes = [
    { $pipe: "compress", header: { alg: "gzip" }, body: "" },
    { $pipe: "compress", header: { alg: "none" }, body: "1" },
    { $pipe: "compress" },
  ];
  for (const value of lookalikes) assertEquals(await back(value), value);
});

Deno.test("a small message that would fill the memory is given up at the limit", async () => {
  const bomb = gzipSync(new Uint8Array(100_000_000));
  const receive = (body: string, maxBytes?: number) =>
    new TestHost([compress(maxBytes === undefined ? {} : { maxBytes })]).receive({
      value: { $pipe: "compress", header: { alg: "gzip" }, body },
    });
  const error = await assertRejects(
    () => receive(bomb.toBase64()),
    DecompressionError,
    "it is longer than 10485760 bytes",
  );
  assertEquals(error.code, "decompression_failed");
  // One small enough to be done at once.
  const small = gzipSync(new Uint8Array(50_000)).toBase64();
  await assertRejects(() => receive(small, 1_000), DecompressionError, "longer than 1000 bytes");
  const fits = gzipSync(JSON.stringify("x".repeat(998))).toBase64();
  assertEquals((await receive(fits, 1_000)).value, "x".repeat(998));
});

Deno.test("what is damaged fails with a named error", async () => {
  const whole = gzipSync('"text"');
  const bodies = [
    "?",
    "",
    "AAAA",
    whole.subarray(0, 12).toBase64(),
    gzipSync("no JSON").toBase64(),
    gzipSync(new Uint8Array([0x22, 0xff, 0x22])).toBase64(),
  ];
  const end = new TestHost([compress()]);
  for (const body of bodies) {
    const value = { $pipe: "compress", header: { alg: "gzip" }, body };
    await assertRejects(() => end.receive({ value }), DecompressionError, "Cannot decompress");
  }
  for (
    const value of [
      { $pipe: "compress", header: { alg: "brotli" }, body: "" },
      { $pipe: "compress", header: { alg: "none" }, body: "no JSON" },
      { $pipe: "compress", header: null, body: "" },
      { $pipe: "compress" },
    ]
  ) await assertRejects(() => end.receive({ value }), DecompressionError);
  assertEquals(end.handled, []);
});

Deno.test("options out of their range are refused", () => {
  for (
    const options of [
      { minBytes: -1 },
      { minBytes: 1.5 },
      { maxBytes: 0 },
      { maxBytes: 2 ** 31 },
      { level: 0 },
      { level: 10 },
      { level: NaN },
    ]
  ) assertThrows(() => compress(options), InvalidConfigError, "Cannot make the compress pipe");
});

import { assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { type Lines, readLines, type ReadLinesOptions } from "../../src/cli/lines.ts";

const encoder = new TextEncoder();

function streamOf(chunks: readonly (string | Uint8Array)[]): ReadableStream<Uint8Array> {
  return ReadableStream.from(
    chunks.map((chunk) => typeof chunk === "string" ? encoder.encode(chunk) : chunk),
  );
}

/** All groups up to the end, and what ended them if that was an error. */
async function collect(
  stream: ReadableStream<Uint8Array>,
  options: Partial<ReadLinesOptions> = {},
): Promise<{ groups: Lines[]; error: string }> {
  const groups: Lines[] = [];
  const signal = new AbortController().signal;
  try {
    for await (const group of readLines(stream, { maxBytes: 1_000, signal, ...options })) {
      groups.push(group);
    }
    return { groups, error: "" };
  } catch (error) {
    return { groups, error: (error as Error).message };
  }
}

const textsOf = (groups: readonly Lines[]) => groups.flatMap(({ texts }) => texts);

Deno.test("lines come whole and numbered, wherever the stream is cut", async () => {
  await fc.assert(fc.asyncProperty(
    fc.array(fc.string({ unit: "grapheme" }).map((text) => text.replace(/[\r\n\ufeff]/g, "")), {
      minLength: 1,
    }),
    fc.array(fc.nat(12)),
    fc.boolean(),
    async (lines, sizes, ended) => {
      const bytes = encoder.encode(lines.join("\n") + (ended ? "\n" : ""));
      const chunks: Uint8Array[] = [];
      let at = 0;
      for (const size of sizes) chunks.push(bytes.slice(at, at += size));
      chunks.push(bytes.slice(at));
      const { groups, error } = await collect(streamOf(chunks));
      assertEquals(error, "");
      // A last line that is empty and has no end is none.
      const expected = !ended && lines.at(-1) === "" ? lines.slice(0, -1) : lines;
      assertEquals(textsOf(groups), expected);
      let next = 1;
      for (const { first, texts } of groups) {
        assertEquals(first, next);
        next += texts.length;
      }
    },
  ));
});

Deno.test("carriage returns and a byte order mark are no part of a line", async () => {
  const { groups } = await collect(streamOf(["\ufeffa\r\nb\r", "\n\r\nc"]));
  assertEquals(textsOf(groups), ["a", "b", "", "c"]);
});

Deno.test("a line is given as soon as it is whole", async () => {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  const lines = readLines(readable, { maxBytes: 100, signal: new AbortController().signal });
  writer.write(encoder.encode("one\ntw"));
  assertEquals((await lines.next()).value, { first: 1, texts: ["one"] });
  writer.write(encoder.encode("o\n"));
  assertEquals((await lines.next()).value, { first: 2, texts: ["two"] });
  await lines.return();
  await assertRejects(() => writer.write(encoder.encode("three\n")));
});

for (
  const [what, chunks, given, message] of [
    ["that is no UTF-8", ["a\nb\n", new Uint8Array([0xff, 0x0a]), "c\n"], ["a", "b"], "line 3 is"],
    [
      "among others that is no UTF-8",
      [new Uint8Array([97, 10, 0xff, 10, 98, 10])],
      ["a"],
      "line 2",
    ],
    ["that is too long", ["a\n", `${"x".repeat(1_001)}\nb\n`], ["a"], "line 2 is longer than 1000"],
    [
      "that never ends",
      ["a\nb\n", ...Array(30).fill("x".repeat(100))],
      ["a", "b"],
      "line 3 is long",
    ],
  ] as const
) {
  Deno.test(`a line ${what} is named, after those before it were given`, async () => {
    const { groups, error } = await collect(streamOf(chunks));
    assertEquals(textsOf(groups), [...given]);
    assertEquals(error.slice(0, message.length), message);
  });
}

Deno.test("a line of just the bound is taken", async () => {
  const { groups, error } = await collect(streamOf([`${"ä".repeat(500)}\n`]));
  assertEquals([textsOf(groups).length, error], [1, ""]);
});

Deno.test("an interruption ends the reading without its unfinished line", async () => {
  const controller = new AbortController();
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  const collected = collect(readable, { signal: controller.signal });
  await writer.write(encoder.encode("one\ntw"));
  controller.abort();
  const { groups, error } = await collected;
  assertEquals([textsOf(groups), error], [["one"], ""]);
});

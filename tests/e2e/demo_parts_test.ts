import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { lines } from "../../examples/demo/events.ts";
import { HandledIds, readHandledIds } from "../../examples/demo/handled_ids.ts";
import { Progress } from "../../examples/demo/progress.ts";
import { Meter } from "../../examples/demo/meter.ts";
import { parseReading } from "../../examples/demo/readings.ts";
import { formatSummary, summarize } from "../../examples/demo/summary.ts";
import { tempDir } from "../helpers/temp.ts";

Deno.test("the demo counts what was never handled as lost, and what came again as repeated", () => {
  const summary = summarize(new Set(["a", "b", "c"]), ["a", "b", "a"]);
  assertEquals(formatSummary(summary), "published 3, received 2, repeated 1, lost 1");
});

Deno.test("the demo does not make up for a loss with a message that was not published", () => {
  assertEquals(summarize(new Set(["a", "b"]), ["a", "x"]).lost, 1);
});

Deno.test("the demo says what it was waiting for when it is ended", async () => {
  const ending = new AbortController();
  const progress = new Progress(ending.signal);
  const waiting = progress.until("2 readings to be published", () => progress.published.size >= 2);
  progress.take("one", { event: "published", id: "a" });
  assertEquals(progress.missing, "2 readings to be published");
  ending.abort(new Error("too long"));
  await assertRejects(() => waiting, Error, "too long");
  assertEquals(progress.missing, "");
});

Deno.test("the demo goes on as soon as what it waits for was told", async () => {
  const progress = new Progress(new AbortController().signal);
  const waiting = progress.until("a reading to be handled", () => progress.handled.size === 1);
  progress.take("two", {
    event: "handled",
    id: "a",
    reading: { number: 1, kind: "load", text: "", values: [] },
    delayMs: 0,
  });
  await waiting;
});

Deno.test("ids that were handled outlive the process that noted them", async () => {
  await using dir = await tempDir();
  const path = `${dir.path}/handled.txt`;
  for (const id of ["a", "b"]) {
    using handled = new HandledIds(path);
    handled.add(id);
  }
  assertEquals(await readHandledIds(path), ["a", "b"]);
});

Deno.test("readings of this machine pass their own check, anything else is refused", () => {
  const meter = new Meter();
  for (let number = 1; number <= 8; number++) {
    const reading = meter.read();
    assertEquals(reading.number, number);
    assertEquals(parseReading(JSON.parse(JSON.stringify(reading))), reading);
  }
  for (
    const value of [null, {}, { ...meter.read(), kind: "mood" }, { ...meter.read(), values: "" }]
  ) {
    assertThrows(() => parseReading(value), TypeError);
  }
});

Deno.test("lines come whole however the bytes are cut", async () => {
  const bytes = new TextEncoder().encode("é\nb\n");
  for (let cut = 0; cut <= bytes.length; cut++) {
    const stream = ReadableStream.from([bytes.subarray(0, cut), bytes.subarray(cut)]);
    assertEquals(await Array.fromAsync(lines(stream)), ["é", "b"], `cut=${cut}`);
  }
});

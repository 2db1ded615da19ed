import { assertEquals, assertRejects } from "@std/assert";
import {
  type Bus,
  InvalidSubjectError,
  PayloadTooLargeError,
  RemoteError,
} from "@keyop/messenger/bus";
import type { BusRule } from "../suite.ts";
import { serveAs, take, text } from "./tools.ts";

const NO_SUBJECTS = ["", "a b", "a/b", "a*", ">", "é", "a\n", "x".repeat(256), "a\0"];

/** Runs, then checks that a stream and a server that were there before go on. */
async function whileOthersGoOn(bus: Bus, run: () => Promise<void>): Promise<void> {
  const stream = await bus.stream("others");
  await serveAs(bus, "others", "a");
  await run();
  await bus.publish("others", "1");
  assertEquals(await take(stream, 1), ["1"]);
  assertEquals(text(await bus.request("others", "2")), "a:2");
}

export const BAD_INPUT_RULES: readonly BusRule[] = [
  {
    name: "a subject that is none is refused by every call, and others go on",
    async run(place) {
      await using bus = await place.open();
      await whileOthersGoOn(bus, async () => {
        for (const subject of [...NO_SUBJECTS, undefined as unknown as string]) {
          await assertRejects(() => bus.publish(subject, ""), InvalidSubjectError);
          await assertRejects(() => bus.stream(subject), InvalidSubjectError);
          await assertRejects(() => bus.request(subject, ""), InvalidSubjectError);
          await assertRejects(
            () => Array.fromAsync(bus.requestMany(subject, "")),
            InvalidSubjectError,
          );
          await assertRejects(() => bus.serve(subject, () => ""), InvalidSubjectError);
        }
      });
    },
  },
  {
    name: "a payload beyond the limit is refused with both sizes, and others go on",
    async run(place) {
      await using bus = await place.open();
      const { maxPayloadBytes } = bus.stats();
      const bytes = new Uint8Array(maxPayloadBytes + 1);
      await whileOthersGoOn(bus, async () => {
        const error = await assertRejects(() => bus.publish("s", bytes), PayloadTooLargeError);
        assertEquals([error.bytes, error.maxBytes], [maxPayloadBytes + 1, maxPayloadBytes]);
        await assertRejects(() => bus.request("s", bytes), PayloadTooLargeError);
        await bus.serve("large", () => bytes);
        await assertRejects(() => bus.request("large", ""), RemoteError, String(maxPayloadBytes));
      });
    },
  },
  {
    name: "wrong options, headers and answers are refused, and others go on",
    async run(place) {
      await using bus = await place.open();
      await whileOthersGoOn(bus, async () => {
        for (const timeoutMs of [0, -1, NaN, Infinity, 2 ** 31]) {
          await assertRejects(() => bus.request("s", "", { timeoutMs }), RangeError);
        }
        for (const concurrency of [0, 1.5, -1, NaN, 65_537]) {
          await assertRejects(() => bus.serve("s", () => "", { concurrency }), RangeError);
        }
        const many = Object.fromEntries(Array.from({ length: 33 }, (_, n) => [`h${n}`, ""]));
        const wrong = [{ "A": "" }, { "": "" }, { "a b": "" }, { a: "x".repeat(1_025) }, many];
        for (const headers of [...wrong, { a: "\ud800" }, { a: 1 as unknown as string }]) {
          await assertRejects(() => bus.publish("s", "", { headers }), RangeError);
        }
        const no = {} as unknown as string;
        await assertRejects(() => bus.publish("s", no), TypeError);
        await assertRejects(() => bus.serve("s", no as never), TypeError);
        await bus.serve("odd", () => no);
        await assertRejects(() => bus.request("odd", ""), RemoteError, "neither bytes nor text");
      });
    },
  },
];

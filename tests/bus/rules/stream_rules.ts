import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { RecordingLogger } from "../../helpers/recording_logger.ts";
import type { BusRule } from "../suite.ts";
import { numbers, publishAll, rest, take, text } from "./tools.ts";

const BUFFER = 1_024;
const SUBJECTS = [
  "a",
  "A",
  "a.b",
  "a.b.c",
  "a_b",
  "a-b",
  ".",
  "..",
  ".a",
  "a.",
  "a..b",
  "-",
  "_",
  "0",
  "a.requests",
  "a.replies",
  "a.replies.x",
  "x".repeat(255),
  "X".repeat(255),
  `${"x".repeat(254)}y`,
];

export const STREAM_RULES: readonly BusRule[] = [
  {
    name: "publishing where nobody listens succeeds",
    async run(place) {
      await using bus = await place.open();
      await bus.publish("nobody", "1");
    },
  },
  {
    name: "each stream gets every message that was published after it settled, in order",
    async run(place) {
      await using a = await place.open();
      await using b = await place.open();
      await a.publish("s", "before");
      const streams = [await a.stream("s"), await b.stream("s"), await b.stream("s")];
      await publishAll(a, "s", numbers(500));
      for (const stream of streams) assertEquals(await take(stream, 500), numbers(500));
      await a.publish("s", "last");
      for (const stream of streams) assertEquals(await take(stream, 1), ["last"]);
    },
  },
  {
    name: "messages of several publishers keep each one's order",
    async run(place) {
      await using a = await place.open();
      await using b = await place.open();
      const stream = await a.stream("s");
      await Promise.all([
        publishAll(a, "s", numbers(200, "a")),
        publishAll(b, "s", numbers(200, "b")),
      ]);
      const taken = await take(stream, 400);
      assertEquals(taken.filter((message) => message.startsWith("a")), numbers(200, "a"));
      assertEquals(taken.filter((message) => message.startsWith("b")), numbers(200, "b"));
    },
  },
  {
    name: "messages that are awaited one by one arrive in order as well",
    async run(place) {
      await using a = await place.open();
      await using b = await place.open();
      const stream = await b.stream("s");
      for (const number of numbers(50)) await a.publish("s", number);
      assertEquals(await take(stream, 50), numbers(50));
    },
  },
  {
    name: "every valid subject works, and none gets another's messages",
    async run(place) {
      await using a = await place.open();
      await using b = await place.open();
      const streams = [];
      for (const subject of SUBJECTS) streams.push(await b.stream(subject));
      await Promise.all(SUBJECTS.map((subject) => a.publish(subject, subject)));
      await Promise.all(SUBJECTS.map((subject) => a.publish(subject, "last")));
      for (const [index, stream] of streams.entries()) {
        assertEquals(await take(stream, 2), [SUBJECTS[index]!, "last"]);
      }
    },
  },
  {
    name: "any bytes arrive as they were sent",
    async run(place) {
      await using a = await place.open();
      await using b = await place.open();
      const stream = (await b.stream("s"))[Symbol.asyncIterator]();
      const next = async () => (await stream.next()).value as Uint8Array;
      await a.publish("s", new Uint8Array());
      assertEquals(await next(), new Uint8Array());
      await a.publish("s", "żółć 🎉 \0 \r\n");
      assertEquals(text(await next()), "żółć 🎉 \0 \r\n");
      await fc.assert(
        fc.asyncProperty(fc.uint8Array({ maxLength: 2_000 }), async (bytes) => {
          await a.publish("s", bytes);
          assertEquals([...await next()], [...bytes]);
        }),
        { numRuns: 50 },
      );
    },
  },
  {
    name: "large payloads arrive whole",
    async run(place) {
      await using a = await place.open();
      await using b = await place.open();
      const size = Math.min(a.stats().maxPayloadBytes - 1_000, 1_000_000);
      const bytes = new Uint8Array(size).map((_, n) => n % 251);
      const stream = (await b.stream("s"))[Symbol.asyncIterator]();
      await a.publish("s", bytes);
      const value = (await stream.next()).value as Uint8Array;
      assertEquals(value.length, size);
      assert(value.every((byte, n) => byte === n % 251));
    },
  },
  {
    name: "a publisher may use its bytes again, and a reader change its own",
    async run(place) {
      await using bus = await place.open();
      const first = (await bus.stream("s"))[Symbol.asyncIterator]();
      const second = (await bus.stream("s"))[Symbol.asyncIterator]();
      const bytes = new Uint8Array([1, 2, 3]);
      await bus.publish("s", bytes);
      bytes.fill(9);
      const { value } = await first.next();
      assertEquals(value, new Uint8Array([1, 2, 3]));
      (value as Uint8Array).fill(7);
      assertEquals((await second.next()).value, new Uint8Array([1, 2, 3]));
    },
  },
  {
    name: "publishing does not wait for a reader that is stuck, and other readers go on",
    async run(place) {
      await using a = await place.open({ logger: new RecordingLogger() });
      await using b = await place.open({ logger: new RecordingLogger() });
      await b.stream("s");
      await a.stream("s");
      const other = await b.stream("other");
      for (let n = 0; n < 6; n++) await publishAll(a, "s", numbers(500));
      await a.publish("other", "1");
      assertEquals(await take(other, 1), ["1"]);
    },
  },
  {
    name: "a slow reader falls behind and loses nothing",
    needs: "keepsMessages",
    async run(place) {
      await using a = await place.open();
      await using b = await place.open();
      const stream = await b.stream("s");
      await publishAll(a, "s", numbers(4_000));
      assertEquals(await take(stream, 4_000), numbers(4_000));
      assertEquals(stream.dropped, 0);
    },
  },
  {
    name: "a slow reader has 1,024 messages; what is dropped beyond is counted and logged",
    needs: "dropsMessages",
    async run(place) {
      const logger = new RecordingLogger();
      await using a = await place.open();
      await using b = await place.open({ logger });
      const stream = await b.stream("s");
      const mark = await b.stream("mark");
      await publishAll(a, "s", numbers(2_000));
      await a.publish("mark", "1");
      await take(mark, 1);
      await logger.until("messages were dropped");
      assertEquals(await take(stream, BUFFER), numbers(BUFFER));
      assertEquals(stream.dropped, 2_000 - BUFFER);
      assertEquals(b.stats().dropped, 2_000 - BUFFER);
      await a.publish("s", "after");
      assertEquals(await take(stream, 1), ["after"]);
    },
  },
  {
    name: "closing a stream ends its iteration and its deliveries; other streams go on",
    async run(place) {
      await using a = await place.open();
      await using b = await place.open();
      const stream = await b.stream("s");
      const other = await b.stream("s");
      await a.publish("s", "1");
      assertEquals(await take(stream, 1), ["1"]);
      const waiting = rest(stream);
      await stream.close();
      assertEquals(await waiting, []);
      await a.publish("s", "2");
      assertEquals(await take(other, 2), ["1", "2"]);
      assertEquals(await rest(stream), []);
      await stream.close();
      await stream.closed;
      assertEquals(b.stats().streams, 1);
    },
  },
  {
    name: "what has arrived before a stream was closed can still be read",
    async run(place) {
      await using bus = await place.open();
      const stream = await bus.stream("s");
      const mark = await bus.stream("s");
      await publishAll(bus, "s", numbers(10));
      await take(mark, 10);
      await stream.close();
      assertEquals(await rest(stream), numbers(10));
    },
  },
  {
    name: "leaving an iteration closes the stream",
    async run(place) {
      await using bus = await place.open();
      const stream = await bus.stream("s");
      await bus.publish("s", "1");
      for await (const message of stream) {
        assertEquals(text(message), "1");
        break;
      }
      await stream.closed;
      assertEquals(bus.stats().streams, 0);
    },
  },
];

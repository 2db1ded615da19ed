import { assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { type Messenger, MessengerClosedError, PayloadInvalidError } from "@keyop/messenger";
import { FakeClock, turn } from "../helpers/fake_clock.ts";
import { TestMessenger } from "../helpers/test_messenger.ts";

/** Registers types whose schema answers at once, after so many turns of the event loop, or never. */
function registerTypes(messenger: Messenger): void {
  messenger.registerPayloadType("sync", (value) => value);
  for (const turns of [0, 1, 3]) {
    messenger.registerPayloadType(`async-${turns}`, async (value) => {
      await turn(turns);
      return value;
    });
  }
  messenger.registerPayloadType("refused", async () => {
    await turn(1);
    throw new Error("no");
  });
  messenger.registerPayloadType("never", () => new Promise(() => {}));
}

Deno.test("two messages to a new channel are stored in the order of the calls, however close", async () => {
  await using pi = await TestMessenger.open();
  for (let gap = 0; gap < 20; gap++) {
    const channel = `new-${gap}`;
    const first = pi.messenger.publish(channel, "plain", "a");
    for (let tick = 0; tick < gap; tick++) await Promise.resolve();
    const second = pi.messenger.publish(channel, "plain", "b");
    await Promise.all([first, second]);
    assertEquals(pi.payloads(channel), ["a", "b"]);
  }
});

Deno.test("a message with an asynchronous schema is not overtaken by those behind it", async () => {
  await using pi = await TestMessenger.open();
  const { messenger } = pi;
  registerTypes(messenger);
  const published = [
    messenger.publish("readings", "async-3", 1),
    messenger.publish("readings", "sync", 2),
    messenger.publish("readings", "async-1", 3),
    messenger.publishBatch("readings", [
      { payloadType: "async-1", payload: 4 },
      { payloadType: "plain", payload: 5 },
    ]),
    messenger.publish("readings", "plain", 6, { signal: new AbortController().signal }),
    messenger.publish("readings", "plain", 7),
  ];
  await Promise.all(published);
  assertEquals(pi.payloads("readings"), [1, 2, 3, 4, 5, 6, 7]);
});

Deno.test("a message that its schema refuses lets those behind it on, in their order", async () => {
  await using pi = await TestMessenger.open();
  const { messenger } = pi;
  registerTypes(messenger);
  const before = messenger.publish("readings", "async-3", 1);
  const refused = messenger.publish("readings", "refused", 2);
  const after = messenger.publish("readings", "plain", 3);
  await assertRejects(() => refused, PayloadInvalidError);
  await Promise.all([before, after]);
  assertEquals(pi.payloads("readings"), [1, 3]);
});

Deno.test("a message that is given up lets those behind it on, and nobody past those before it", async () => {
  await using pi = await TestMessenger.open();
  const { messenger } = pi;
  registerTypes(messenger);
  const controller = new AbortController();
  const before = messenger.publish("readings", "async-3", 1);
  const hanging = messenger.publish("readings", "never", 2, { signal: controller.signal });
  const after = messenger.publish("readings", "plain", 3);
  controller.abort(new Error("enough"));
  await assertRejects(() => hanging, Error, "enough");
  await Promise.all([before, after]);
  assertEquals(pi.payloads("readings"), [1, 3]);
});

Deno.test("a schema that never answers holds its own channel only, and closing gives it up", async () => {
  const clock = new FakeClock();
  await using pi = await TestMessenger.open({}, { clock });
  const { messenger } = pi;
  registerTypes(messenger);
  const hanging = messenger.publish("readings", "never", 1);
  const behind = messenger.publish("readings", "plain", 2);
  await messenger.publish("others", "plain", 3);
  const outcomes = Promise.allSettled([hanging, behind]);
  const closing = messenger.close();
  await clock.fire(5_000);
  for (const outcome of await outcomes) {
    assertEquals(outcome.status === "rejected" && outcome.reason.name, "MessengerClosedError");
  }
  await closing;
  assertEquals([pi.payloads("readings"), pi.payloads("others")], [[], [3]]);
  await assertRejects(() => messenger.publish("others", "plain", 4), MessengerClosedError);
});

interface Step {
  readonly channel: string;
  readonly type: string;
  readonly batch: number;
  readonly signal: boolean;
  readonly gap: number;
}

const anyStep: fc.Arbitrary<Step> = fc.record({
  channel: fc.constantFrom("a", "b"),
  type: fc.constantFrom("plain", "sync", "async-0", "async-1", "async-3", "refused"),
  batch: fc.integer({ min: 0, max: 3 }),
  signal: fc.boolean(),
  gap: fc.integer({ min: 0, max: 6 }),
});

Deno.test("whatever one caller publishes is stored in the order of its calls", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyStep, { maxLength: 30 }), async (steps) => {
      await using pi = await TestMessenger.open();
      registerTypes(pi.messenger);
      const expected: Record<string, unknown[]> = { a: [], b: [] };
      const published: Promise<unknown>[] = [];
      let n = 0;
      for (const { channel, type, batch, signal, gap } of steps) {
        const numbers = Array.from({ length: Math.max(1, batch) }, () => n++);
        if (type !== "refused") expected[channel]!.push(...numbers);
        const options = signal ? { signal: new AbortController().signal } : {};
        published.push(
          batch === 0
            ? pi.messenger.publish(channel, type, numbers[0], options)
            : pi.messenger.publishBatch(
              channel,
              numbers.map((payload) => ({ payloadType: type, payload })),
              options,
            ),
        );
        for (let tick = 0; tick < gap; tick++) await Promise.resolve();
      }
      await Promise.allSettled(published);
      assertEquals({ a: pi.payloads("a"), b: pi.payloads("b") }, expected);
    }),
    { numRuns: 60 },
  );
});

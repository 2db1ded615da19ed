import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { ReceiveQueue } from "../../src/pipes/receive_queue.ts";
import { turn } from "../helpers/fake_clock.ts";

Deno.test("messages are handled in order, one at a time, whatever each takes", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ turns: fc.nat({ max: 3 }), together: fc.boolean() }), { maxLength: 60 }),
      async (steps) => {
        const begun: number[] = [];
        let running = 0;
        const queue = new ReceiveQueue<number>({
          bytesMax: 1e6,
          hold: () => {},
          handle: (item) => {
            assertEquals(running, 0);
            begun.push(item);
            const { turns } = steps[item]!;
            if (turns === 0) return undefined;
            running++;
            return turn(turns).then(() => void running--);
          },
        });
        for (const [index, { together }] of steps.entries()) {
          queue.push(index, 1);
          if (!together) await turn(1);
        }
        while (begun.length < steps.length) await turn(1);
        assertEquals(begun, steps.map((_, index) => index));
      },
    ),
    { numRuns: 50 },
  );
});

Deno.test("a peer is held back once so many messages, or so many bytes, wait", async () => {
  for (const [bytes, count] of [[1, 256], [1_000, 10]] as const) {
    const held: boolean[] = [];
    const gate = Promise.withResolvers<void>();
    const queue = new ReceiveQueue<number>({
      bytesMax: 10_000,
      hold: (isHeld) => held.push(isHeld),
      handle: () => gate.promise,
    });
    for (let n = 0; n < count; n++) queue.push(n, bytes);
    assertEquals([held.length, queue.length, queue.bytes], [0, count - 1, (count - 1) * bytes]);
    queue.push(count, bytes);
    assertEquals([held, queue.isHeld], [[true], true]);
    gate.resolve();
    while (queue.length > 0) await turn(1);
    await turn(1);
    assertEquals([held, queue.bytes], [[true, false], 0]);
  }
});

Deno.test("nothing is handled after the end", async () => {
  let handled = 0;
  const gate = Promise.withResolvers<void>();
  const queue = new ReceiveQueue<number>({
    bytesMax: 10,
    hold: () => {},
    handle: () => (handled++, gate.promise),
  });
  queue.push(1, 1);
  queue.push(2, 1);
  queue.end();
  queue.push(3, 1);
  gate.resolve();
  await turn();
  assertEquals(handled, 1);
});

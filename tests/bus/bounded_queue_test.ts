import { assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { BoundedQueue } from "../../src/bus/bounded_queue.ts";

Deno.test("a queue hands over what it took, in order, whatever the readers' and writers' turns", async () => {
  const step = fc.oneof(fc.constant("push"), fc.constant("read"), fc.constant("readTwice"));
  await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 3_000 }), async (steps) => {
    const queue = new BoundedQueue<number>(100);
    const reads: Promise<IteratorResult<number, undefined>>[] = [];
    let pushed = 0;
    for (const step of steps) {
      if (step === "push") {
        if (!queue.isFull) queue.push(pushed++);
        continue;
      }
      reads.push(queue.next());
      if (step === "readTwice") reads.push(queue.next());
    }
    queue.end();
    const values = (await Promise.all(reads)).filter(({ done }) => !done).map(({ value }) => value);
    for (let read = await queue.next(); !read.done; read = await queue.next()) {
      values.push(read.value);
    }
    assertEquals(values, Array.from({ length: pushed }, (_, n) => n));
  }));
});

Deno.test("a queue that ended with an error throws it once, after what waited", async () => {
  const queue = new BoundedQueue<number>(2);
  queue.push(1);
  queue.end(new RangeError("enough"));
  assertEquals(await queue.next(), { done: false, value: 1 });
  await assertRejects(() => queue.next(), RangeError, "enough");
  assertEquals(await queue.next(), { done: true, value: undefined });
});

Deno.test("who waits for room goes on when half of the queue is free", async () => {
  const queue = new BoundedQueue<number>(4);
  for (let n = 0; n < 4; n++) queue.push(n);
  let hasRoom = false;
  const room = queue.untilRoom().then(() => hasRoom = true);
  await queue.next();
  assertEquals([queue.size, hasRoom], [3, false]);
  await queue.next();
  await room;
  assertEquals(queue.size, 2);
});

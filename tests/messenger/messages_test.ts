import { assertEquals, assertRejects } from "@std/assert";
import {
  AlreadySubscribedError,
  InvalidChannelNameError,
  type Message,
  MessengerClosedError,
} from "@keyop/messenger";
import { eventually } from "../helpers/eventually.ts";
import { turn } from "../helpers/fake_clock.ts";
import { TestMessenger } from "../helpers/test_messenger.ts";

const TYPE = "com.example.Reading";

async function publish(pi: TestMessenger, ...payloads: unknown[]): Promise<void> {
  await pi.messenger.publishBatch(
    "readings",
    payloads.map((payload) => ({ payloadType: TYPE, payload })),
  );
}

/** Takes messages until there were so many. */
async function take(
  messages: AsyncIterable<Message>,
  count: number,
): Promise<unknown[]> {
  const taken: unknown[] = [];
  for await (const { payload } of messages) {
    taken.push(payload);
    if (taken.length === count) break;
  }
  return taken;
}

Deno.test("messages come in order, one at a time, as they are asked for", async () => {
  await using pi = await TestMessenger.open();
  await publish(pi, 1, 2, 3);
  const messages = pi.messenger.messages("readings", "loop", { from: "start" });
  for (const expected of [1, 2, 3]) {
    const { value, done } = await messages.next();
    assertEquals([value?.payload, value?.attempt, done], [expected, 1, false]);
    await turn();
  }
  const waiting = messages.next();
  await publish(pi, 4);
  assertEquals((await waiting).value?.payload, 4);
  await messages.return();
  assertEquals(pi.messenger.stats().subscribers, []);
});

Deno.test("a message is acknowledged when the next is asked for, and not before", async () => {
  await using pi = await TestMessenger.open();
  await publish(pi, 1, 2);
  const messages = pi.messenger.messages("readings", "loop", { from: "start" });
  await messages.next();
  await turn();
  assertEquals(pi.cursor("readings", "loop"), 0);
  const { value: second } = await messages.next();
  await eventually("the cursor", () => pi.cursor("readings", "loop") === second!.position);
  await messages.return();
  assertEquals(pi.cursor("readings", "loop"), second!.position);
});

for (const maxRetries of [0, 5]) {
  Deno.test(`a message that the loop was left with comes again, with ${maxRetries} retries`, async () => {
    await using pi = await TestMessenger.open();
    await publish(pi, 1, 2, 3);
    const loop = () => pi.messenger.messages("readings", "loop", { from: "start", maxRetries });
    assertEquals(await take(loop(), 1), [1]);
    assertEquals(await take(loop(), 2), [1, 2]);
    assertEquals(await take(loop(), 2), [2, 3]);
    assertEquals(pi.lines("readings.dead-letter"), []);
  });

  Deno.test(`a message that the loop fails with comes again, with ${maxRetries} retries`, async () => {
    await using pi = await TestMessenger.open();
    await publish(pi, 1, 2);
    const options = { from: "start", maxRetries } as const;
    await assertRejects(
      async () => {
        for await (const { payload } of pi.messenger.messages("readings", "loop", options)) {
          if (payload === 2) throw new Error("cannot handle it");
        }
      },
      Error,
      "cannot handle it",
    );
    assertEquals(await take(pi.messenger.messages("readings", "loop"), 1), [2]);
    assertEquals(pi.lines("readings.dead-letter"), []);
  });
}

Deno.test("a signal ends a loop that waits, with messages seen and without", async () => {
  await using pi = await TestMessenger.open();
  for (const before of [0, 2]) {
    await publish(pi, ...Array.from({ length: before }, (_, n) => n), "last");
    const controller = new AbortController();
    const { signal } = controller;
    const seen: unknown[] = [];
    const looping = (async () => {
      for await (
        const { payload } of pi.messenger.messages("readings", "loop", { signal, from: "start" })
      ) seen.push(payload);
    })();
    await eventually(
      "the loop to wait",
      () => pi.messenger.stats().subscribers[0]?.lagBytes === 0,
    );
    controller.abort(new Error("not shown"));
    await looping;
    assertEquals(seen.at(-1), "last");
    assertEquals(pi.messenger.stats().subscribers, []);
  }
});

Deno.test("a signal that is aborted in the loop's body lets it finish and ends the loop", async () => {
  await using pi = await TestMessenger.open();
  await publish(pi, 1, 2);
  const controller = new AbortController();
  const { signal } = controller;
  const seen: unknown[] = [];
  const options = { signal, from: "start" } as const;
  for await (const { payload } of pi.messenger.messages("readings", "loop", options)) {
    controller.abort();
    await turn();
    seen.push(payload);
  }
  assertEquals(seen, [1]);
  // It was finished with: the next was asked for.
  assertEquals(await take(pi.messenger.messages("readings", "loop"), 1), [2]);
});

Deno.test("a signal that is aborted before or during the start makes an empty loop", async () => {
  await using pi = await TestMessenger.open();
  await publish(pi, 1);
  const options = { signal: AbortSignal.abort(), from: "start" } as const;
  assertEquals(await take(pi.messenger.messages("readings", "loop", options), 1), []);
  const controller = new AbortController();
  const { signal } = controller;
  const taking = take(pi.messenger.messages("readings", "loop", { signal, from: "start" }), 1);
  controller.abort();
  assertEquals(await taking, []);
  assertEquals(pi.messenger.stats().subscribers, []);
});

Deno.test("closing the messenger ends a loop that has never seen a message", async () => {
  await using pi = await TestMessenger.open();
  const looping = take(pi.messenger.messages("readings", "loop"), 1);
  await eventually("the subscriber", () => pi.messenger.stats().subscribers.length === 1);
  await pi.messenger.close();
  assertEquals(await looping, []);
});

Deno.test("closing the messenger lets a loop finish its message and ends it", async () => {
  await using pi = await TestMessenger.open();
  await publish(pi, 1, 2);
  const seen: unknown[] = [];
  let closing: Promise<void> | undefined;
  for await (
    const { payload } of pi.messenger.messages("readings", "loop", { from: "start" })
  ) {
    closing ??= pi.messenger.close();
    await turn();
    seen.push(payload);
  }
  await closing;
  assertEquals(seen, [1]);
  await pi.reopen();
  assertEquals(await take(pi.messenger.messages("readings", "loop"), 1), [2]);
});

Deno.test("forgetting the subscriber ends its loop", async () => {
  await using pi = await TestMessenger.open();
  const looping = take(pi.messenger.messages("readings", "loop"), 1);
  await eventually("the subscriber", () => pi.messenger.stats().subscribers.length === 1);
  await pi.messenger.unsubscribe("readings", "loop");
  assertEquals(await looping, []);
});

Deno.test("what subscribe refuses, the loop throws when the first message is asked for", async () => {
  await using pi = await TestMessenger.open();
  await assertRejects(() => take(pi.messenger.messages("a/b", "loop"), 1), InvalidChannelNameError);
  const first = pi.messenger.messages("readings", "loop");
  const waiting = first.next();
  await assertRejects(
    () => take(pi.messenger.messages("readings", "loop"), 1),
    AlreadySubscribedError,
  );
  await pi.messenger.close();
  assertEquals((await waiting).done, true);
  await assertRejects(
    () => take(pi.messenger.messages("readings", "loop"), 1),
    MessengerClosedError,
  );
});

Deno.test("a payload has the type and the value that its schema gives it", async () => {
  await using pi = await TestMessenger.open();
  pi.messenger.registerPayloadType(TYPE, (value) => ({ doubled: Number(value) * 2 }));
  await publish(pi, 21);
  const options = { from: "start" } as const;
  for await (
    const { payload } of pi.messenger.messages<{ doubled: number }>("readings", "loop", options)
  ) {
    assertEquals(payload.doubled, 42);
    break;
  }
});

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  AlreadySubscribedError,
  InvalidChannelNameError,
  InvalidSubscriberIdError,
  MessengerClosedError,
  StorageError,
  type SubscribeOptions,
} from "@keyop/messenger";
import { eventually } from "../helpers/eventually.ts";
import { FakeClock, turn } from "../helpers/fake_clock.ts";
import { FaultyFiles } from "../helpers/faulty_files.ts";
import { Inbox } from "../helpers/inbox.ts";
import { TestMessenger } from "../helpers/test_messenger.ts";

const TYPE = "com.example.Reading";

async function publish(pi: TestMessenger, ...payloads: unknown[]): Promise<number[]> {
  const published = [];
  for (const payload of payloads) {
    published.push(await pi.messenger.publish("readings", TYPE, payload));
  }
  return published.map(({ position }) => position);
}

Deno.test("a message arrives with everything that was said of it", async () => {
  await using pi = await TestMessenger.open();
  const inbox = new Inbox();
  const subscription = await pi.messenger.subscribe("readings", "display", inbox.handler);
  const before = Date.now();
  const { id, position } = await pi.messenger.publish("readings", TYPE, { celsius: 21.5 }, {
    correlationId: "order-17",
    serviceName: "heating",
  });
  await inbox.until(1);
  const [message] = inbox.calls;
  assertEquals(message!.id, id);
  assertEquals(message!.position, position);
  assertEquals(
    [message!.channel, message!.origin, message!.payloadType],
    ["readings", "pi", TYPE],
  );
  assertEquals([message!.correlationId, message!.serviceName], ["order-17", "heating"]);
  assertEquals([message!.payload, message!.attempt], [{ celsius: 21.5 }, 1]);
  assert(message!.timestamp.getTime() >= before - 1);
  assertEquals([subscription.channel, subscription.subscriberId], ["readings", "display"]);
  await eventually("the cursor to move", () => subscription.lagBytes === 0);
  assertEquals(subscription.position, pi.messenger.stats().channels[0]!.end);
});

Deno.test("a new subscriber begins at the end, at the start or at a position, as it is told", async () => {
  await using pi = await TestMessenger.open();
  const [, second] = await publish(pi, 1, 2, 3);
  const inboxes = new Map<string, Inbox>();
  for (
    const [id, from] of [["default", undefined], ["end", "end"], ["start", "start"], [
      "position",
      second!,
    ]] as const
  ) {
    const inbox = new Inbox();
    inboxes.set(id, inbox);
    const options = from === undefined ? {} : { from };
    await pi.messenger.subscribe("readings", id, inbox.handler, options);
  }
  await publish(pi, 4);
  const got = async (id: string, count: number) => {
    await inboxes.get(id)!.until(count);
    return inboxes.get(id)!.payloads;
  };
  assertEquals(await got("default", 1), [4]);
  assertEquals(await got("end", 1), [4]);
  assertEquals(await got("start", 4), [1, 2, 3, 4]);
  assertEquals(await got("position", 3), [2, 3, 4]);
});

Deno.test("a subscriber that was there before goes on where it stopped, whatever it is told", async () => {
  await using pi = await TestMessenger.open();
  await publish(pi, "before");
  await (await pi.messenger.subscribe("readings", "display", () => {})).close();
  for (const from of ["start", "end", 0] as const) {
    await publish(pi, from);
    const inbox = new Inbox();
    const options = { from };
    const subscription = await pi.messenger.subscribe(
      "readings",
      "display",
      inbox.handler,
      options,
    );
    await inbox.until(1);
    await subscription.close();
    assertEquals(inbox.payloads, [from]);
    await pi.reopen();
  }
});

Deno.test("a position past the end is refused, and what was asked for may be corrected", async () => {
  await using pi = await TestMessenger.open();
  await publish(pi, 1);
  const end = pi.messenger.stats().channels[0]!.end;
  const inbox = new Inbox();
  await assertRejects(
    () => pi.messenger.subscribe("readings", "display", inbox.handler, { from: end + 1 }),
    StorageError,
    `it ends at ${end}`,
  );
  await pi.messenger.subscribe("readings", "display", inbox.handler, { from: end });
  await publish(pi, 2);
  await inbox.until(1);
  assertEquals(inbox.payloads, [2]);
});

const wrong: readonly [what: string, options: Record<string, unknown>][] = [
  ["a negative position", { from: -1 }],
  ["a position that is no whole number", { from: 1.5 }],
  ["a position that is no number", { from: NaN }],
  ["a beginning of another name", { from: "beginning" }],
  ["a negative number of retries", { maxRetries: -1 }],
  ["a number of retries that is no whole number", { maxRetries: 0.5 }],
  ["a negative wait", { retryBackoffMs: -1 }],
  ["a wait that is no number", { retryBackoffMs: NaN }],
  ["a negative age", { maxAgeMs: -1 }],
  ["more than one message at a time", { concurrency: 2 }],
];
for (const [what, options] of wrong) {
  Deno.test(`${what} is refused by subscribe`, async () => {
    await using pi = await TestMessenger.open();
    await publish(pi, 1);
    const [option] = Object.keys(options);
    await assertRejects(
      () => pi.messenger.subscribe("readings", "display", () => {}, options as SubscribeOptions),
      RangeError,
      option,
    );
    assertEquals(pi.cursor("readings", "display"), undefined);
    await pi.messenger.subscribe("readings", "display", () => {});
  });
}

Deno.test("a handler that is no function is refused", async () => {
  await using pi = await TestMessenger.open();
  await assertRejects(
    () => pi.messenger.subscribe("readings", "display", undefined as unknown as () => void),
    TypeError,
    "handler",
  );
});

Deno.test("a subscriber runs once, also while it is starting", async () => {
  await using pi = await TestMessenger.open();
  const inbox = new Inbox();
  const outcomes = await Promise.allSettled(
    Array.from({ length: 3 }, () => pi.messenger.subscribe("readings", "display", inbox.handler)),
  );
  assertEquals(outcomes.map(({ status }) => status), ["fulfilled", "rejected", "rejected"]);
  await assertRejects(
    () => pi.messenger.subscribe("readings", "display", inbox.handler),
    AlreadySubscribedError,
  );
  await pi.messenger.subscribe("readings", "other", () => {});
  await pi.messenger.subscribe("writings", "display", () => {});
  await publish(pi, 1);
  await inbox.until(1);
  await turn();
  assertEquals(inbox.payloads, [1]);
});

Deno.test("channels and subscribers whose names together look alike are told apart", async () => {
  await using pi = await TestMessenger.open();
  const [one, two] = [new Inbox(), new Inbox()];
  await pi.messenger.subscribe("a.b", "c", one.handler);
  await pi.messenger.subscribe("a", "b.c", two.handler);
  await pi.messenger.publish("a.b", TYPE, 1);
  await pi.messenger.publish("a", TYPE, 2);
  await Promise.all([one.until(1), two.until(1)]);
  assertEquals([one.payloads, two.payloads], [[1], [2]]);
});

Deno.test("ids that peers' cursors use, or that are no names, are refused", async () => {
  await using pi = await TestMessenger.open();
  const ids = ["fed-x", "fedout-x", "fed-", "", ".", "..", "a/b", "ä", "x".repeat(256), undefined];
  for (const id of ids as string[]) {
    await assertRejects(
      () => pi.messenger.subscribe("readings", id, () => {}),
      InvalidSubscriberIdError,
    );
    await assertRejects(
      () => pi.messenger.unsubscribe("readings", id),
      InvalidSubscriberIdError,
    );
    await assertRejects(
      () => pi.messenger.messages("readings", id).next(),
      InvalidSubscriberIdError,
    );
  }
  for (const channel of ["", "..", "a/b", undefined] as string[]) {
    await assertRejects(
      () => pi.messenger.subscribe(channel, "display", () => {}),
      InvalidChannelNameError,
    );
  }
  assertEquals(pi.messenger.stats().channels, []);
  await pi.messenger.subscribe("readings", "federation", () => {});
});

Deno.test("a signal closes the subscription; its cursor stays", async () => {
  await using pi = await TestMessenger.open();
  const inbox = new Inbox();
  const controller = new AbortController();
  const { signal } = controller;
  await pi.messenger.subscribe("readings", "display", inbox.handler, { signal });
  await publish(pi, 1);
  await inbox.until(1);
  controller.abort();
  await eventually("the end", () => pi.messenger.stats().subscribers.length === 0);
  await publish(pi, 2);
  const next = new Inbox();
  await pi.messenger.subscribe("readings", "display", next.handler);
  await next.until(1);
  assertEquals([inbox.payloads, next.payloads], [[1], [2]]);
});

Deno.test("a signal that is aborted before or during the start subscribes nobody", async () => {
  await using pi = await TestMessenger.open();
  const early = AbortSignal.abort(new Error("too late"));
  await assertRejects(
    () => pi.messenger.subscribe("readings", "display", () => {}, { signal: early }),
    Error,
    "too late",
  );
  const inbox = new Inbox();
  const controller = new AbortController();
  const starting = pi.messenger.subscribe("readings", "display", inbox.handler, {
    signal: controller.signal,
  });
  controller.abort(new Error("changed my mind"));
  await assertRejects(() => starting, Error, "changed my mind");
  assertEquals(pi.messenger.stats().subscribers, []);
  await publish(pi, 1);
  await turn();
  assertEquals(inbox.payloads, []);
  await pi.messenger.subscribe("readings", "display", inbox.handler);
});

Deno.test("a subscriber that is starting when the messenger closes does not run on", async () => {
  await using pi = await TestMessenger.open();
  await publish(pi, 1);
  const inbox = new Inbox();
  const starting = pi.messenger.subscribe("readings", "display", inbox.handler, { from: "start" });
  const closing = pi.messenger.close();
  await assertRejects(() => starting, MessengerClosedError);
  await closing;
  await turn();
  assertEquals(inbox.payloads, []);
  await assertRejects(
    () => pi.messenger.subscribe("readings", "display", inbox.handler),
    MessengerClosedError,
  );
});

Deno.test("a subscriber that could not start may try again", async () => {
  const files = new FaultyFiles();
  await using pi = await TestMessenger.open({}, { files });
  await publish(pi, 1);
  files.fail("rename", { path: "display.offset" });
  const inbox = new Inbox();
  const subscribe = () =>
    pi.messenger.subscribe("readings", "display", inbox.handler, { from: "start" });
  await assertRejects(subscribe, StorageError);
  await subscribe();
  await inbox.until(1);
});

Deno.test("closing a subscription waits for its handler, and the message does not come again", async () => {
  await using pi = await TestMessenger.open();
  const inbox = new Inbox();
  const finish = Promise.withResolvers<void>();
  inbox.react = () => finish.promise;
  const subscription = await pi.messenger.subscribe("readings", "display", inbox.handler);
  await publish(pi, 1, 2);
  await inbox.until(1);
  let closed = false;
  const closing = subscription.close().then(() => closed = true);
  await turn();
  assertEquals(closed, false);
  finish.resolve();
  await closing;
  await subscription.close();
  const next = new Inbox();
  await using _again = await pi.messenger.subscribe("readings", "display", next.handler);
  await next.until(1);
  assertEquals([inbox.payloads, next.payloads], [[1], [2]]);
});

Deno.test("a handler's context tells who it is, and when to finish", async () => {
  await using pi = await TestMessenger.open();
  const began = Promise.withResolvers<void>();
  const contexts: string[] = [];
  let reason: unknown;
  const subscription = await pi.messenger.subscribe("readings", "display", async (_, context) => {
    contexts.push(context.subscriberId);
    began.resolve();
    await new Promise<void>((resolve) =>
      context.signal.addEventListener("abort", () => {
        reason = context.signal.reason;
        resolve();
      })
    );
  });
  await publish(pi, 1);
  await began.promise;
  await subscription.close();
  assertEquals(contexts, ["display"]);
  assertEquals((reason as Error).name, "AbortError");
});

Deno.test("a handler that does not end is waited for five seconds, and its message comes again", async () => {
  const clock = new FakeClock();
  await using pi = await TestMessenger.open({}, { clock });
  const inbox = new Inbox();
  const finish = Promise.withResolvers<void>();
  inbox.react = () => finish.promise;
  const subscription = await pi.messenger.subscribe("readings", "display", inbox.handler);
  await publish(pi, 1);
  await inbox.until(1);
  const closing = subscription.close();
  await clock.fire(5_000);
  await closing;
  const cursor = pi.cursor("readings", "display");
  const next = new Inbox();
  const hold = Promise.withResolvers<void>();
  next.react = () => hold.promise;
  await pi.messenger.subscribe("readings", "display", next.handler);
  await next.until(1);
  // The first handler ends at last: that is not the second's business.
  finish.resolve();
  await turn();
  const after = pi.cursor("readings", "display");
  hold.resolve();
  assertEquals(next.payloads, [1]);
  assertEquals(after, cursor);
});

Deno.test("a handler is not called any more when its schema answers after the end", async () => {
  const clock = new FakeClock();
  await using pi = await TestMessenger.open({}, { clock });
  const asked = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<void>();
  await publish(pi, 1);
  pi.messenger.registerPayloadType(TYPE, async (value) => {
    asked.resolve();
    await answer.promise;
    return value;
  });
  const inbox = new Inbox();
  const options = { from: "start" } as const;
  const subscription = await pi.messenger.subscribe("readings", "display", inbox.handler, options);
  await asked.promise;
  const closing = subscription.close();
  await clock.fire(5_000);
  await closing;
  answer.resolve();
  await turn();
  assertEquals([inbox.payloads, pi.cursor("readings", "display")], [[], 0]);
});

Deno.test("messages that are too old are skipped and counted", async () => {
  const clock = new FakeClock();
  await using pi = await TestMessenger.open({}, { clock });
  await publish(pi, "old");
  await clock.advance(60_000);
  await publish(pi, "new");
  clock.pass(1_000);
  const inbox = new Inbox();
  const options = { from: "start", maxAgeMs: 1_000 } as const;
  await pi.messenger.subscribe("readings", "display", inbox.handler, options);
  await inbox.until(1);
  await eventually("the end", () => pi.messenger.stats().subscribers[0]!.lagBytes === 0);
  assertEquals(inbox.payloads, ["new"]);
  assertEquals(pi.messenger.stats().subscribers[0]!.expired, 1);
});

Deno.test("subscribers of one channel do not wait for each other", async () => {
  await using pi = await TestMessenger.open();
  const [stuck, quick] = [new Inbox(), new Inbox()];
  const finish = Promise.withResolvers<void>();
  stuck.react = () => finish.promise;
  await pi.messenger.subscribe("readings", "stuck", stuck.handler);
  await pi.messenger.subscribe("readings", "quick", quick.handler);
  await publish(pi, 1, 2, 3);
  await quick.until(3);
  assertEquals([stuck.payloads, quick.payloads], [[1], [1, 2, 3]]);
  finish.resolve();
  await stuck.until(3);
});

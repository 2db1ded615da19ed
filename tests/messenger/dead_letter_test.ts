import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  DEAD_LETTER_TYPE,
  type DeadLetterPayload,
  type Message,
  ReservedChannelNameError,
  RetryLater,
} from "@keyop/messenger";
import { eventually } from "../helpers/eventually.ts";
import { FakeClock, turn } from "../helpers/fake_clock.ts";
import { FaultyFiles } from "../helpers/faulty_files.ts";
import { Inbox } from "../helpers/inbox.ts";
import { TestMessenger } from "../helpers/test_messenger.ts";

const TYPE = "com.example.Reading";
const LETTERS = "readings.dead-letter";

function failing(message = "no use"): Inbox {
  const inbox = new Inbox();
  inbox.react = () => {
    throw new Error(message);
  };
  return inbox;
}

function letter(line: Readonly<Record<string, unknown>>): DeadLetterPayload {
  return line.payload as DeadLetterPayload;
}

Deno.test("a failing message comes again after growing waits, then goes to the dead letters", async () => {
  const clock = new FakeClock();
  await using pi = await TestMessenger.open({}, { clock });
  const inbox = failing();
  await pi.messenger.subscribe("readings", "display", inbox.handler);
  const { id } = await pi.messenger.publish("readings", TYPE, 1, {
    correlationId: "order-17",
    serviceName: "heating",
  });
  for (const [index, wait] of [100, 200, 400, 800, 1_600].entries()) {
    await inbox.until(index + 1);
    await clock.fire(wait);
  }
  await inbox.until(6);
  await pi.logger.until("moved a message");
  assertEquals(inbox.calls.map(({ attempt }) => attempt), [1, 2, 3, 4, 5, 6]);
  const [line] = pi.lines(LETTERS);
  const [original] = pi.lines("readings");
  assertEquals([line!.channel, line!.origin, line!.payload_type], [
    LETTERS,
    "pi",
    DEAD_LETTER_TYPE,
  ]);
  assertEquals([line!.correlation_id, line!.service_name], ["order-17", "heating"]);
  assertEquals(Object.keys(letter(line!)), ["original", "retries", "last_error", "failed_at"]);
  assertEquals(letter(line!).original, { ...original });
  assertEquals([letter(line!).original.id, letter(line!).retries], [id, 5]);
  assertEquals(letter(line!).last_error, "no use");
  const [stats] = pi.messenger.stats().subscribers;
  assertEquals([stats!.delivered, stats!.retries, stats!.deadLettered], [0, 5, 1]);
});

Deno.test("options of a subscription replace the configured retries", async () => {
  const clock = new FakeClock();
  const subscribers = { maxRetries: 0, retryBackoffBaseMs: 7, retryBackoffMaxMs: 10 };
  await using pi = await TestMessenger.open({ subscribers }, { clock });
  const [configured, own] = [failing(), failing()];
  await pi.messenger.subscribe("readings", "configured", configured.handler);
  const options = { maxRetries: 2, retryBackoffMs: 30 };
  await pi.messenger.subscribe("readings", "own", own.handler, options);
  await pi.messenger.publish("readings", TYPE, 1);
  await own.until(1);
  await clock.fire(30);
  await own.until(2);
  await clock.fire(30);
  await own.until(3);
  await pi.logger.until("moved a message", 2);
  assertEquals([configured.calls.length, own.calls.length], [1, 3]);
  assertEquals(pi.lines(LETTERS).map((line) => letter(line).retries), [0, 2]);
});

Deno.test("the message behind a failing one waits for it, and order stays", async () => {
  await using pi = await TestMessenger.open({ subscribers: { retryBackoffBaseMs: 1 } });
  const inbox = new Inbox();
  inbox.react = ({ payload, attempt }: Message) => {
    if (payload === 2 && attempt < 4) throw new Error("not yet");
  };
  await pi.messenger.subscribe("readings", "display", inbox.handler);
  for (const n of [1, 2, 3]) await pi.messenger.publish("readings", TYPE, n);
  await inbox.until(6);
  assertEquals(inbox.payloads, [1, 2, 2, 2, 2, 3]);
  assertEquals(pi.lines(LETTERS), []);
});

Deno.test("RetryLater holds a message as long as it likes, without spending a retry", async () => {
  const clock = new FakeClock();
  await using pi = await TestMessenger.open({ subscribers: { maxRetries: 1 } }, { clock });
  const inbox = new Inbox();
  inbox.react = ({ attempt }) => {
    if (attempt <= 3) throw new RetryLater(60_000);
    if (attempt === 4) throw new RetryLater();
    if (attempt === 5) throw new Error("spends the only retry");
    if (attempt === 6) throw new RetryLater(0);
  };
  await pi.messenger.subscribe("readings", "display", inbox.handler);
  await pi.messenger.publish("readings", TYPE, 1);
  for (const [index, wait] of [60_000, 60_000, 60_000, 100, 100].entries()) {
    await inbox.until(index + 1);
    await clock.fire(wait);
  }
  // The sixth asked for no wait at all.
  await inbox.until(7);
  await eventually("the end", () => pi.messenger.stats().subscribers[0]!.delivered === 1);
  assertEquals(pi.lines(LETTERS), []);
});

Deno.test("a message that is held comes again after a restart", async () => {
  await using pi = await TestMessenger.open();
  const inbox = new Inbox();
  inbox.react = () => {
    throw new RetryLater(3_600_000);
  };
  await pi.messenger.subscribe("readings", "display", inbox.handler);
  await pi.messenger.publish("readings", TYPE, 1);
  await inbox.until(1);
  await pi.reopen();
  const next = new Inbox();
  await pi.messenger.subscribe("readings", "display", next.handler);
  await next.until(1);
  assertEquals([next.payloads, next.calls[0]!.attempt], [[1], 1]);
});

Deno.test("what its schema refuses is a dead letter at once, and the handler never sees it", async () => {
  await using pi = await TestMessenger.open();
  await pi.messenger.publish("readings", TYPE, "not a number");
  await pi.messenger.publish("readings", TYPE, 2);
  await pi.messenger.publish("readings", "slow", "not a number");
  const parse = (value: unknown) => {
    if (typeof value !== "number") throw new Error("give a number");
    return value;
  };
  pi.messenger.registerPayloadType(TYPE, parse);
  pi.messenger.registerPayloadType("slow", async (value) => {
    await turn(1);
    return parse(value);
  });
  const inbox = new Inbox();
  await pi.messenger.subscribe("readings", "display", inbox.handler, { from: "start" });
  await pi.logger.until("moved a message", 2);
  assertEquals(inbox.payloads, [2]);
  for (const line of pi.lines(LETTERS)) {
    assertEquals(letter(line).retries, 0);
    assert(letter(line).last_error.includes("give a number"));
  }
});

Deno.test("dead letters can be followed, and what fails there goes nowhere else", async () => {
  await using pi = await TestMessenger.open({ subscribers: { maxRetries: 0 } });
  const letters = new Inbox();
  letters.react = () => {
    throw new Error("cannot help it either");
  };
  await pi.messenger.subscribe(LETTERS, "undertaker", letters.handler);
  await pi.messenger.subscribe("readings", "display", failing().handler);
  for (const n of [1, 2]) await pi.messenger.publish("readings", TYPE, n);
  await letters.until(2);
  await pi.logger.until("a dead letter could not be handled", 2);
  assertEquals(
    letters.calls.map(({ payload }) => (payload as DeadLetterPayload).original.payload),
    [
      1,
      2,
    ],
  );
  assertEquals(pi.messenger.stats().channels.map(({ channel }) => channel).sort(), [
    "readings",
    LETTERS,
  ]);
  await assertRejects(() => pi.messenger.publish(LETTERS, TYPE, 1), ReservedChannelNameError);
});

Deno.test("a message as long as a record may be becomes a dead letter all the same", async () => {
  await using pi = await TestMessenger.open({ subscribers: { maxRetries: 0 } });
  const inbox = failing("x".repeat(20_000));
  await pi.messenger.subscribe("readings", "display", inbox.handler);
  await pi.messenger.publish("readings", TYPE, "");
  await pi.logger.until("moved a message");
  const overhead = JSON.stringify(pi.lines("readings")[0]).length;
  const limit = 10 * 1024 * 1024 - overhead;
  const correlationId = "ä".repeat(1_000_000);
  await pi.messenger.publish("readings", TYPE, "y".repeat(limit - 1_000_000));
  await pi.messenger.publish("readings", TYPE, "y".repeat(limit));
  await pi.messenger.publish("readings", TYPE, "y".repeat(limit - 3_000_000), { correlationId });
  await pi.messenger.publish("readings", TYPE, "next");
  await pi.logger.until("moved a message", 5);
  const originals = pi.lines("readings");
  const letters = pi.lines(LETTERS).map(letter);
  for (const [index, { original, last_error }] of letters.entries()) {
    const { payload, correlation_id, ...envelope } = originals[index]!;
    if (index === 2) {
      assert(last_error.startsWith("the payload is left out"));
      assertEquals(original, { ...envelope, payload: null });
    } else {
      assertEquals([original.id, original.payload === payload], [envelope.id, true]);
      assertEquals(original.correlation_id === correlation_id, true);
      assertEquals(last_error, "x".repeat(10_000));
    }
  }
  assertEquals(letters.map(({ original }) => original.id), originals.map(({ id }) => id));
});

Deno.test("while dead letters cannot be stored the message waits, and the cursor with it", async () => {
  const files = new FaultyFiles();
  const clock = new FakeClock();
  await using pi = await TestMessenger.open({ subscribers: { maxRetries: 0 } }, { files, clock });
  const inbox = failing();
  await pi.messenger.subscribe("readings", "display", inbox.handler);
  const mend = files.fail("makeDir", { path: LETTERS, times: 3 });
  await pi.messenger.publish("readings", TYPE, 1);
  await pi.messenger.publish("readings", TYPE, 2);
  for (let n = 1; n <= 3; n++) {
    await pi.logger.until("could not store a dead letter", n);
    assertEquals([inbox.payloads, pi.cursor("readings", "display")], [[1], 0]);
    await clock.fire(5_000);
  }
  await pi.logger.until("moved a message", 2);
  mend();
  assertEquals(pi.lines(LETTERS).map((line) => letter(line).original.payload), [1, 2]);
});

Deno.test("whatever a handler throws has its place in the dead letter", async () => {
  await using pi = await TestMessenger.open({ subscribers: { maxRetries: 0 } });
  const nothing = Object.create(null);
  const thrown = ["a text", undefined, null, 42, { message: "looks like one" }, nothing];
  const inbox = new Inbox();
  inbox.react = ({ payload }) => {
    throw thrown[Number(payload)];
  };
  await pi.messenger.subscribe("readings", "display", inbox.handler);
  for (const n of thrown.keys()) await pi.messenger.publish("readings", TYPE, n);
  await pi.logger.until("moved a message", thrown.length);
  assertEquals(
    pi.lines(LETTERS).map((line) => letter(line).last_error),
    [
      "a text",
      "undefined",
      "null",
      "42",
      "[object Object]",
      "an error that cannot be shown as text",
    ],
  );
});

Deno.test("a logger that throws costs no message", async () => {
  const fail = () => {
    throw new Error("the log is full");
  };
  const broken = { debug: fail, info: fail, warn: fail, error: fail };
  const options = { retryBackoffBaseMs: 1, retryBackoffMaxMs: 5 };
  await using pi = await TestMessenger.open({ subscribers: options }, { logger: broken });
  const inbox = new Inbox();
  let failures = 3;
  inbox.react = () => {
    if (failures-- > 0) throw new Error("no use");
  };
  await pi.messenger.publishBatch(
    "readings",
    [1, 2, 3].map((payload) => ({ payloadType: TYPE, payload })),
  );
  await pi.messenger.subscribe("readings", "display", inbox.handler, { from: "start" });
  await eventually("the end", () => pi.messenger.stats().subscribers[0]!.delivered === 3);
  assertEquals(inbox.payloads, [1, 1, 1, 1, 2, 3]);
});

import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { PayloadInvalidError, silentLogger } from "../../src/base/mod.ts";
import {
  DEAD_LETTER_TYPE,
  type DeadLetterPayload,
  decodeEnvelopeText,
} from "../../src/envelope/mod.ts";
import { RetryLater } from "../../src/storage/mod.ts";
import { turn } from "../helpers/fake_clock.ts";
import { Inbox } from "../helpers/inbox.ts";
import { caughtUp, publish, subscribe } from "../helpers/subscribing.ts";
import { readTexts, TestChannel } from "../helpers/test_channel.ts";

const BACKOFF = [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000];

async function deadLetters(channel: TestChannel): Promise<DeadLetterPayload[]> {
  const log = await channel.logs.open("readings.dead-letter");
  return (await readTexts(log)).map((text) =>
    decodeEnvelopeText(text).payload as DeadLetterPayload
  );
}

function failing(times = Infinity): Inbox {
  const inbox = new Inbox();
  inbox.react = () => {
    if (inbox.calls.length <= times) throw new Error(`failure ${inbox.calls.length}`);
  };
  return inbox;
}

Deno.test("a failing handler is called again after 100 ms, 200 ms and so on up to 5 s", async () => {
  await using channel = await TestChannel.open();
  await publish(channel, 1);
  const inbox = failing(8);
  const begin = channel.clock.started.length;
  await using subscriber = await subscribe(channel, inbox, { maxRetries: 8 });
  for (const [index, waitMs] of BACKOFF.entries()) {
    await channel.clock.untilTimer(waitMs);
    assertEquals(inbox.calls.length, index + 1);
    await channel.clock.advance(waitMs - 1);
    assertEquals(inbox.calls.length, index + 1, `called before ${waitMs} ms`);
    await channel.clock.advance(1);
  }
  await caughtUp(channel, subscriber);
  assertEquals(channel.clock.started.slice(begin), BACKOFF);
  assertEquals(inbox.calls.map(({ attempt }) => attempt), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
  assertEquals(subscriber.stats().retries, 8);
  assertEquals(subscriber.stats().delivered, 1);
});

for (const way of ["throws", "rejects"] as const) {
  Deno.test(`a message that keeps failing is dead-lettered after its retries: a handler that ${way}`, async () => {
    await using channel = await TestChannel.open();
    await publish(channel, { n: 1 }, { n: 2 });
    const inbox = new Inbox();
    inbox.react = ({ payload }) => {
      if ((payload as { n: number }).n !== 1) return;
      const error = new Error(`failure ${inbox.calls.length}`);
      if (way === "throws") throw error;
      return Promise.reject(error);
    };
    await using subscriber = await subscribe(channel, inbox, { maxRetries: 2 });
    for (const waitMs of [100, 200]) await channel.clock.fire(waitMs);
    await caughtUp(channel, subscriber);
    assertEquals(inbox.calls.map(({ payload, attempt }) => [payload, attempt]), [
      [{ n: 1 }, 1],
      [{ n: 1 }, 2],
      [{ n: 1 }, 3],
      [{ n: 2 }, 1],
    ]);
    const [letter] = await deadLetters(channel);
    assertEquals([letter!.retries, letter!.last_error], [2, "failure 3"]);
    assertEquals(letter!.failed_at, new Date(channel.clock.now()).toISOString());
    assertEquals(letter!.original.payload, { n: 1 });
    const { deadLettered, delivered, retries } = subscriber.stats();
    assertEquals([deadLettered, delivered, retries], [1, 1, 2]);
  });
}

Deno.test("without retries a message is dead-lettered after its first failure", async () => {
  await using channel = await TestChannel.open();
  await publish(channel, 1);
  await using subscriber = await subscribe(channel, failing(), { maxRetries: 0 });
  await caughtUp(channel, subscriber);
  assertEquals((await deadLetters(channel)).map(({ retries }) => retries), [0]);
});

Deno.test("a dead letter holds the record with the bytes that it had", async () => {
  await using channel = await TestChannel.open();
  // As the Go implementation writes it, with what this runtime would write otherwise.
  const original = '{"v":1,"id":"6f1c24a1-7a0c-4f0e-9d53-0d2c1b1f5a10",' +
    '"ts":"2026-01-02T03:04:05.123456789Z","channel":"readings","origin":"go-host",' +
    '"payload_type":"test","correlation_id":"c-1",' +
    '"payload":{"html":"\\u003cb\\u003e","big":12345678901234567890,"huge":1e400,"f":1.0}}';
  await channel.log.append(original, () => undefined);
  await using subscriber = await subscribe(channel, failing(), { maxRetries: 0 });
  await caughtUp(channel, subscriber);
  const log = await channel.logs.open("readings.dead-letter");
  const [line] = await readTexts(log);
  const failedAt = new Date(channel.clock.now()).toISOString();
  assert(line!.endsWith(
    `"payload":{"original":${original},"retries":0,"last_error":"failure 1",` +
      `"failed_at":"${failedAt}"}}`,
  ));
  const record = decodeEnvelopeText(line!);
  assertEquals([record.channel, record.payloadType], ["readings.dead-letter", DEAD_LETTER_TYPE]);
  assertEquals(record.correlationId, "c-1");
});

for (const syncPolicy of ["always", "periodic", "none"] as const) {
  Deno.test(`the dead letter is on disk before the cursor moves, under ${syncPolicy}`, async () => {
    await using channel = await TestChannel.open({ syncPolicy });
    await publish(channel, 1);
    await channel.logs.open("readings.dead-letter");
    const subscriber = await subscribe(channel, failing(), { maxRetries: 1 });
    await channel.clock.untilTimer(100);
    channel.files.calls.length = 0;
    await channel.clock.advance(100);
    await caughtUp(channel, subscriber);
    const steps = channel.files.calls.filter(({ call }) => call === "write" || call === "sync")
      .filter(({ path }) => !path.includes("channels/readings/"))
      .map(({ call, path }) => `${call} ${path.includes("dead-letter") ? "letter" : "cursor"}`);
    assertEquals(steps, ["write letter", "sync letter", "write cursor", "sync cursor"]);
    await subscriber.close();
  });
}

Deno.test("a dead letter that cannot be stored holds delivery until it can", async () => {
  await using channel = await TestChannel.open();
  await publish(channel, 1, 2);
  const inbox = failing(1);
  let refusals = 2;
  const stored: string[] = [];
  await using subscriber = await subscribe(channel, inbox, {
    maxRetries: 0,
    deadLetter: (payload) => {
      if (refusals-- > 0) return Promise.reject(new Error("no room"));
      stored.push(payload);
      return Promise.resolve();
    },
  });
  for (const round of [1, 2]) {
    await channel.clock.untilTimer(5_000);
    assertEquals(channel.logger.matching("could not store a dead letter").length, round);
    assertEquals([inbox.calls.length, subscriber.position], [1, 0]);
    await channel.clock.advance(5_000);
  }
  await caughtUp(channel, subscriber);
  assertEquals(stored.length, 1);
  assertEquals(inbox.payloads, [1, 2]);
});

Deno.test("an invalid payload is dead-lettered without being delivered", async () => {
  await using channel = await TestChannel.open();
  await publish(channel, "bad", "good", "strange");
  const inbox = new Inbox();
  const decode = (type: string, payload: unknown) => {
    if (payload === "bad") throw new PayloadInvalidError(type, ["it is bad"]);
    if (payload === "strange") return Promise.reject(new Error("the schema broke"));
    return payload;
  };
  await using subscriber = await subscribe(channel, inbox, { decode });
  await caughtUp(channel, subscriber);
  assertEquals(inbox.payloads, ["good"]);
  const letters = await deadLetters(channel);
  assertEquals(letters.map(({ retries, last_error }) => [retries, last_error]), [
    [0, 'Payload of type "test" is invalid: it is bad'],
    [0, 'the schema of "test" failed: the schema broke'],
  ]);
  assertEquals(channel.clock.started.filter((ms) => ms === 100), []);
});

Deno.test("an asynchronous schema's result is what the handler gets", async () => {
  await using channel = await TestChannel.open();
  await publish(channel, 1, 2);
  const inbox = new Inbox();
  const decode = (_type: string, payload: unknown) => Promise.resolve(Number(payload) * 10);
  await using subscriber = await subscribe(channel, inbox, { decode });
  await caughtUp(channel, subscriber);
  assertEquals(inbox.payloads, [10, 20]);
});

Deno.test("RetryLater holds a message without spending a retry", async () => {
  await using channel = await TestChannel.open();
  await publish(channel, 1);
  const inbox = new Inbox();
  inbox.react = () => {
    if (inbox.calls.length <= 3) throw new RetryLater(7_777);
    if (inbox.calls.length === 4) throw new RetryLater();
    throw new Error("now it failed");
  };
  await using subscriber = await subscribe(channel, inbox, { maxRetries: 1 });
  for (let n = 0; n < 3; n++) await channel.clock.fire(7_777);
  await channel.clock.fire(100);
  assertEquals(inbox.calls.length, 5);
  await channel.clock.fire(100);
  await caughtUp(channel, subscriber);
  assertEquals(inbox.calls.map(({ attempt }) => attempt), [1, 2, 3, 4, 5, 6]);
  assertEquals((await deadLetters(channel)).map(({ retries }) => retries), [1]);
});

Deno.test("RetryLater takes no negative time", () => {
  for (const delayMs of [-1, NaN]) assertThrows(() => new RetryLater(delayMs), RangeError);
});

Deno.test("what a dead-letter channel's handler fails on is retried, then skipped with an error", async () => {
  await using channel = await TestChannel.open();
  const letters = await channel.logs.open("readings.dead-letter");
  await publish(channel, 1);
  await using first = await subscribe(channel, failing(), { maxRetries: 0 });
  await caughtUp(channel, first);
  const inbox = failing();
  await using second = await subscribe(channel, inbox, {
    log: letters,
    maxRetries: 1,
    deadLetter: () => Promise.reject(new Error("a dead letter of a dead letter")),
  });
  await channel.clock.fire(100);
  while (second.position < letters.end) await turn();
  assertEquals(inbox.calls.length, 2);
  const [error] = channel.logger.matching("a dead letter could not be handled");
  assertEquals([error!.level, error!.fields.error], ["error", "failure 2"]);
  assertEquals(channel.logs.names(), ["readings", "readings.dead-letter"]);
});

Deno.test("an error of any kind is a failure like another", async () => {
  const thrown = [
    "text",
    undefined,
    null,
    42,
    Symbol("symbol"),
    Object.create(null),
    { toString: () => assert(false, "no text") },
    Object.assign(new Error(), { message: 5 }),
    new Error("x".repeat(100_000)),
  ];
  await using channel = await TestChannel.open();
  await publish(channel, ...thrown.keys(), "last");
  const inbox = new Inbox();
  inbox.react = ({ payload }) => {
    if (typeof payload === "number") throw thrown[payload];
  };
  await using subscriber = await subscribe(channel, inbox, { maxRetries: 0 });
  await caughtUp(channel, subscriber);
  assertEquals(inbox.payloads, [...thrown.keys(), "last"]);
  const letters = await deadLetters(channel);
  assertEquals(letters.map(({ original }) => original.payload), [...thrown.keys()]);
  assertEquals(letters[0]!.last_error, "text");
  assertEquals(letters.at(-1)!.last_error.length, 10_000);
  for (const { last_error } of letters) assertMatch(last_error, /./);
});

Deno.test("a logger that throws neither stops delivery nor loses a message", async () => {
  await using channel = await TestChannel.open();
  await publish(channel, 1, 2, 3);
  const inbox = failing(1);
  let refusals = 1;
  const debug = () => {
    if (refusals-- > 0) throw new Error("the log is broken");
  };
  const logger = { ...silentLogger, debug };
  await using subscriber = await subscribe(channel, inbox, { logger });
  await channel.clock.hurryUp(() => subscriber.position === channel.log.end);
  assertEquals(inbox.payloads.filter((payload) => payload !== 1), [2, 3]);
  assertEquals(inbox.payloads.indexOf(2) > inbox.payloads.lastIndexOf(1), true);
});

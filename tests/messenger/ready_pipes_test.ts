import { assert, assertEquals, assertRejects } from "@std/assert";
import { type MessengerOptions, PublishStoppedError, silentLogger } from "@keyop/messenger";
import {
  circuitBreaker,
  compress,
  dedupe,
  encrypt,
  filter,
  log,
  map,
  metrics,
  type Pipe,
  PipeTimeoutError,
  rateLimit,
  SequenceRecorder,
  sign,
  timeout,
  trace,
  verify,
} from "@keyop/messenger/pipes";
import { turn } from "../helpers/fake_clock.ts";
import { Inbox } from "../helpers/inbox.ts";
import { TestMessenger } from "../helpers/test_messenger.ts";

const TYPE = "com.example.Reading";
const SECRET = new Uint8Array(32).fill(7);
const keys = await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"]) as CryptoKeyPair;

function open(pipes: readonly Pipe[], options: MessengerOptions = {}): Promise<TestMessenger> {
  return TestMessenger.open({
    subscribers: { maxRetries: 1, retryBackoffBaseMs: 1, retryBackoffMaxMs: 1 },
  }, { anyPayloadType: true, ...options, pipes });
}

Deno.test("all ready-made pipes together stand around a messenger, and keep the order", async () => {
  const recorder = new SequenceRecorder();
  const counting = metrics();
  const once = dedupe();
  await using pi = await open([
    log({ logger: silentLogger }),
    counting,
    rateLimit({ perSecond: 1_000_000 }),
    verify({ signers: { k: { publicKey: keys.publicKey, origins: ["pi"] } } }),
    sign({ keyId: "k", privateKey: keys.privateKey }),
    encrypt({ keys: { keys: { k: SECRET }, current: "k" } }),
    compress({ minBytes: 100 }),
    trace({ tracer: recorder.tracer, propagate: true, name: "trace" }),
    filter(({ value }) => value !== "unwanted"),
    map({ handle: (message) => message.with(message.value) }),
    once,
    timeout({ sendMs: 10_000, handleMs: 10_000 }),
    circuitBreaker(),
  ]);
  const inbox = new Inbox();
  const subscription = await pi.messenger.subscribe("readings", "display", inbox.handler);
  const payloads: unknown[] = ["one", "long ".repeat(100), { celsius: 21.5 }, null, 4];
  await Promise.all(payloads.map((payload) => pi.messenger.publish("readings", TYPE, payload)));
  const batch = payloads.map((payload) => ({ payloadType: TYPE, payload }));
  await pi.messenger.publishBatch("readings", batch);
  await assertRejects(
    () => pi.messenger.publish("readings", TYPE, "unwanted"),
    PublishStoppedError,
  );
  await inbox.until(10);
  await subscription.close();
  assertEquals(inbox.payloads, [...payloads, ...payloads]);
  assertEquals(counting.stats().map(({ way, passed }) => [way, passed]), [
    ["send", 10],
    ["handle", 10],
  ]);
  assertEquals(once.stats(), { passed: 10, stopped: 0 });
  assert(recorder.toMermaid().includes(`handle ${TYPE}`));
  assertEquals(pi.lines("readings.dead-letter"), []);
});

Deno.test("an open breaker holds messages without spending their retries", async () => {
  const breaker = circuitBreaker({ failures: 1, openMs: 5 });
  await using pi = await open([breaker]);
  let fails = 1;
  const inbox = new Inbox();
  inbox.react = () => {
    if (fails-- > 0) throw new Error("down");
  };
  await pi.messenger.subscribe("readings", "display", inbox.handler);
  for (const n of [1, 2, 3]) await pi.messenger.publish("readings", TYPE, n);
  await inbox.until(4);
  assertEquals(inbox.payloads, [1, 1, 2, 3]);
  assertEquals(breaker.stats().state, "closed");
  assertEquals(pi.messenger.stats().subscribers[0]!.deadLettered, 0);
});

Deno.test("messages beyond the rate are held, in order, whatever the subscriber's retries", async () => {
  const limit = rateLimit({ perSecond: 20, burst: 1, way: "handle", beyond: "fail" });
  await using pi = await open([limit]);
  const numbers = Array.from({ length: 5 }, (_, n) => n);
  for (const n of numbers) await pi.messenger.publish("readings", TYPE, n);
  const inbox = new Inbox();
  await pi.messenger.subscribe("readings", "display", inbox.handler, { from: "start" });
  await inbox.until(5);
  assertEquals(inbox.payloads, numbers);
  assert(limit.stats().refused > 0);
  assertEquals(pi.messenger.stats().subscribers[0]!.deadLettered, 0);
});

Deno.test("every subscriber gets a message once, though dedupe is one pipe for all of them", async () => {
  const once = dedupe();
  await using pi = await open([once]);
  const id = "0195f0c0-1d2e-4abc-8def-0123456789ab";
  const inboxes = { one: new Inbox(), two: new Inbox() };
  let fails = 1;
  inboxes.one.react = () => {
    if (fails-- > 0) throw new Error("once");
  };
  for (const [name, inbox] of Object.entries(inboxes)) {
    await pi.messenger.subscribe("readings", name, inbox.handler);
  }
  for (const n of [1, 2]) await pi.messenger.publish("readings", TYPE, n, { id });
  await pi.messenger.publish("readings", TYPE, "end");
  await inboxes.one.until(3);
  await inboxes.two.until(2);
  assertEquals([inboxes.one.payloads, inboxes.two.payloads], [[1, 1, "end"], [1, "end"]]);
});

Deno.test("what has timed out on its way is not stored afterwards", async () => {
  const released = Promise.withResolvers<void>();
  const waiting = map({ send: (message) => released.promise.then(() => message) });
  await using pi = await open([waiting, timeout({ sendMs: 1 })]);
  await assertRejects(() => pi.messenger.publish("readings", TYPE, 1), PipeTimeoutError);
  released.resolve();
  await turn();
  await pi.messenger.publish("readings", TYPE, 2);
  assertEquals(pi.payloads("readings"), [2]);
});

import { assertEquals, assertStringIncludes } from "@std/assert";
import { TestMessenger } from "../helpers/test_messenger.ts";
import { runCli } from "./helpers.ts";

/** A directory, closed, with the orders 1 to 4 of which the even ones are dead letters. */
async function failed(): Promise<TestMessenger> {
  const pi = await TestMessenger.open();
  const { promise, resolve } = Promise.withResolvers<void>();
  await pi.messenger.subscribe<number>("orders", "billing", ({ payload }) => {
    if (payload === 5) resolve();
    else if (payload % 2 === 0) throw new Error(`no customer ${payload}`);
  }, { maxRetries: 0 });
  for (const n of [1, 2, 3, 4, 5]) {
    await pi.messenger.publish("orders", "com.example.Order", n, { correlationId: `order-${n}` });
  }
  await promise;
  await pi.messenger.close();
  return pi;
}

const dlq = (pi: TestMessenger, ...words: string[]) =>
  runCli(["dlq", ...words, "--data-dir", pi.dataDir]);

function idsOf(pi: TestMessenger): string[] {
  return pi.lines("orders.dead-letter").map(({ payload }) =>
    (payload as { original: { id: string } }).original.id
  );
}

Deno.test("dlq list shows where letters are, how many and what was said last", async () => {
  await using pi = await failed();
  const { code, stdout } = await dlq(pi, "list");
  assertEquals(code, 0);
  const [, row] = stdout.split("\n").map((line) => line.split(/ {2,}/));
  assertEquals([row![0], row![1], row![5]], ["orders", "2", "no customer 4"]);
  const [json] = JSON.parse((await dlq(pi, "list", "--json")).stdout);
  assertEquals([json.channel, json.letters, json.last_error], ["orders", 2, "no customer 4"]);
});

Deno.test("dlq list of a directory without letters says so", async () => {
  await using pi = await TestMessenger.open();
  await pi.messenger.publish("orders", "com.example.Order", 1);
  assertEquals((await dlq(pi, "list")).stdout, "No dead letters.\n");
});

Deno.test("dlq show has each message with what its handler said, or only those named", async () => {
  await using pi = await failed();
  const [first, second] = idsOf(pi);
  const { code, stdout } = await dlq(pi, "show", "orders");
  assertEquals(code, 0);
  for (const text of [first!, second!, "no customer 2", "no customer 4", "0 retries"]) {
    assertStringIncludes(stdout, text);
  }
  const named = await dlq(pi, "show", "orders.dead-letter", second!, "--json");
  const { failed_at, ...letter } = JSON.parse(named.stdout);
  assertEquals(new Date(failed_at).toISOString(), failed_at);
  assertEquals(letter, {
    id: second,
    payload_type: "com.example.Order",
    payload: 4,
    retries: 0,
    last_error: "no customer 4",
  });
});

Deno.test("dlq replay publishes each message once, under its id, and knows what it did", async () => {
  await using pi = await failed();
  const ids = idsOf(pi);
  const dry = await dlq(pi, "replay", "orders", "--dry-run");
  assertEquals(dry.stdout.split("\n").at(-2), "would publish 2 messages");
  assertEquals(pi.payloads("orders"), [1, 2, 3, 4, 5]);
  assertEquals((await dlq(pi, "replay", "orders")).stdout, "published 2 messages\n");
  assertEquals(pi.payloads("orders"), [1, 2, 3, 4, 5, 2, 4]);
  const replayed = pi.lines("orders").slice(-2);
  assertEquals(replayed.map(({ id, correlation_id }) => [id, correlation_id]), [
    [ids[0], "order-2"],
    [ids[1], "order-4"],
  ]);
  assertEquals((await dlq(pi, "replay", "orders")).stdout, "published 0 messages\n");
  assertEquals((await dlq(pi, "replay", "orders", "--all")).stdout, "published 2 messages\n");
});

Deno.test("dlq replay of ids publishes those, as often as asked, and names one that is not there", async () => {
  await using pi = await failed();
  const [, second] = idsOf(pi);
  assertEquals((await dlq(pi, "replay", "orders", second!)).stdout, "published 1 message\n");
  assertEquals(pi.payloads("orders").slice(5), [4]);
  const { code, stderr } = await dlq(pi, "replay", "orders", "nobody");
  assertEquals([code, stderr], [1, "keyop-messenger: there is no dead letter of message nobody\n"]);
  assertEquals((await dlq(pi, "replay", "orders")).stdout, "published 2 messages\n");
});

Deno.test("a replayed message reaches its subscriber once the cause is mended", async () => {
  await using pi = await failed();
  await dlq(pi, "replay", "orders");
  const messenger = await pi.reopen();
  const taken: unknown[] = [];
  for await (const { payload } of messenger.messages("orders", "billing")) {
    taken.push(payload);
    if (taken.length === 2) break;
  }
  assertEquals(taken, [2, 4]);
});

Deno.test("dlq purge deletes every letter, but only with --yes", async () => {
  await using pi = await failed();
  const refused = await dlq(pi, "purge", "orders");
  assertEquals(refused.code, 2);
  assertStringIncludes(refused.stderr, "2 dead letters would be deleted for good: say --yes");
  assertEquals(pi.lines("orders.dead-letter").length, 2);
  assertEquals((await dlq(pi, "purge", "orders", "--yes")).stdout, "deleted 2 dead letters\n");
  assertEquals(pi.lines("orders.dead-letter"), []);
  assertEquals((await dlq(pi, "list")).stdout, "No dead letters.\n");
});

Deno.test("a channel without letters, and an owned directory, are refused by name", async () => {
  await using pi = await failed();
  const { code, stderr } = await dlq(pi, "show", "order");
  assertEquals(code, 1);
  assertStringIncludes(stderr, '"order.dead-letter"');
  assertStringIncludes(stderr, '"orders.dead-letter"');
  await pi.reopen();
  const owned = await dlq(pi, "replay", "orders");
  assertEquals(owned.code, 1);
  assertStringIncludes(owned.stderr, `owned by process ${Deno.pid}`);
  assertEquals((await dlq(pi, "show", "orders")).code, 0);
});

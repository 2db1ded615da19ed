import { assertEquals, assertRejects } from "@std/assert";
import { type BatchMessage, PayloadInvalidError, StorageError } from "@keyop/messenger";
import { FaultyFiles } from "../helpers/faulty_files.ts";
import { Inbox } from "../helpers/inbox.ts";
import { TestMessenger } from "../helpers/test_messenger.ts";

const TYPE = "com.example.Reading";
const ID = "0195f0c0-1d2e-4abc-8def-0123456789ab";

function messages(...payloads: unknown[]): BatchMessage[] {
  return payloads.map((payload) => ({ payloadType: TYPE, payload }));
}

Deno.test("a batch is one group: one write, one sync, one after the other", async () => {
  const files = new FaultyFiles();
  await using pi = await TestMessenger.open({ storage: { syncPolicy: "always" } }, { files });
  await pi.messenger.publish("readings", TYPE, "first");
  const [writes, syncs] = [files.count("write", "channels/"), files.count("sync", "channels/")];
  const published = await pi.messenger.publishBatch("readings", messages("a", "b", "c"));
  assertEquals(files.count("write", "channels/"), writes + 1);
  assertEquals(files.count("sync", "channels/"), syncs + 1);
  const stored = pi.lines("readings").slice(1);
  assertEquals(stored.map(({ payload }) => payload), ["a", "b", "c"]);
  assertEquals(published.map(({ id }) => id), stored.map(({ id }) => id));
  let next = published[0]!.position;
  for (const [index, line] of stored.entries()) {
    assertEquals(published[index]!.position, next);
    next += JSON.stringify(line).length + 1;
  }
});

Deno.test("nobody's message comes between those of a batch", async () => {
  await using pi = await TestMessenger.open();
  await Promise.all(
    Array.from({ length: 50 }, (_, n) => [
      pi.messenger.publish("readings", TYPE, `single ${n}`),
      pi.messenger.publishBatch("readings", messages(`${n} a`, `${n} b`, `${n} c`)),
    ]).flat() as Promise<unknown>[],
  );
  const stored = pi.payloads("readings") as string[];
  for (let n = 0; n < 50; n++) {
    const at = stored.indexOf(`${n} a`);
    assertEquals(stored.slice(at, at + 3), [`${n} a`, `${n} b`, `${n} c`]);
  }
});

Deno.test("when one message of a batch is refused none is stored", async () => {
  await using pi = await TestMessenger.open();
  const { messenger } = pi;
  messenger.registerPayloadType("even", (value) => {
    if (Number(value) % 2 === 1) throw new Error(`${value} is odd`);
    return value;
  });
  messenger.registerPayloadType("slow-even", async (value) => {
    await Promise.resolve();
    if (Number(value) % 2 === 1) throw new Error(`${value} is odd`);
    return value;
  });
  for (const payloadType of ["even", "slow-even"]) {
    for (let bad = 0; bad < 3; bad++) {
      const batch = [0, 2, 4].map((payload, index) => ({
        payloadType,
        payload: index === bad ? payload + 1 : payload,
      }));
      const error = await assertRejects(
        () => messenger.publishBatch("readings", batch),
        PayloadInvalidError,
        "is odd",
      );
      assertEquals(error.payloadType, payloadType);
    }
  }
  const mixed = [{ payloadType: "slow-even", payload: 1 }, { payloadType: "even", payload: 1 }];
  await assertRejects(() => messenger.publishBatch("readings", mixed), PayloadInvalidError);
  for (const id of ["none", ""]) {
    const wrongId = [...messages(1), { payloadType: TYPE, payload: 2, id }];
    await assertRejects(() => messenger.publishBatch("readings", wrongId), RangeError, "UUID");
  }
  const tooLong = messages(1, "x".repeat(10 * 1024 * 1024));
  await assertRejects(() => messenger.publishBatch("readings", tooLong), PayloadInvalidError);
  assertEquals(pi.lines("readings"), []);
  await messenger.publishBatch("readings", [{ payloadType: "slow-even", payload: 6 }]);
  assertEquals(pi.payloads("readings"), [6]);
});

Deno.test("a batch whose sync fails is taken back whole", async () => {
  const files = new FaultyFiles();
  await using pi = await TestMessenger.open({ storage: { syncPolicy: "always" } }, { files });
  await pi.messenger.publish("readings", TYPE, 0);
  files.fail("sync", { path: "channels/readings" });
  await assertRejects(
    () => pi.messenger.publishBatch("readings", messages(1, 2, 3)),
    StorageError,
  );
  await pi.messenger.publishBatch("readings", messages(4, 5));
  assertEquals(pi.payloads("readings"), [0, 4, 5]);
});

Deno.test("messages of a batch bring their own ids, correlation ids and service names", async () => {
  await using pi = await TestMessenger.open();
  const [first, second] = await pi.messenger.publishBatch("readings", [
    { payloadType: TYPE, payload: 1, id: ID, correlationId: "c-1", serviceName: "heating" },
    { payloadType: "other", payload: 2 },
  ]);
  const [one, two] = pi.lines("readings");
  assertEquals([first!.id, one!.id, two!.id], [ID, ID, second!.id]);
  assertEquals([one!.correlation_id, one!.service_name], ["c-1", "heating"]);
  assertEquals([two!.correlation_id, two!.payload_type], [undefined, "other"]);
});

Deno.test("an empty batch stores nothing and makes no channel", async () => {
  await using pi = await TestMessenger.open();
  assertEquals(await pi.messenger.publishBatch("readings", []), []);
  assertEquals(pi.messenger.stats().channels, []);
});

Deno.test("a large batch reaches a subscriber whole and in order", async () => {
  await using pi = await TestMessenger.open({ storage: { offsetFlushIntervalMs: 100 } });
  const inbox = new Inbox();
  await pi.messenger.subscribe("readings", "reader", inbox.handler);
  const numbers = Array.from({ length: 5_000 }, (_, n) => n);
  await pi.messenger.publishBatch("readings", messages(...numbers));
  await inbox.until(5_000);
  assertEquals(inbox.payloads, numbers);
});

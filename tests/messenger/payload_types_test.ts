import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import * as v from "valibot";
import { z } from "zod";
import {
  PayloadInvalidError,
  type PayloadSchema,
  PayloadTypeAlreadyRegisteredError,
} from "@keyop/messenger";
import { turn } from "../helpers/fake_clock.ts";
import { Inbox } from "../helpers/inbox.ts";
import { TestMessenger } from "../helpers/test_messenger.ts";

const TYPE = "com.example.Reading";

const schemas: readonly [library: string, schema: PayloadSchema][] = [
  ["zod", z.object({ celsius: z.number() })],
  ["zod, asynchronously", z.object({ celsius: z.number() }).refine(() => Promise.resolve(true))],
  ["valibot", v.object({ celsius: v.number() })],
  ["a function", (value) => {
    if (typeof (value as { celsius: unknown }).celsius !== "number") throw new Error("celsius?");
    return value;
  }],
  ["an asynchronous function", async (value) => {
    await turn(1);
    if (typeof (value as { celsius: unknown }).celsius !== "number") throw new Error("celsius?");
    return value;
  }],
];
for (const [library, schema] of schemas) {
  Deno.test(`payloads are checked by ${library}, when published and when delivered`, async () => {
    await using pi = await TestMessenger.open();
    await pi.messenger.publish("readings", TYPE, { celsius: "warm" });
    pi.messenger.registerPayloadType(TYPE, schema);
    const error = await assertRejects(
      () => pi.messenger.publish("readings", TYPE, { celsius: "warm" }),
      PayloadInvalidError,
    );
    assertEquals(error.issues.length, 1);
    assertEquals(error.issues[0]!.includes("celsius"), true);
    await pi.messenger.publish("readings", TYPE, { celsius: 21.5 });
    const inbox = new Inbox();
    await pi.messenger.subscribe("readings", "display", inbox.handler, { from: "start" });
    await inbox.until(1);
    assertEquals(inbox.payloads, [{ celsius: 21.5 }]);
    assertEquals(pi.payloads("readings"), [{ celsius: "warm" }, { celsius: 21.5 }]);
    await pi.logger.until("moved a message");
  });
}

Deno.test("what a schema makes of a value goes to the handler, what was given goes on the disk", async () => {
  await using pi = await TestMessenger.open();
  pi.messenger.registerPayloadType(TYPE, z.coerce.date());
  const inbox = new Inbox();
  await pi.messenger.subscribe("readings", "display", inbox.handler);
  await pi.messenger.publish("readings", TYPE, "2026-01-02T03:04:05.000Z");
  await inbox.until(1);
  assertEquals(inbox.payloads, [new Date(Date.UTC(2026, 0, 2, 3, 4, 5))]);
  assertEquals(pi.payloads("readings"), ["2026-01-02T03:04:05.000Z"]);
});

Deno.test("a type is registered once, with or without a schema", async () => {
  await using pi = await TestMessenger.open();
  pi.messenger.registerPayloadType(TYPE);
  for (const schema of [undefined, z.string()]) {
    assertThrows(
      () => pi.messenger.registerPayloadType(TYPE, schema),
      PayloadTypeAlreadyRegisteredError,
      TYPE,
    );
  }
  await pi.messenger.publish("readings", TYPE, ["anything"]);
});

Deno.test("a type that nobody registered is delivered as it is, with one warning", async () => {
  await using pi = await TestMessenger.open();
  pi.messenger.registerPayloadType("known");
  const inbox = new Inbox();
  await pi.messenger.subscribe("readings", "display", inbox.handler);
  for (const type of ["unknown", "known", "unknown", "other"]) {
    await pi.messenger.publish("readings", type, { type });
  }
  await inbox.until(4);
  assertEquals(
    pi.logger.matching("a type that is not registered").map(({ fields }) => fields.payload_type),
    ["unknown", "other"],
  );
});

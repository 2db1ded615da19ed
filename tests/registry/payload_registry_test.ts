import { assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import * as v from "valibot";
import { z } from "zod";
import { PayloadInvalidError, PayloadTypeAlreadyRegisteredError } from "../../src/base/mod.ts";
import { PayloadRegistry, type PayloadSchema } from "../../src/registry/mod.ts";

const TYPE = "com.example.Reading";

const SCHEMAS: Record<string, PayloadSchema> = {
  zod: z.object({ celsius: z.number() }),
  valibot: v.object({ celsius: v.number() }),
  "a function": (value) => {
    if (typeof (value as { celsius?: unknown })?.celsius === "number") return value;
    throw new TypeError("celsius: expected a number");
  },
};

for (const [name, schema] of Object.entries(SCHEMAS)) {
  Deno.test(`a schema of ${name} passes what fits and names what does not`, () => {
    const registry = new PayloadRegistry();
    registry.register(TYPE, schema);
    assertEquals(registry.parse(TYPE, { celsius: 21 }), { celsius: 21 });
    const error = assertThrows(
      () => registry.parse(TYPE, { celsius: "warm" }),
      PayloadInvalidError,
      "celsius",
    );
    assertEquals(error.payloadType, TYPE);
    assertEquals(error.issues.length, 1);
  });
}

Deno.test("an asynchronous schema gives a promise", async () => {
  const registry = new PayloadRegistry();
  registry.register(
    TYPE,
    z.object({ id: z.string().refine((id) => Promise.resolve(id === "known"), "unknown id") }),
  );
  const parsed = registry.parse(TYPE, { id: "known" });
  assertInstanceOf(parsed, Promise);
  assertEquals(await parsed, { id: "known" });
  await assertRejects(
    () => registry.parse(TYPE, { id: "other" }) as Promise<unknown>,
    PayloadInvalidError,
    "id: unknown id",
  );
});

Deno.test("a parse function may be asynchronous", async () => {
  const registry = new PayloadRegistry();
  registry.register(TYPE, () => Promise.reject(new Error("no such sensor")));
  await assertRejects(
    () => registry.parse(TYPE, {}) as Promise<unknown>,
    PayloadInvalidError,
    "no such sensor",
  );
});

Deno.test("a type without a schema, or not registered, takes any JSON", () => {
  const registry = new PayloadRegistry();
  registry.register(TYPE);
  assertEquals(registry.parse(TYPE, [1]), [1]);
  assertEquals(registry.parse("other", null), null);
});

Deno.test("a type is registered once", () => {
  const registry = new PayloadRegistry();
  registry.register(TYPE);
  assertThrows(() => registry.register(TYPE), PayloadTypeAlreadyRegisteredError, TYPE);
});

Deno.test("a name that is empty or too long, and a schema that is none, are refused", () => {
  const registry = new PayloadRegistry();
  assertThrows(() => registry.register(""), RangeError);
  assertThrows(() => registry.register("x".repeat(256)), RangeError);
  assertThrows(() => registry.register(TYPE, {} as PayloadSchema), RangeError, "Standard Schema");
});

Deno.test("an unregistered type is noted once, and only so many are", () => {
  const registry = new PayloadRegistry();
  registry.register(TYPE);
  assertEquals(registry.noteUnregistered(TYPE), false);
  assertEquals(registry.noteUnregistered("other"), true);
  assertEquals(registry.noteUnregistered("other"), false);
  for (let i = 0; i < 2_000; i++) registry.noteUnregistered(`type-${i}`);
  assertEquals(registry.noteUnregistered("one more"), false);
});

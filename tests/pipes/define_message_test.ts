import { assert, assertEquals, assertThrows } from "@std/assert";
import { z } from "zod";
import {
  defineMessage,
  InvalidConfigError,
  InvalidEncodingError,
  type PipeMessage,
} from "../../src/pipes/mod.ts";

Deno.test("a defined type makes messages and knows them again", () => {
  const Word = defineMessage<{ word: string }>({ code: 10, name: "Word" });
  const Other = defineMessage({ code: 11, name: "Other" });
  const hello = Word({ word: "Hello" });
  assertEquals([hello.type, hello.value.word], ["Word", "Hello"]);
  assertEquals([Word.is(hello), Other.is(hello)], [true, false]);
  assertEquals([Word.name, Word.code, Word.encoding], ["Word", 10, undefined]);
});

Deno.test("a schema gives the type of the values", () => {
  const Count = defineMessage({
    code: 12,
    name: "Count",
    schema: z.object({ count: z.number() }),
    encoding: "application/cbor",
  });
  const message: { readonly type: string; readonly value: unknown } = Count({ count: 2 });
  assert(Count.is(message));
  const doubled: number = message.value.count * 2;
  assertEquals([doubled, Count.encoding], [4, "application/cbor"]);
});

Deno.test("what a pipe sees is known again as well", () => {
  const Word = defineMessage<{ word: string }>({ code: 10, name: "Word" });
  const lengthOf = (message: PipeMessage): number =>
    Word.is(message) ? message.value.word.length : 0;
  assertEquals(lengthOf({ type: "Word", value: { word: "abc" } } as PipeMessage), 3);
});

for (const code of [-1, 2 ** 32, 1.5, NaN, "10" as unknown as number]) {
  Deno.test(`a type cannot have the code ${code}`, () => {
    assertThrows(() => defineMessage({ code, name: "Word" }), InvalidConfigError, "whole number");
  });
}

Deno.test("the smallest and the largest code can be used", () => {
  assertEquals(defineMessage({ code: 0, name: "Zero" }).code, 0);
  assertEquals(defineMessage({ code: 0xffff_ffff, name: "Last" }).code, 4_294_967_295);
});

Deno.test("a type needs a name, a schema that is one, and an encoding that there is", () => {
  assertThrows(() => defineMessage({ code: 2, name: "" }), InvalidConfigError, "1 to 255");
  assertThrows(
    () => defineMessage({ code: 2, name: "A", schema: {} as never }),
    InvalidConfigError,
    "neither a Standard Schema nor a function",
  );
  assertThrows(
    () => defineMessage({ code: 2, name: "A", encoding: "text/plain" as never }),
    InvalidEncodingError,
    "application/json, application/msgpack, application/cbor",
  );
});

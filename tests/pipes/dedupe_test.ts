import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { dedupe, InvalidConfigError } from "@keyop/messenger/pipes";
import { PEER, TestHost } from "../helpers/pipe_host.ts";

const message = (id: string, value: unknown = id) => ({ value, headers: { id } });

Deno.test("a message that comes again does not reach the handler of the same connection", async () => {
  const pipe = dedupe();
  const end = new TestHost([pipe]);
  for (const id of ["a", "b", "a", "a"]) await end.receive(message(id));
  assertEquals(end.handled.map(({ value }) => value), ["a", "b"]);
  assertEquals(pipe.stats(), { passed: 2, stopped: 2 });
  // Another subscriber gets it as well.
  await end.receive(message("a"), { ...PEER, id: "2" });
  assertEquals(end.handled.length, 3);
});

Deno.test("one that could not be handled is the first when it comes again", async () => {
  const pipe = dedupe();
  const end = new TestHost([pipe]);
  let fails = true;
  end.onHandle = () => {
    if (fails) throw new Error("no");
  };
  await assertRejects(() => end.receive(message("a")), Error, "no");
  fails = false;
  await end.receive(message("a"));
  await end.receive(message("a"));
  assertEquals(end.handled.length, 2);
  assertEquals(pipe.stats(), { passed: 1, stopped: 1 });
});

Deno.test("only the last so many are remembered", async () => {
  const end = new TestHost([dedupe({ capacity: 2 })]);
  for (const id of ["a", "b", "c", "b", "a"]) await end.receive(message(id));
  assertEquals(end.handled.map(({ value }) => value), ["a", "b", "c", "a"]);
});

Deno.test("the key is the user's to choose, and what has none passes", async () => {
  const end = new TestHost([dedupe({
    way: "both",
    key: ({ value }) => (value as { order?: string }).order,
  })]);
  for (const order of ["1", "1", "2"]) {
    await end.send({ order });
    await end.receive({ value: { order } });
  }
  for (let n = 0; n < 2; n++) await end.receive({ value: {} });
  assertEquals([end.sent.length, end.handled.length], [2, 4]);
  // By default a broker's messages, which have no id, are not looked at.
  const plain = new TestHost([dedupe()]);
  for (let n = 0; n < 2; n++) await plain.receive({ value: n });
  assertEquals(plain.handled.length, 2);
});

Deno.test("dedupe refuses options out of their range", () => {
  for (const capacity of [0, 1.5, 1e9]) {
    assertThrows(() => dedupe({ capacity }), InvalidConfigError, "capacity");
  }
  assertThrows(() => dedupe({ way: "up" as never }), InvalidConfigError);
});

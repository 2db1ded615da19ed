import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { filter, InvalidConfigError, log, map, type Mapping } from "@keyop/messenger/pipes";
import { FakeClock } from "../helpers/fake_clock.ts";
import { TestHost } from "../helpers/pipe_host.ts";
import { RecordingLogger } from "../helpers/recording_logger.ts";

Deno.test("filter stops what its function refuses, both ways or one", async () => {
  const even = new TestHost([filter(({ value }) => (value as number) % 2 === 0)]);
  for (const n of [1, 2, 3, 4]) {
    await even.send(n);
    await even.receive({ value: n });
  }
  assertEquals(even.sent.map(({ value }) => value), [2, 4]);
  assertEquals(even.handled.map(({ value }) => value), [2, 4]);
  const inOnly = new TestHost([filter({ handle: ({ type }) => Promise.resolve(type === "Good") })]);
  await inOnly.send(1);
  await inOnly.receive({ value: 1 });
  await inOnly.receive({ value: 2, type: "Good" });
  assertEquals([inOnly.sent.length, inOnly.handled.map(({ value }) => value)], [1, [2]]);
});

Deno.test("what a filter or map function throws fails the message", async () => {
  const failing = () => {
    throw new Error("no");
  };
  for (const pipe of [filter(failing), map({ send: failing, handle: failing })]) {
    const end = new TestHost([pipe]);
    await assertRejects(() => end.send(1), Error, "no");
    await assertRejects(() => end.receive({ value: 1 }), Error, "no");
    assertEquals([end.sent, end.handled], [[], []]);
  }
});

Deno.test("map changes each way by its own function, and passes on the way that has none", async () => {
  const end = new TestHost([map({
    send: (message) => message.with([message.value], { type: "List", headers: { a: "b" } }),
    handle: (message) => Promise.resolve(message.with((message.value as unknown[])[0])),
  })]);
  const wire = await end.send(1);
  assertEquals([wire.type, wire.value, wire.headers], ["List", [1], { a: "b" }]);
  assertEquals((await end.receive(wire)).value, 1);
  const oneWay = new TestHost([map({ send: (message) => message.with("sent") })]);
  assertEquals((await oneWay.receive({ value: 1 })).value, 1);
});

Deno.test("filter and map refuse what is no function, and map what is no message", async () => {
  assertThrows(() => filter({ send: 1 as never }), InvalidConfigError);
  assertThrows(() => map({ handle: "x" as never }), InvalidConfigError);
  const end = new TestHost([map({ send: (() => 5) as unknown as Mapping })]);
  await assertRejects(() => end.send(1), InvalidConfigError, "give message.with(…)");
});

Deno.test("log writes one line a message, when everything behind it is done", async () => {
  const clock = new FakeClock();
  const logger = new RecordingLogger();
  const end = new TestHost([log({ logger, level: "debug", clock })], {
    channel: "words",
    headers: { id: "i1" },
  });
  end.onSend = () => clock.pass(2.5);
  end.onHandle = () => {
    clock.pass(1);
    throw new Error("no use");
  };
  await end.send("secret");
  await assertRejects(() => end.receive({ value: "secret" }), Error, "no use");
  const about = { type: "Text", channel: "words", id: "i1" };
  assertEquals(logger.lines, [
    { level: "debug", message: "sent", fields: { ...about, connection: undefined, ms: 2.5 } },
    {
      level: "error",
      message: "could not be handled",
      fields: { ...about, connection: "1", ms: 1, error: "no use" },
    },
  ]);
});

Deno.test("log shows values only where that was asked for; a logger that throws fails nothing", async () => {
  const logger = new RecordingLogger();
  await new TestHost([log({ logger, values: true })]).send({ word: "Hello" });
  assertEquals(logger.lines[0]!.fields.value, { word: "Hello" });
  assertEquals(logger.lines[0]!.level, "info");
  const throwing = () => {
    throw new Error("the disk is full");
  };
  const broken = { debug: throwing, info: throwing, warn: throwing, error: throwing };
  const end = new TestHost([log({ logger: broken })]);
  await end.send(1);
  assertEquals(end.sent.length, 1);
  assertThrows(() => log({ logger, level: "loud" as never }), InvalidConfigError);
  assertThrows(() => log({} as never), InvalidConfigError);
});

import { assert, assertEquals, assertMatch, assertNotEquals, assertRejects } from "@std/assert";
import {
  InvalidChannelNameError,
  MessengerClosedError,
  PayloadInvalidError,
  ReservedChannelNameError,
} from "@keyop/messenger";
import { turn } from "../helpers/fake_clock.ts";
import { FaultyFiles } from "../helpers/faulty_files.ts";
import { TestMessenger } from "../helpers/test_messenger.ts";

const TYPE = "com.example.Reading";
const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const ID = "0195f0c0-1d2e-4abc-8def-0123456789ab";

Deno.test("a published message is on the disk as the format says, with a UUID of version 7", async () => {
  await using pi = await TestMessenger.open();
  const { id, position } = await pi.messenger.publish("readings", TYPE, { celsius: 21.5 });
  assertMatch(id, UUID_V7);
  assertEquals(position, 0);
  const [line] = pi.lines("readings");
  assertEquals(Object.keys(line!), [
    "v",
    "id",
    "ts",
    "channel",
    "origin",
    "payload_type",
    "payload",
  ]);
  assertMatch(String(line!.ts), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assertEquals({ ...line!, ts: "" }, {
    v: 1,
    id,
    ts: "",
    channel: "readings",
    origin: "pi",
    payload_type: TYPE,
    payload: { celsius: 21.5 },
  });
});

Deno.test("positions rise by the bytes of each record, in the order of the calls", async () => {
  await using pi = await TestMessenger.open();
  const published = await Promise.all(
    [1, "größe", null, [], { deep: { er: true } }].map((payload) =>
      pi.messenger.publish("readings", TYPE, payload)
    ),
  );
  const encoder = new TextEncoder();
  const text = await Deno.readTextFile(`${pi.dataDir}/channels/readings/${"0".repeat(20)}.jsonl`);
  let expected = 0;
  for (const [index, line] of text.trimEnd().split("\n").entries()) {
    assertEquals(published[index], { id: JSON.parse(line).id, position: expected });
    expected += encoder.encode(line).length + 1;
  }
  assertEquals(pi.messenger.stats().channels[0]!.end, expected);
});

Deno.test("ids of messages published at once differ, and sort as they were published", async () => {
  await using pi = await TestMessenger.open();
  const published = await Promise.all(
    Array.from({ length: 10_000 }, (_, n) => pi.messenger.publish("readings", TYPE, n)),
  );
  assertEquals(new Set(published.map(({ id }) => id)).size, 10_000);
  const stored = pi.lines("readings");
  assertEquals(stored.map(({ payload }) => payload), Array.from({ length: 10_000 }, (_, n) => n));
  const times = stored.map(({ id }) => id.slice(0, 13));
  assertEquals(times, times.toSorted());
});

Deno.test("a channel's name is 1 to 255 characters of the allowed ones, and leads nowhere", async () => {
  await using pi = await TestMessenger.open();
  for (
    const name of ["", ".", "..", "a/b", "../x", "a b", "ä", "a\n", "\0", "x".repeat(256), "a:b"]
  ) {
    await assertRejects(() => pi.messenger.publish(name, TYPE, 1), InvalidChannelNameError);
    await assertRejects(
      () => pi.messenger.publishBatch(name, [{ payloadType: TYPE, payload: 1 }]),
      InvalidChannelNameError,
    );
  }
  for (const name of [undefined, null, 5, {}] as unknown as string[]) {
    await assertRejects(() => pi.messenger.publish(name, TYPE, 1), InvalidChannelNameError);
  }
  assertEquals([...Deno.readDirSync(`${pi.dataDir}/channels`)], []);
  for (const name of ["x".repeat(255), "...", "a.b_c-D9"]) {
    await pi.messenger.publish(name, TYPE, 1);
    assertEquals(pi.payloads(name), [1]);
  }
});

Deno.test("names of dead-letter channels are the messenger's own", async () => {
  await using pi = await TestMessenger.open();
  for (const name of ["readings.dead-letter", "a.dead-letter.dead-letter", ".dead-letter"]) {
    await assertRejects(() => pi.messenger.publish(name, TYPE, 1), ReservedChannelNameError);
    await assertRejects(
      () => pi.messenger.publishBatch(name, [{ payloadType: TYPE, payload: 1 }]),
      ReservedChannelNameError,
    );
  }
  await pi.messenger.publish("readings.dead-letters", TYPE, 1);
});

const cycle: Record<string, unknown> = {};
cycle.self = cycle;
const unfit: readonly [what: string, payload: unknown][] = [
  ["undefined", undefined],
  ["a function", () => {}],
  ["a symbol", Symbol("x")],
  ["a BigInt", 10n],
  ["a BigInt inside", { deep: [1n] }],
  ["a cycle", cycle],
  ["an object whose toJSON throws", {
    toJSON() {
      throw new Error("not today");
    },
  }],
  ["an object whose toJSON gives nothing", { toJSON() {} }],
];
for (const [what, payload] of unfit) {
  Deno.test(`${what} is refused as a payload, and nothing is stored`, async () => {
    await using pi = await TestMessenger.open();
    const { messenger } = pi;
    const error = await assertRejects(
      () => messenger.publish("readings", TYPE, payload),
      PayloadInvalidError,
    );
    assertEquals(error.payloadType, TYPE);
    await messenger.publish("readings", TYPE, "fine");
    // The channel is open now, which is another way through the code.
    await assertRejects(() => messenger.publish("readings", TYPE, payload), PayloadInvalidError);
    await assertRejects(
      () =>
        messenger.publishBatch("readings", [
          { payloadType: TYPE, payload: "never" },
          { payloadType: TYPE, payload },
        ]),
      PayloadInvalidError,
    );
    assertEquals(pi.payloads("readings"), ["fine"]);
  });
}

Deno.test("a payload is what it was when publish was called", async () => {
  await using pi = await TestMessenger.open();
  const payload = { n: 1 };
  const first = pi.messenger.publish("readings", TYPE, payload);
  payload.n = 2;
  const second = pi.messenger.publish("readings", TYPE, payload, { signal: signal() });
  payload.n = 3;
  const third = pi.messenger.publishBatch("readings", [{ payloadType: TYPE, payload }]);
  payload.n = 4;
  await Promise.all([first, second, third]);
  assertEquals(pi.payloads("readings"), [{ n: 1 }, { n: 2 }, { n: 3 }]);
});

Deno.test("a record may take 10 MiB and not a byte more", async () => {
  await using pi = await TestMessenger.open();
  const limit = 10 * 1024 * 1024;
  await pi.messenger.publish("readings", TYPE, "");
  const overhead = JSON.stringify(pi.lines("readings")[0]).length;
  const error = await assertRejects(
    () => pi.messenger.publish("readings", TYPE, "x".repeat(limit - overhead + 1)),
    PayloadInvalidError,
  );
  assertMatch(error.message, /10485761 bytes.*limit of 10485760/);
  await assertRejects(
    () => pi.messenger.publish("fresh", TYPE, "ä".repeat(limit / 2)),
    PayloadInvalidError,
  );
  await pi.messenger.publish("readings", TYPE, "x".repeat(limit - overhead));
  assertEquals(pi.lines("readings").length, 2);
});

Deno.test("a payload type is a text that is not empty", async () => {
  await using pi = await TestMessenger.open();
  for (const type of ["", undefined, null, 7] as unknown as string[]) {
    await assertRejects(() => pi.messenger.publish("readings", type, 1), PayloadInvalidError);
  }
  assertEquals(pi.lines("readings"), []);
});

Deno.test("a message may bring its own id, which has to be a UUID", async () => {
  await using pi = await TestMessenger.open();
  assertEquals((await pi.messenger.publish("readings", TYPE, 1, { id: ID })).id, ID);
  assertEquals((await pi.messenger.publish("readings", TYPE, 2, { id: ID })).id, ID);
  const later = await pi.messenger.publish("readings", TYPE, 3);
  assertNotEquals(later.id, ID);
  assertEquals(pi.lines("readings").map(({ id }) => id), [ID, ID, later.id]);
  for (const id of ["", "x", `${ID}0`, `"${ID.slice(2)}"`, 5] as string[]) {
    await assertRejects(
      () => pi.messenger.publish("readings", TYPE, 1, { id }),
      RangeError,
      "give a UUID",
    );
  }
  assertEquals(pi.lines("readings").length, 3);
});

Deno.test("an aborted signal refuses the message before anything is stored", async () => {
  await using pi = await TestMessenger.open();
  const reason = new Error("no longer wanted");
  const options = { signal: AbortSignal.abort(reason) };
  for (let round = 0; round < 2; round++) {
    const error = await assertRejects(() => pi.messenger.publish("readings", TYPE, 1, options));
    assertEquals(error, reason);
    const batch = [{ payloadType: TYPE, payload: 1 }];
    assertEquals(
      await assertRejects(() => pi.messenger.publishBatch("readings", batch, options)),
      reason,
    );
    await pi.messenger.publish("readings", TYPE, "fine");
  }
  assertEquals(pi.payloads("readings"), ["fine", "fine"]);
});

Deno.test("a signal ends the waiting for a disk that is full", async () => {
  const files = new FaultyFiles();
  await using pi = await TestMessenger.open({}, { files });
  await pi.messenger.publish("readings", TYPE, 0);
  files.roomBytes = 0;
  const controller = new AbortController();
  const { signal } = controller;
  const waiting = pi.messenger.publish("readings", TYPE, 1, { signal });
  const batch = pi.messenger.publishBatch("readings", [{ payloadType: TYPE, payload: 2 }], {
    signal,
  });
  await pi.logger.until("the disk refuses writes");
  const patient = pi.messenger.publish("readings", TYPE, 3);
  await turn();
  controller.abort(new Error("enough"));
  await assertRejects(() => waiting, Error, "enough");
  await assertRejects(() => batch, Error, "enough");
  files.heal();
  await patient;
  // What was handed to the disk is stored all the same, and in its place.
  assertEquals(pi.payloads("readings"), [0, 1, 2, 3]);
});

Deno.test("a signal that is aborted while the schema thinks leaves nothing behind", async () => {
  await using pi = await TestMessenger.open();
  const answer = Promise.withResolvers<unknown>();
  pi.messenger.registerPayloadType(TYPE, () => answer.promise);
  const controller = new AbortController();
  const options = { signal: controller.signal };
  const waiting = pi.messenger.publish("readings", TYPE, 1, options);
  const batch = pi.messenger.publishBatch(
    "readings",
    [{ payloadType: TYPE, payload: 2 }],
    options,
  );
  controller.abort(new Error("enough"));
  await assertRejects(() => waiting, Error, "enough");
  await assertRejects(() => batch, Error, "enough");
  answer.resolve("fine");
  await pi.messenger.publish("readings", TYPE, 3);
  assertEquals(pi.payloads("readings"), [3]);
});

Deno.test("after close nothing can be published any more", async () => {
  await using pi = await TestMessenger.open();
  await pi.messenger.publish("readings", TYPE, 1);
  await pi.messenger.close();
  for (const channel of ["readings", "fresh"]) {
    await assertRejects(() => pi.messenger.publish(channel, TYPE, 2), MessengerClosedError);
    await assertRejects(
      () => pi.messenger.publishBatch(channel, [{ payloadType: TYPE, payload: 2 }]),
      MessengerClosedError,
    );
  }
  assertEquals(pi.payloads("readings"), [1]);
});

Deno.test("what was published before close is stored by it, on channels old and new", async () => {
  await using pi = await TestMessenger.open();
  pi.messenger.registerPayloadType("slow", async (value) => {
    await turn(2);
    return value;
  });
  await pi.messenger.publish("readings", TYPE, 1);
  const published = Promise.all([
    pi.messenger.publish("readings", TYPE, 2),
    pi.messenger.publish("fresh", TYPE, 3),
    pi.messenger.publishBatch("fresher", [{ payloadType: TYPE, payload: 4 }]),
    pi.messenger.publish("readings", "slow", 5),
  ]);
  await pi.messenger.close();
  await published;
  assertEquals(pi.payloads("readings"), [1, 2, 5]);
  assertEquals([pi.payloads("fresh"), pi.payloads("fresher")], [[3], [4]]);
});

Deno.test("publishing fails and goes on failing to nobody's harm when the channel cannot be made", async () => {
  const files = new FaultyFiles();
  await using pi = await TestMessenger.open({}, { files });
  files.fail("makeDir", { path: "channels/readings", times: 2 });
  const outcomes = await Promise.allSettled([
    pi.messenger.publish("readings", TYPE, 1),
    pi.messenger.publish("readings", TYPE, 2),
  ]);
  assertEquals(outcomes.map(({ status }) => status), ["rejected", "rejected"]);
  await pi.messenger.publish("readings", TYPE, 3);
  assertEquals(pi.payloads("readings"), [3]);
});

Deno.test("a correlation id and a service name are kept, whatever is in them", async () => {
  await using pi = await TestMessenger.open();
  const correlationId = 'a "quoted"\n\u2028 id';
  await pi.messenger.publish("readings", TYPE, 1, { correlationId, serviceName: "<heating>" });
  await pi.messenger.publish("readings", TYPE, 2, { correlationId: "", serviceName: "" });
  const [first, second] = pi.lines("readings");
  assertEquals([first!.correlation_id, first!.service_name], [correlationId, "<heating>"]);
  assert(!("correlation_id" in second!) && !("service_name" in second!));
});

function signal(): AbortSignal {
  return new AbortController().signal;
}

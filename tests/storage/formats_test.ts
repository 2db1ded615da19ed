import { assert, assertEquals } from "@std/assert";
import {
  type DeadLetterPayload,
  decodeEnvelopeText,
  EnvelopeEncoder,
} from "../../src/envelope/mod.ts";
import { FileChannelLogs } from "../../src/storage/mod.ts";
import { copyFolder } from "../helpers/copy_folder.ts";
import { RecordingLogger } from "../helpers/recording_logger.ts";
import { tempDir } from "../helpers/temp.ts";
import { readTexts } from "../helpers/test_channel.ts";

interface Fixture {
  readonly folder: string;
  readonly ids: readonly string[];
  readonly timestamps: readonly string[];
  readonly origins: readonly string[];
  readonly correlationId: string;
  /** Index of the record that each cursor stands at. */
  readonly cursors: Readonly<Record<string, number>>;
  readonly deadLetterId: string;
}

const FIXTURES: readonly Fixture[] = [
  {
    folder: "v1/written_by_go",
    ids: [
      "6f1c24a1-7a0c-4f0e-9d53-0d2c1b1f5a10",
      "0b9d6a2e-3c41-4f7d-8a55-92c7c5e1d0aa",
      "d2719c5b-66e8-4a7c-b0f4-7d1f0e9a3b2c",
      "f7c3de3d-1b2a-4c9e-8f21-4f6f5f0f9b77",
    ],
    timestamps: [
      "2026-01-02T03:04:05.123456789Z",
      "2026-01-02T03:04:05.2Z",
      "2026-01-02T03:04:06Z",
      "2026-01-02T03:04:07.000000001Z",
    ],
    origins: ["shop-1", "shop-1", "shop-2", "shop-1"],
    correlationId: "order-17",
    cursors: { billing: 1, "fed-hub-2": 3, shipping: 0 },
    deadLetterId: "1a8e7f60-91d7-4f3b-a6a5-0b6f3b1f2c4d",
  },
  {
    folder: "v1/written_by_this",
    ids: [
      "019b8207-c865-7cdf-b813-df59de0023ce",
      "019b8207-c866-700d-87d3-4a1dce1e021c",
      "019b8207-ca5a-7583-9242-0f512fa8f31d",
      "019b8207-cc4e-7c61-a341-0a0a2934cbe8",
    ],
    timestamps: [
      "2026-01-03T04:05:06.789Z",
      "2026-01-03T04:05:06.790Z",
      "2026-01-03T04:05:07.290Z",
      "2026-01-03T04:05:07.790Z",
    ],
    origins: ["shop-3", "shop-3", "shop-4", "shop-3"],
    correlationId: "order-18",
    cursors: { billing: 1, "fed-hub-2": 3, shipping: 0 },
    deadLetterId: "019b8207-cc4e-7dc2-a03b-d36885aae679",
  },
];

const FIRST_PAYLOAD = {
  html: "<b>Müller & Söhne</b>",
  lines: "one\u2028two\u2029three",
  emoji: "🎉",
  tab: "a\tb\u0001c",
};

for (const fixture of FIXTURES) {
  const source = new URL(`../fixtures/${fixture.folder}`, import.meta.url).pathname;

  Deno.test(`${fixture.folder}: every record is read`, async () => {
    await using dir = await tempDir();
    await copyFolder(source, dir.path);
    const logger = new RecordingLogger();
    const logs = new FileChannelLogs(dir.path, { logger });
    assertEquals(logs.names(), ["orders", "orders.dead-letter"]);
    const log = await logs.open("orders");
    const records = (await readTexts(log)).map(decodeEnvelopeText);
    assertEquals(records.map(({ id }) => id), fixture.ids);
    assertEquals(records.map(({ ts }) => ts), fixture.timestamps);
    for (const { ts } of records) assert(!Number.isNaN(Date.parse(ts)));
    assertEquals(records.map(({ origin }) => origin), fixture.origins);
    assertEquals(records.map(({ channel }) => channel), Array(4).fill("orders"));
    assertEquals(records.map(({ payloadType }) => payloadType.slice(12)), [
      "OrderCreated",
      "OrderCreated",
      "OrderCreated",
      "OrderCancelled",
    ]);
    const { correlationId } = fixture;
    assertEquals(records.map((record) => record.correlationId), [
      "",
      correlationId,
      "",
      correlationId,
    ]);
    assertEquals(records.map(({ serviceName }) => serviceName), ["", "shop", "", ""]);
    assertEquals(records[2]!.route, [fixture.origins[2]!, "hub"]);
    assertEquals(records[0]!.payload, FIRST_PAYLOAD);
    assert(records[1]!.text.includes('"payload":{"cents":12345678901234567890,"rate":1.50}}'));
    assertEquals(records[2]!.payload, null);
    assertEquals(records[3]!.payload, [1, 2.5, "x", null, true]);
    assertEquals(logger.from("warn"), []);
    await logs.close();
  });

  Deno.test(`${fixture.folder}: a dead letter is read, with the whole record in it`, async () => {
    await using dir = await tempDir();
    await copyFolder(source, dir.path);
    const logs = new FileChannelLogs(dir.path);
    const [text] = await readTexts(await logs.open("orders.dead-letter"));
    const { id, payload, payloadType } = decodeEnvelopeText(text!);
    assertEquals(id, fixture.deadLetterId);
    assertEquals(payloadType, "com.keyop.messenger.DeadLetterPayload");
    const letter = payload as DeadLetterPayload;
    assertEquals(letter.retries, 5);
    assertEquals(letter.last_error, 'billing: "timeout" after <30s>');
    assert(!Number.isNaN(Date.parse(letter.failed_at)));
    const [original] = await readTexts(await logs.open("orders"));
    assertEquals(letter.original, JSON.parse(original!));
    await logs.close();
  });

  Deno.test(`${fixture.folder}: readers go on from their cursors`, async () => {
    await using dir = await tempDir();
    await copyFolder(source, dir.path);
    const logs = new FileChannelLogs(dir.path);
    const log = await logs.open("orders");
    const cursors = await log.cursors();
    assertEquals(cursors.map(({ name }) => name), Object.keys(fixture.cursors));
    for (const [name, index] of Object.entries(fixture.cursors)) {
      const cursor = await log.cursor(name);
      const rest = (await readTexts(log, cursor.position)).map((text) =>
        decodeEnvelopeText(text).id
      );
      assertEquals(rest, fixture.ids.slice(index), name);
      await cursor.save(log.end);
      cursor.close();
    }
    const letters = await logs.open("orders.dead-letter");
    assertEquals((await letters.cursor("watch")).position, letters.end);
    await logs.close();

    const again = new FileChannelLogs(dir.path);
    for (const { position } of await (await again.open("orders")).cursors()) {
      assertEquals(position, (await again.open("orders")).end);
    }
    await again.close();
  });

  Deno.test(`${fixture.folder}: what is appended follows the bytes that are there`, async () => {
    await using dir = await tempDir();
    await copyFolder(source, dir.path);
    const folder = `${dir.path}/channels/orders`;
    const before = Array.from(Deno.readDirSync(folder), ({ name }) => name).sort()
      .map((name) => ({ name, text: Deno.readTextFileSync(`${folder}/${name}`) }));
    const logs = new FileChannelLogs(dir.path);
    const log = await logs.open("orders");
    const line = new EnvelopeEncoder("shop-9").encode("orders", "test", "1");
    assertEquals(await log.append(line, (position) => position), log.end - line.length - 1);
    await logs.close();
    const last = before.pop()!;
    for (const { name, text } of before) {
      assertEquals(await Deno.readTextFile(`${folder}/${name}`), text);
    }
    assertEquals(await Deno.readTextFile(`${folder}/${last.name}`), `${last.text}${line}\n`);
  });
}

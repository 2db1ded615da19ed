import { Messenger, silentLogger } from "@keyop/messenger";
import { assert, assertEquals, assertGreater, assertNotEquals } from "@std/assert";
import {
  type BrokerPublished,
  MessengerBroker,
  type Publication,
  type StreamPosition,
} from "../../../src/gateway/broker/mod.ts";
import { makeJsonEvent, textOf } from "../../../src/gateway/event.ts";
import { copyFolder } from "../../helpers/copy_folder.ts";
import { tempDir } from "../../helpers/temp.ts";
import { Child } from "../../faults/child.ts";
import { RecordingEvents } from "./recording_events.ts";

const numbersOf = (publications: readonly Publication[]) =>
  publications.map(({ event }) => JSON.parse(textOf(event)) as number);

/** Opens a data directory with a broker for the time of one call. */
async function within<T>(
  dataDir: string,
  call: (broker: MessengerBroker, messenger: Messenger, events: RecordingEvents) => Promise<T>,
  storage: object = {},
): Promise<T> {
  await using messenger = await Messenger.open(
    { name: "pi", storage: { dataDir, ...storage } },
    { logger: silentLogger },
  );
  await using broker = new MessengerBroker(messenger);
  const events = new RecordingEvents();
  await broker.start(events);
  return await call(broker, messenger, events);
}

async function publishNumbers(broker: MessengerBroker, numbers: readonly number[]) {
  const published: BrokerPublished[] = [];
  for (const n of numbers) published.push(await broker.publish("a", makeJsonEvent(n)));
  return published.map(({ position }) => position);
}

for (const syncPolicy of ["always", "periodic"]) {
  Deno.test(`a gateway that is killed loses nothing: every position stands, sync ${syncPolicy}`, async () => {
    await using dir = await tempDir();
    const acknowledged = new Map<number, StreamPosition>();
    for (let round = 1; round <= 3; round++) {
      await using child = new Child("publish_to_broker.ts", [dir.path, syncPolicy]);
      await child.until(`ack ${acknowledged.size + 40} `);
      await child.kill();
      for (const line of child.lines) {
        const [, n, offset, epoch] = /^ack (\d+) (\d+) (\w+)$/.exec(line) ?? [];
        if (n) acknowledged.set(Number(n), { offset: Number(offset), epoch: epoch! });
      }
      await within(dir.path, async (broker) => {
        const { publications, top } = await broker.history("a", { limit: -1 });
        const kept = new Map(publications.map((p) => [numbersOf([p])[0]!, p]));
        assertEquals(kept.size, publications.length, "none is there twice");
        for (const [n, { offset, epoch }] of acknowledged) {
          assertEquals([kept.get(n)?.offset, kept.get(n)?.epoch], [offset, epoch], `number ${n}`);
        }
        const since = acknowledged.get(5)!;
        const behind = await broker.history("a", { since, limit: -1 });
        assertEquals(behind.gap, false);
        assertEquals(behind.publications, publications.filter((p) => p.offset > since.offset));
        assertEquals(top.epoch, since.epoch);
      });
    }
    assertGreater(acknowledged.size, 80);
  });
}

Deno.test("a directory that was restored from an older copy has other epochs", async () => {
  await using dir = await tempDir();
  const live = `${dir.path}/live`;
  await within(live, (broker) => publishNumbers(broker, [1, 2, 3]));
  await copyFolder(live, `${dir.path}/copy`);
  const since = (await within(live, (broker) => publishNumbers(broker, [4, 5]))).at(-1)!;
  await Deno.remove(live, { recursive: true });
  await copyFolder(`${dir.path}/copy`, live);
  await within(live, async (broker) => {
    // The same offset would stand for another record now.
    await publishNumbers(broker, [40, 50, 60]);
    const page = await broker.history("a", { since, limit: -1 });
    assertNotEquals(page.top.epoch, since.epoch);
    assertEquals([page.gap, numbersOf(page.publications)], [true, [1, 2, 3, 40, 50, 60]]);
  });
});

Deno.test("a log that ends before where it had been has another epoch", async () => {
  await using dir = await tempDir();
  const positions = await within(dir.path, (broker) => publishNumbers(broker, [1, 2, 3]));
  const [file] = Array.from(Deno.readDirSync(`${dir.path}/channels/a`));
  await Deno.truncate(`${dir.path}/channels/a/${file!.name}`, positions[0]!.offset);
  await within(dir.path, async (broker) => {
    await publishNumbers(broker, [20, 30, 40]);
    const page = await broker.history("a", { since: positions[1]!, limit: -1 });
    assertEquals([page.gap, numbersOf(page.publications)], [true, [1, 20, 30, 40]]);
  });
});

Deno.test("a channel that was removed and made again has another epoch", async () => {
  await using dir = await tempDir();
  const [first] = await within(dir.path, (broker) => publishNumbers(broker, [1, 2]));
  await Deno.remove(`${dir.path}/channels/a`, { recursive: true });
  await within(dir.path, async (broker) => {
    const [fresh] = await publishNumbers(broker, [3, 4]);
    assertNotEquals(fresh!.epoch, first!.epoch);
    assertEquals((await broker.history("a", { since: first!, limit: -1 })).gap, true);
  });
});

Deno.test("an epoch file that is damaged or gone makes a gap and no error", async () => {
  await using dir = await tempDir();
  const [first] = await within(dir.path, (broker) => publishNumbers(broker, [1, 2]));
  const path = `${dir.path}/gateway/a/epoch`;
  for (const text of ["", "{", "[]", '{"epoch":""}', undefined]) {
    if (text === undefined) await Deno.remove(path);
    else await Deno.writeTextFile(path, text);
    await within(dir.path, async (broker) => {
      const page = await broker.history("a", { since: first!, limit: -1 });
      assertEquals([page.gap, numbersOf(page.publications)], [true, [1, 2]]);
    });
  }
});

Deno.test("a position inside a record is of another log, whatever its epoch says", async () => {
  await using dir = await tempDir();
  await within(dir.path, async (broker) => {
    const positions = await publishNumbers(broker, [1, 2, 3]);
    const { epoch } = positions[0]!;
    for (const reverse of [false, true]) {
      for (const { offset } of positions) {
        const since = { offset: offset - 7, epoch };
        const page = await broker.history("a", { since, limit: -1, reverse });
        const all = reverse ? [3, 2, 1] : [1, 2, 3];
        assertEquals([page.gap, numbersOf(page.publications)], [true, all]);
      }
    }
  });
});

Deno.test("what was trimmed is a gap for those who had not read it, and for nobody else", async () => {
  await using dir = await tempDir();
  await within(dir.path, async (broker, messenger) => {
    const positions = await publishNumbers(broker, Array.from({ length: 12_000 }, (_, n) => n));
    const kept = positions[9_000]!;
    await messenger.trim("a", kept.offset);
    const { start } = (await messenger.channelInfo("a"))!;
    assertGreater(start, 0);
    const gone = await broker.history("a", { since: positions[0]!, limit: 1 });
    assertEquals(gone.gap, true);
    const there = await broker.history("a", { since: kept, limit: 1 });
    assertEquals([there.gap, numbersOf(there.publications)], [false, [9_001]]);
  }, { compactionThresholdMb: 1 });
});

Deno.test("removing history hides it from clients and leaves it to the messenger's subscribers", async () => {
  await using dir = await tempDir();
  await within(dir.path, async (broker, messenger) => {
    const [first] = await publishNumbers(broker, [1, 2]);
    await broker.removeHistory("a");
    assertEquals((await broker.history("a", { limit: -1 })).publications, []);
    const kept = await Array.fromAsync(messenger.read("a"), ({ payload }) => payload);
    assertEquals(kept, [1, 2]);
    assertEquals((await broker.history("a", { since: first!, limit: 1 })).gap, true);
  });
  await within(dir.path, async (broker) => {
    assertEquals((await broker.history("a", { limit: -1 })).publications, []);
    await publishNumbers(broker, [3]);
    const page = await broker.history("a", { limit: -1, reverse: true });
    assert(!page.more && numbersOf(page.publications)[0] === 3);
  });
});

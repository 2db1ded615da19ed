import { assertEquals, assertRejects } from "@std/assert";
import { silentLogger, StorageError, systemClock } from "../../src/base/mod.ts";
import { EnvelopeEncoder } from "../../src/envelope/mod.ts";
import {
  type ChannelLog,
  FileChannelLogs,
  Subscriber,
  type SyncPolicy,
} from "../../src/storage/mod.ts";
import {
  checkDataDir,
  checkDelivered,
  checkedPayload,
  type Histories,
} from "../helpers/checker.ts";
import { Inbox } from "../helpers/inbox.ts";
import { RecordingLogger } from "../helpers/recording_logger.ts";
import { tempDir } from "../helpers/temp.ts";
import { isRoot, mountTmpfs } from "./root.ts";

const ignore = !isRoot("disk_full_test.ts");
const MESSAGES = 300;
const encoder = new EnvelopeEncoder("publisher");

/** Publishes messages of one writer, all at once; settles when all are acknowledged. */
async function publish(log: ChannelLog, histories: Histories, writer: number): Promise<void> {
  const acknowledged = new Set<number>();
  histories.set(writer, { attempted: MESSAGES, acknowledged });
  await Promise.all(Array.from({ length: MESSAGES }, async (_, n) => {
    const line = encoder.encode("events", "checked", JSON.stringify(checkedPayload(writer, n)));
    await log.append(line, () => undefined);
    acknowledged.add(n);
  }));
}

/** Fills a disk but for so many bytes. @returns Makes room again. */
async function fill(disk: string, roomBytes: number): Promise<() => Promise<void>> {
  const path = `${disk}/ballast`;
  using file = await Deno.open(path, { create: true, append: true });
  let size = 0;
  try {
    for (;;) size += await file.write(new Uint8Array(4096));
  } catch {
    await file.truncate(size - roomBytes);
  }
  return () => Deno.remove(path);
}

function follow(log: ChannelLog, subscriberId: string, inbox: Inbox): Promise<Subscriber> {
  return Subscriber.start({
    log,
    subscriberId,
    handler: inbox.handler,
    from: "start",
    endAsked: false,
    maxRetries: 0,
    retryBackoffBaseMs: 1,
    retryBackoffMaxMs: 1,
    maxAgeMs: 0,
    cursorFlushMs: 0,
    lagWarnBytes: 0,
    decode: (_type, payload) => payload,
    deadLetter: () => Promise.reject(new Error("nothing fails here")),
    inContext: (_id, call) => call(),
    clock: systemClock,
    logger: silentLogger,
  });
}

for (const syncPolicy of ["always", "periodic", "none"] satisfies SyncPolicy[]) {
  Deno.test({
    name: `P5: a full disk makes publishers wait and loses nothing: ${syncPolicy}`,
    ignore,
    async fn() {
      await using dir = await tempDir();
      await using disk = await mountTmpfs(`${dir.path}/disk`, "size=1m");
      if (disk === undefined) return;
      const dataDir = `${disk.path}/data`;
      const logger = new RecordingLogger();
      const logs = new FileChannelLogs(dataDir, { syncPolicy, segmentBytes: 50_000, logger });
      const log = await logs.open("events");
      const histories: Histories = new Map();
      for (let round = 0; round < 3; round++) {
        const makeRoom = await fill(disk.path, 40_000);
        const published = [0, 1].map((i) => publish(log, histories, round * 2 + i));
        await logger.until("the disk refuses writes", round + 1);
        assertEquals(log.stats().stalled, true);
        await makeRoom();
        await Promise.all(published);
        assertEquals(logger.matching("the disk takes writes again").length, round + 1);
      }
      await logs.close();
      const { stored } = await checkDataDir(dataDir, histories);
      assertEquals(stored.length, 3 * 2 * MESSAGES);
    },
  });
}

Deno.test({
  name:
    "P5: a subscriber that has a cursor goes on while the disk is full, a new one is told why not",
  ignore,
  async fn() {
    await using dir = await tempDir();
    await using disk = await mountTmpfs(`${dir.path}/disk`, "size=1m");
    if (disk === undefined) return;
    const dataDir = `${disk.path}/data`;
    const logs = new FileChannelLogs(dataDir);
    const log = await logs.open("events");
    const histories: Histories = new Map();
    await publish(log, histories, 0);
    const inbox = new Inbox();
    const gate = Promise.withResolvers<void>();
    inbox.react = () => inbox.calls.length === 1 ? gate.promise : undefined;
    const subscriber = await follow(log, "reader", inbox);
    const makeRoom = await fill(disk.path, 0);
    gate.resolve();
    await inbox.until(MESSAGES);
    await assertRejects(() => follow(log, "late", new Inbox()), StorageError, "late.offset");
    await subscriber.close();
    assertEquals((await log.cursors()).map(({ position }) => position), [log.end]);
    await makeRoom();
    await logs.close();
    const { stored } = await checkDataDir(dataDir, histories);
    checkDelivered(stored, [inbox.calls.map(({ position }) => position)], 0);
  },
});

Deno.test({
  name: "P5: a channel with a torn tail opens on a full disk and takes records once there is room",
  ignore,
  async fn() {
    await using dir = await tempDir();
    await using disk = await mountTmpfs(`${dir.path}/disk`, "size=1m");
    if (disk === undefined) return;
    const dataDir = `${disk.path}/data`;
    const histories: Histories = new Map();
    const first = new FileChannelLogs(dataDir);
    await publish(await first.open("events"), histories, 0);
    await first.close();
    const segment = `${dataDir}/channels/events/00000000000000000000.jsonl`;
    await Deno.writeTextFile(segment, '{"v":1,"id":"half', { append: true });
    const makeRoom = await fill(disk.path, 0);

    const logger = new RecordingLogger();
    const logs = new FileChannelLogs(dataDir, { logger });
    const published = publish(await logs.open("events"), histories, 1);
    await logger.until("the disk refuses writes");
    await makeRoom();
    await published;
    await logs.close();
    const { stored } = await checkDataDir(dataDir, histories);
    assertEquals(stored.length, 2 * MESSAGES);
  },
});

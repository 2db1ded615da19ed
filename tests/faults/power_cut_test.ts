import { assert, assertGreater } from "@std/assert";
import { FileChannelLogs, type Position } from "../../src/storage/mod.ts";
import { checkDataDir, type Histories, type StoredMessage } from "../helpers/checker.ts";
import { withSeed } from "../helpers/seeded.ts";
import { tempDir } from "../helpers/temp.ts";
import { Child, deliveredOf, noteHistories, sleep } from "./child.ts";
import { Ext4Disk, isRoot } from "./root.ts";

const CUTS = 4;

async function cursorOf(dataDir: string): Promise<Position> {
  const logs = new FileChannelLogs(dataDir);
  const cursors = await (await logs.open("events")).cursors();
  await logs.close();
  return cursors.find(({ name }) => name === "reader")?.position ?? 0;
}

/**
 * A cursor that is written after each message stands behind the last that was handled, or before it.
 * Here the program outlives its disk: what it handled after the first error does not count as repeated.
 */
function checkCursor(
  cursor: Position,
  lines: readonly string[],
  stored: readonly StoredMessage[],
): void {
  const end = stored.at(-1)?.next ?? 0;
  assert(cursor <= end, `the cursor is at ${cursor}, past the end at ${end}`);
  const handled = new Set(deliveredOf(lines));
  const behind = stored.filter(({ position }) => position < cursor && !handled.has(position));
  assert(behind.length === 0, `the cursor is past ${behind.length} messages never handled`);
  const error = lines.findIndex((line) => line.startsWith("error "));
  const inTime = new Set(deliveredOf(error < 0 ? lines : lines.slice(0, error)));
  const ahead = stored.filter(({ position }) => position >= cursor && inTime.has(position));
  assert(ahead.length <= 1, `the cursor went back over ${ahead.length} handled messages`);
}

for (const syncPolicy of ["always", "periodic", "none"]) {
  Deno.test({
    name: `P1, P2, P4: after a power cut every record is whole and in order: ${syncPolicy}`,
    ignore: !isRoot("power_cut_test.ts"),
    fn: () =>
      withSeed("tests/faults/power_cut_test.ts", async (random) => {
        let acknowledged = 0;
        let lost = 0;
        for (let cut = 0; cut < CUTS; cut++) {
          await using dir = await tempDir();
          await using disk = await Ext4Disk.make(dir.path, 64);
          if (disk === undefined) return;
          const dataDir = `${disk.path}/data`;
          const segmentBytes = cut % 2 === 0 ? 8_000 : 10_000_000;
          const settings = [dataDir, syncPolicy, segmentBytes, random.between(0, 1e9)];
          await using child = new Child("publish_and_follow.ts", settings.map(String));
          await child.until("ready");
          await sleep(random.between(50, 700));
          const cutAt = await disk.cutPower();
          await child.kill();
          await disk.restart();

          const histories: Histories = new Map();
          noteHistories(child.lines, histories, cutAt);
          const mayLose = syncPolicy !== "always";
          const checked = await checkDataDir(dataDir, histories, { mayLose });
          lost += checked.lost;
          for (const history of histories.values()) acknowledged += history.acknowledged.size;
          const cursor = await cursorOf(dataDir);
          checkCursor(cursor, child.lines, checked.stored);
        }
        assertGreater(acknowledged, 0);
        console.log(
          `${syncPolicy}: ${lost} of ${acknowledged} acknowledged messages lost in ${CUTS} power cuts`,
        );
      }),
  });
}

import { assert, assertEquals } from "@std/assert";
import {
  type DeadLetterPayload,
  decodeEnvelopeText,
  EnvelopeEncoder,
} from "../../src/envelope/mod.ts";
import { FileChannelLogs, type Position } from "../../src/storage/mod.ts";
import {
  checkDataDir,
  checkDelivered,
  type CheckedPayload,
  checkedPayload,
  type Histories,
} from "../helpers/checker.ts";
import { withSeed } from "../helpers/seeded.ts";
import { tempDir } from "../helpers/temp.ts";
import { readTexts } from "../helpers/test_channel.ts";
import { Child, deliveredOf, sleep } from "./child.ts";

const MESSAGES = 20_000;
const KILLS = 8;

/** Publishes the messages of writer 0. */
async function fill(dataDir: string): Promise<Histories> {
  // In one segment, which retention never deletes.
  const logs = new FileChannelLogs(dataDir);
  const log = await logs.open("events");
  const encoder = new EnvelopeEncoder("publisher");
  const lines = Array.from(
    { length: MESSAGES },
    (_, n) => encoder.encode("events", "checked", JSON.stringify(checkedPayload(0, n))),
  );
  await log.appendAll(lines);
  await logs.close();
  const acknowledged = new Set(lines.keys());
  return new Map([[0, { attempted: MESSAGES, acknowledged }]]);
}

async function deadLetters(dataDir: string): Promise<number[]> {
  const logs = new FileChannelLogs(dataDir);
  const texts = await readTexts(await logs.open("events.dead-letter"));
  await logs.close();
  return texts.map((text) => {
    const { original } = decodeEnvelopeText(text).payload as DeadLetterPayload;
    return (original.payload as CheckedPayload).n;
  });
}

for (const failEvery of [0, 7]) {
  const handler = failEvery === 0 ? "a handler that succeeds" : "a handler that fails on every 7th";
  Deno.test(`P4: kill -9 of a subscriber skips nothing and repeats one message at most: ${handler}`, async () => {
    await withSeed("tests/faults/kill_subscriber_test.ts", async (random) => {
      await using dir = await tempDir();
      const histories = await fill(dir.path);
      const lives: Position[][] = [];
      for (let life = 0; life <= KILLS; life++) {
        await using child = new Child("subscribe.ts", [dir.path, String(failEvery)]);
        await child.until("ready");
        if (life === KILLS) await child.until("end");
        else await sleep(random.between(5, 200));
        await child.kill();
        lives.push(deliveredOf(child.lines));
      }
      const { stored } = await checkDataDir(dir.path, histories);
      checkDelivered(stored, lives, 1);
      assert(lives.filter((life) => life.length > 0).length > 2, "too quick to be killed");

      if (failEvery === 0) return;
      const letters = await deadLetters(dir.path);
      const expected = Array.from(
        { length: Math.ceil(MESSAGES / failEvery) },
        (_, n) => n * failEvery,
      );
      assertEquals([...new Set(letters)].join(), expected.join());
      assert(letters.length - expected.length <= KILLS, "more repeated dead letters than kills");
    });
  });
}

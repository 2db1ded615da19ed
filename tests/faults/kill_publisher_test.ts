import { assert, assertGreater } from "@std/assert";
import { checkDataDir, type Histories } from "../helpers/checker.ts";
import { withSeed } from "../helpers/seeded.ts";
import { tempDir } from "../helpers/temp.ts";
import { Child, noteHistories, sleep } from "./child.ts";

const ROUNDS = 6;
const WRITERS = 4;

for (const syncPolicy of ["always", "periodic", "none"]) {
  for (
    const [segmentBytes, size] of [[4_000, "small segments"], [1_000_000, "one segment"]] as const
  ) {
    Deno.test(`P1: what was published before kill -9 is stored once and whole: ${syncPolicy}, ${size}`, async () => {
      await withSeed("tests/faults/kill_publisher_test.ts", async (random) => {
        await using dir = await tempDir();
        const histories: Histories = new Map();
        for (let round = 0; round < ROUNDS; round++) {
          const settings = [
            syncPolicy,
            segmentBytes,
            round * WRITERS,
            WRITERS,
            random.between(0, 1e9),
          ];
          await using child = new Child("publish.ts", [dir.path, ...settings.map(String)]);
          // Once at least, so that there is something to lose, however slow the machine is.
          await child.until(round === 0 ? "ack 0 " : "ready");
          await sleep(random.between(5, 300));
          await child.kill();
          noteHistories(child.lines, histories);
          const { lost } = await checkDataDir(dir.path, histories);
          assert(lost === 0, `round ${round}: ${lost} acknowledged messages are lost`);
        }
        assertGreater(histories.get(0)!.acknowledged.size, 0);
      });
    });
  }
}

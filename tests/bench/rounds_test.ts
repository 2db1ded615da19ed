import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { inScratch, measureInTurn, type Party, summarize } from "../../bench/lib/rounds.ts";

/** A party that pretends to take some milliseconds, and notes its turns. */
function pretender(what: string, takes: readonly number[], turns: string[]): Party {
  let turn = 0;
  return {
    what,
    count: 10,
    run(dir) {
      assertEquals([...Deno.readDirSync(dir)], []);
      Deno.writeTextFileSync(`${dir}/left-over`, what);
      turns.push(what);
      return takes[turn++]!;
    },
  };
}

Deno.test("parties are measured in turn, and the first round is discarded", async () => {
  const turns: string[] = [];
  const [a, b] = await measureInTurn([
    pretender("a", [0.001, 3, 2, 4], turns),
    { ...pretender("b", [0.001, 8, 10, 9], turns), limit: "a", required: 0.2 },
  ], { quick: false, rounds: 3 });
  assertEquals(turns.join(""), "abababab");
  assertEquals(a!.bestUs, 200);
  assertEquals(a!.medianUs, 300);
  assertEquals(a!.ratio, undefined);
  assertEquals(b!.bestUs, 800);
  assertEquals(b!.medianUs, 900);
  assertEquals(b!.ratio!, 0.25);
  assertEquals(b!.medianRatio!, 1 / 3);
  assertEquals(b!.required, 0.2);
});

Deno.test("a quick run discards no round", async () => {
  const turns: string[] = [];
  const [a] = await measureInTurn([pretender("a", [3, 4], turns)], { quick: true, rounds: 1 });
  assertEquals(turns, ["a"]);
  assertEquals(a!.bestUs, 300);
});

Deno.test("a party whose limit is not measured is refused", async () => {
  const party: Party = { ...pretender("a", [1, 1], []), limit: "none" };
  await assertRejects(
    () => measureInTurn([party], { quick: false, rounds: 1 }),
    Error,
    'no party "none"',
  );
});

Deno.test("a scratch folder is removed, also when the work fails", async () => {
  let used = "";
  await assertRejects(
    () =>
      inScratch((dir) => {
        used = dir;
        assert(Deno.statSync(dir).isDirectory);
        throw new Error("broken off");
      }),
    Error,
    "broken off",
  );
  assertThrows(() => Deno.statSync(used), Deno.errors.NotFound);
});

Deno.test("an even number of rounds has its median between the two in the middle", () => {
  assertEquals(summarize([4, 1, 3, 2]), { bestUs: 1, medianUs: 2.5 });
  assertThrows(() => summarize([]), RangeError);
});

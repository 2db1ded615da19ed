import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { AuditLog } from "../../src/audit/mod.ts";
import { ManualClock, settle } from "./manual_clock.ts";
import { MemoryFiles, type Operation } from "./memory_files.ts";

const DIR = "data/audit";

/** The lines of the whole log, oldest first. */
function linesOf(files: MemoryFiles): string[] {
  const numberOf = (name: string) => Number(name.split(".")[2] ?? 0);
  const names = files.names().sort((a, b) => numberOf(b) - numberOf(a));
  const text = names.map((name) => files.text(`${DIR}/${name}`)).join("");
  assert(text === "" || text.endsWith("\n"), "the log ends in half a line");
  return text.split("\n").slice(0, -1);
}

/** The message ids in lines, and how many lines are none that was recorded. */
function readIds(lines: readonly string[]): { ids: string[]; torn: number } {
  const ids: string[] = [];
  let torn = 0;
  for (const line of lines) {
    try {
      ids.push(JSON.parse(line).message_id);
    } catch {
      torn++;
    }
  }
  return { ids, torn };
}

const TOTAL = 12;
const expected = Array.from({ length: TOTAL }, (_, n) => `m${n}`);

/** Records events in groups of three; `fault` decides which operation fails, `null` tears a write. */
async function run(fault: (count: number, operation: Operation) => Error | null | undefined) {
  const files = new MemoryFiles();
  const clock = new ManualClock();
  let count = 0;
  let torn = false;
  files.fault = (operation) => {
    const error = fault(++count, operation);
    // The first part of a torn write succeeds, the rest of it fails.
    files.writeMax = error === null ? 30 : Infinity;
    if (torn && operation === "write") {
      torn = false;
      throw new Error("torn");
    }
    torn = error === null && operation === "write";
    if (error) throw error;
  };
  const log = new AuditLog({ dir: DIR, files, clock, maxSizeBytes: 220, maxFiles: 100 });
  for (let n = 0; n < TOTAL; n++) {
    log.record({ event: "forward", messageId: `m${n}` });
    if (n % 3 === 2) await clock.advance(2_000);
  }
  files.fault = () => void count++;
  files.writeMax = Infinity;
  await clock.advance(10_000);
  await log.close();
  assertEquals(log.stats(), { written: TOTAL, dropped: 0, queued: 0, stalled: false });
  assertEquals(files.openFiles, 0);
  return { count, lines: linesOf(files) };
}

Deno.test("an operation that fails once, whichever it is, costs no event and doubles none", async () => {
  const { count } = await run(() => undefined);
  assert(count > 20);
  for (let nth = 1; nth <= count; nth++) {
    const { lines } = await run((n) => n === nth ? new Error("EIO") : undefined);
    assertEquals(readIds(lines), { ids: expected, torn: 0 }, `operation ${nth} failed`);
  }
});

Deno.test("a write that is torn once costs no event and leaves no half line", async () => {
  const { count } = await run(() => undefined);
  for (let nth = 1; nth <= count; nth++) {
    const { lines } = await run((n) => n === nth ? null : undefined);
    assertEquals(readIds(lines), { ids: expected, torn: 0 }, `operation ${nth} was torn`);
  }
});

Deno.test("where a torn write cannot even be cut off, its half line stands alone", async () => {
  let left = 0;
  for (let nth = 1; nth <= 40; nth++) {
    const { lines } = await run((n, operation) =>
      n === nth ? null : operation === "truncate" ? new Error("EIO") : undefined
    );
    const { ids, torn } = readIds(lines);
    assertEquals(ids, expected, `operation ${nth} was torn`);
    left += torn;
  }
  assert(left > 0, "no write was torn");
});

Deno.test("an operation that fails again and again, and others with it, costs no event", async () => {
  const operations: readonly Operation[] = [
    "makeDir",
    "list",
    "open",
    "rename",
    "remove",
    "write",
    "truncate",
  ];
  for (const broken of operations) {
    const { lines } = await run((n, operation) =>
      operation === broken && n % 7 !== 0 ? new Error("EIO") : undefined
    );
    assertEquals(readIds(lines).ids, expected, `${broken} failed`);
  }
});

Deno.test("whatever the disk does and however it recovers, every event is there once and in order", async () => {
  const step = fc.oneof(
    { weight: 5, arbitrary: fc.record({ do: fc.constant("record" as const), n: fc.nat(20) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("advance" as const), n: fc.nat(2_000) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("room" as const), n: fc.nat(900) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("short" as const), n: fc.nat(90) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("heal" as const), n: fc.constant(0) }) },
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 40, size: "max" }),
      fc.integer({ min: 1, max: 600 }),
      async (steps, maxSizeBytes) => {
        const files = new MemoryFiles();
        const clock = new ManualClock();
        const log = new AuditLog({ dir: DIR, files, clock, maxSizeBytes, maxFiles: 10_000 });
        let recorded = 0;
        for (const { do: what, n } of steps) {
          if (what === "record") {
            for (let i = 0; i < n; i++) log.record({ event: "x", messageId: `m${recorded++}` });
          } else if (what === "advance") await clock.advance(n);
          else if (what === "room") files.capacity = files.used + n;
          else if (what === "short") files.writeMax = n + 1;
          else files.capacity = files.writeMax = Infinity;
          await settle();
        }
        files.capacity = files.writeMax = Infinity;
        await clock.advance(2_000);
        await log.close();
        const ids = Array.from({ length: recorded }, (_, n) => `m${n}`);
        assertEquals(log.stats().dropped, 0);
        assertEquals(readIds(linesOf(files)), { ids, torn: 0 });
      },
    ),
    { numRuns: 60 },
  );
});

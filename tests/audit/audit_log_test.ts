import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  AUDIT_QUEUE_MAX,
  type AuditEvent,
  AuditLog,
  type AuditLogOptions,
  nullAudit,
} from "../../src/audit/mod.ts";
import type { Logger } from "../../src/base/mod.ts";
import { tempDir } from "../helpers/temp.ts";
import { ManualClock, settle } from "./manual_clock.ts";
import { MemoryFiles } from "./memory_files.ts";

const DIR = "data/audit";
const LIVE = `${DIR}/audit.jsonl`;

/** A log in memory, with what it says and the clock that it runs on. */
function memoryLog(options: Partial<AuditLogOptions> = {}) {
  const files = new MemoryFiles();
  const clock = new ManualClock();
  const said: string[] = [];
  const say = (level: string) => (message: string, fields?: Record<string, unknown>) =>
    void said.push(`${level} ${message} ${JSON.stringify(fields)}`);
  const logger: Logger = {
    debug: say("debug"),
    info: say("info"),
    warn: say("warn"),
    error: say("error"),
  };
  const log = new AuditLog({ dir: DIR, files, clock, logger, ...options });
  return { log, files, clock, said };
}

const event = (n: number): AuditEvent => ({ event: "forward", messageId: `m${n}` });

/** The message ids of the whole log, oldest first; every line has to be whole. */
function idsOf(files: MemoryFiles): string[] {
  const text = files.names().map((name) => [Number(name.split(".")[2] ?? 0), name] as const)
    .sort(([a], [b]) => b - a).map(([, name]) => files.text(`${DIR}/${name}`)).join("");
  assert(text === "" || text.endsWith("\n"));
  return text.split("\n").slice(0, -1).map((line) => JSON.parse(line).message_id);
}

const ids = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, n) => `m${from + n}`);

Deno.test("an event is a line of JSON with its keys in the documented order", async () => {
  const { log, files } = memoryLog();
  log.record({
    durationMs: 12.5,
    detail: 'said "no"\nand left',
    peerAddr: "10.0.0.7:51234",
    peer: "kitchen",
    direction: "inbound",
    channel: "readings",
    messageId: "0190a3c5-7b1e-7c3d-9f00-0123456789ab",
    event: "policy_violation",
  });
  log.record({ event: "policy_reloaded" });
  log.record({ event: "peer_connected", peer: "", channel: undefined, durationMs: 0 });
  log.record({ event: "clock_jumped", durationMs: NaN });
  await log.close();
  const ts = '{"ts":"2026-08-01T00:00:00.000Z"';
  assertEquals(files.text(LIVE).split("\n"), [
    `${ts},"event":"policy_violation","message_id":"0190a3c5-7b1e-7c3d-9f00-0123456789ab",` +
    '"channel":"readings","direction":"inbound","peer":"kitchen","peer_addr":"10.0.0.7:51234",' +
    '"detail":"said \\"no\\"\\nand left","duration_ms":12.5}',
    `${ts},"event":"policy_reloaded"}`,
    `${ts},"event":"peer_connected","duration_ms":0}`,
    `${ts},"event":"clock_jumped"}`,
    "",
  ]);
});

Deno.test("an event carries the time at which it was recorded, not written", async () => {
  const { log, files, clock } = memoryLog();
  files.capacity = 0;
  log.record(event(0));
  await clock.advance(1_500);
  log.record(event(1));
  files.capacity = Infinity;
  await clock.advance(5_000);
  await log.close();
  const times = files.text(LIVE).trim().split("\n").map((line) => JSON.parse(line).ts);
  assertEquals(times, ["2026-08-01T00:00:00.000Z", "2026-08-01T00:00:01.500Z"]);
});

Deno.test("a text from a peer is cut before it is kept", async () => {
  const { log, files } = memoryLog();
  log.record({ event: "client_rejected", peer: "p".repeat(5_000_000) });
  await log.close();
  const { peer } = JSON.parse(files.text(LIVE));
  assertEquals(peer, `${"p".repeat(1_021)}...`);
});

Deno.test("events recorded in one turn are written at once", async () => {
  const { log, files } = memoryLog();
  for (let n = 0; n < 500; n++) log.record(event(n));
  assertEquals(log.stats(), { written: 0, dropped: 0, queued: 500, stalled: false });
  await settle();
  assertEquals(files.writes, 1);
  for (let n = 500; n < 600; n++) log.record(event(n));
  await log.close();
  assertEquals(files.writes, 2);
  assertEquals(idsOf(files), ids(0, 600));
  assertEquals(log.stats(), { written: 600, dropped: 0, queued: 0, stalled: false });
});

Deno.test("writes that take only part of what they are given are continued", async () => {
  const { log, files } = memoryLog();
  files.writeMax = 7;
  for (let n = 0; n < 20; n++) log.record(event(n));
  await log.close();
  assertEquals(idsOf(files), ids(0, 20));
});

Deno.test("a file that grows past its limit is put aside and only so many are kept", async () => {
  const { log, files } = memoryLog({ maxSizeBytes: 220, maxFiles: 3 });
  // A line has 71 or 72 bytes: three of them fit.
  for (let n = 0; n < 8; n++) log.record({ event: "forward", messageId: `m${n}` });
  await settle();
  assertEquals(files.names(), ["audit.jsonl", "audit.jsonl.1", "audit.jsonl.2"]);
  assertEquals(idsOf(files), ids(0, 8));
  assertEquals(files.text(`${LIVE}.2`).split("\n").length, 4);
  for (let n = 8; n < 40; n++) log.record(event(n));
  await log.close();
  assertEquals(files.names(), ["audit.jsonl", "audit.jsonl.1", "audit.jsonl.2", "audit.jsonl.3"]);
  const kept = idsOf(files);
  assertEquals(kept, ids(40 - kept.length, 40));
  for (const name of files.names()) assert(files.text(`${DIR}/${name}`).length <= 220, name);
  assertEquals(files.openFiles, 0);
});

Deno.test("a single line longer than the limit has a file to itself", async () => {
  const { log, files } = memoryLog({ maxSizeBytes: 10, maxFiles: 5 });
  for (let n = 0; n < 3; n++) log.record(event(n));
  await log.close();
  assertEquals(files.names(), ["audit.jsonl", "audit.jsonl.1", "audit.jsonl.2"]);
  assertEquals(idsOf(files), ids(0, 3));
});

Deno.test("an existing file is continued and counts towards its limit", async () => {
  const { log, files } = memoryLog({ maxSizeBytes: 200 });
  files.put(LIVE, `${JSON.stringify({ message_id: "m0", pad: "x".repeat(160) })}\n`);
  log.record(event(1));
  log.record(event(2));
  await log.close();
  assertEquals(files.names(), ["audit.jsonl", "audit.jsonl.1"]);
  assertEquals(idsOf(files), ids(0, 3));
});

Deno.test("a last line that a crash cut short is ended, never glued to the next one", async () => {
  const { log, files } = memoryLog();
  files.put(LIVE, '{"ts":"2026-08-01T00:00:00.000Z","event":"forw');
  log.record({ event: "peer_connected" });
  await log.close();
  assertEquals(files.text(LIVE).split("\n"), [
    '{"ts":"2026-08-01T00:00:00.000Z","event":"forw',
    '{"ts":"2026-08-01T00:00:00.000Z","event":"peer_connected"}',
    "",
  ]);
});

Deno.test("files beyond a limit that was lowered are deleted, and nothing else", async () => {
  const { log, files } = memoryLog({ maxFiles: 2 });
  for (const number of [1, 2, 3, 12]) files.put(`${LIVE}.${number}`, "");
  for (const other of ["audit.jsonl.bak", "audit.jsonl.03", "audit.jsonl.3.gz", "notes"]) {
    files.put(`${DIR}/${other}`, "kept");
  }
  log.record(event(0));
  await log.close();
  assertEquals(files.names(), [
    "audit.jsonl",
    "audit.jsonl.03",
    "audit.jsonl.1",
    "audit.jsonl.2",
    "audit.jsonl.3.gz",
    "audit.jsonl.bak",
    "notes",
  ]);
});

Deno.test("a full disk loses nothing: events wait, writing is tried again, and the log says so twice", async () => {
  const { log, files, clock, said } = memoryLog();
  log.record(event(0));
  await settle();
  files.capacity = files.used + 100;
  for (let n = 1; n < 10; n++) log.record(event(n));
  await clock.advance(30_000);
  assertEquals(log.stats().stalled, true);
  assertEquals(idsOf(files).length + log.stats().queued, 10);
  assertEquals(said.length, 1);
  assert(said[0]!.startsWith("error audit log cannot be written"), said[0]);
  assert(said[0]!.includes("No space left on device"), said[0]);

  files.capacity = Infinity;
  await clock.advance(1_000);
  assertEquals(idsOf(files), ids(0, 10));
  assertEquals(log.stats(), { written: 10, dropped: 0, queued: 0, stalled: false });
  assertEquals(said.length, 2);
  assert(said[1]!.startsWith("info audit log can be written again"), said[1]);
  await log.close();
  assertEquals(said.length, 2);
});

Deno.test("waits before the next try double from 10 ms to 1 s and start over once it worked", async () => {
  const { log, files, clock } = memoryLog();
  files.capacity = 0;
  log.record(event(0));
  await clock.advance(5_000);
  assertEquals(clock.delays.slice(0, 9), [10, 20, 40, 80, 160, 320, 640, 1_000, 1_000]);
  files.capacity = Infinity;
  await clock.advance(1_000);
  clock.delays.length = 0;
  files.capacity = 0;
  log.record(event(1));
  await clock.advance(15);
  assertEquals(clock.delays, [10, 20]);
  files.capacity = Infinity;
  await log.close();
});

Deno.test("what does not fit in the queue is dropped, counted and reported every 5 s", async () => {
  const { log, files, clock, said } = memoryLog();
  files.capacity = 0;
  for (let n = 0; n < AUDIT_QUEUE_MAX + 25; n++) log.record(event(n));
  assertEquals(log.stats().dropped, 25);
  assertEquals(log.stats().queued, AUDIT_QUEUE_MAX);
  await clock.advance(4_999);
  const reports = () => said.filter((line) => line.startsWith("warn"));
  assertEquals(reports(), []);
  await clock.advance(1);
  assertEquals(reports(), ['warn audit events were dropped {"count":25,"total":25}']);
  await clock.advance(20_000);
  assertEquals(reports().length, 1);
  log.record(event(-1));
  await clock.advance(5_000);
  assertEquals(reports()[1], 'warn audit events were dropped {"count":1,"total":26}');

  files.capacity = Infinity;
  await clock.advance(1_000);
  assertEquals(idsOf(files), ids(0, AUDIT_QUEUE_MAX));
  await log.close();
});

Deno.test("close() writes what is queued and closes the file", async () => {
  const { log, files, clock, said } = memoryLog();
  for (let n = 0; n < 5; n++) log.record(event(n));
  await Promise.all([log.close(), log.close()]);
  assertEquals(idsOf(files), ids(0, 5));
  assertEquals(files.openFiles, 0);
  assertEquals(clock.waiting, 0);
  log.record(event(5));
  await settle();
  assertEquals(log.stats(), { written: 5, dropped: 1, queued: 0, stalled: false });
  assertEquals(said, []);
});

Deno.test("close() tries at once, whatever wait was under way", async () => {
  const { log, files, clock } = memoryLog();
  files.capacity = 0;
  log.record(event(0));
  await clock.advance(60_000);
  files.capacity = Infinity;
  await log.close();
  assertEquals(idsOf(files), ["m0"]);
  assertEquals(clock.waiting, 0);
});

Deno.test("close() gives up on a dead disk after 2 s and says what is lost", async () => {
  const { log, files, clock, said } = memoryLog();
  files.capacity = 0;
  for (let n = 0; n < AUDIT_QUEUE_MAX + 1; n++) log.record(event(n));
  let closed = false;
  const closing = log.close().then(() => closed = true);
  await clock.advance(1_999);
  assert(!closed);
  await clock.advance(1);
  await closing;
  assertEquals(log.stats().dropped, AUDIT_QUEUE_MAX + 1);
  assertEquals(log.stats().queued, 0);
  assertEquals(said.slice(1), [
    `error audit log closed before every event was written {"file":"${LIVE}","lost":1000}`,
    'warn audit events were dropped {"count":1,"total":1001}',
  ]);
  assertEquals(files.openFiles, 0);
  assertEquals(clock.waiting, 0);
});

Deno.test("close() gives up on a write that hangs, and the file is closed when the write ends", async () => {
  const { log, files, clock } = memoryLog();
  const hang = Promise.withResolvers<void>();
  files.fault = (operation) => operation === "write" ? hang.promise : undefined;
  log.record(event(0));
  await settle();
  log.record(event(1));
  const closing = log.close();
  await clock.advance(2_000);
  await closing;
  assertEquals(files.openFiles, 1);
  hang.resolve();
  await settle();
  assertEquals(files.openFiles, 0);
  assertEquals(files.writes, 1);
});

Deno.test("record() never throws, whatever it is given and whatever the logger does", async () => {
  const broken = () => {
    throw new Error("broken");
  };
  const logger = { debug: broken, info: broken, warn: broken, error: broken };
  const { log, files, clock } = memoryLog({ logger });
  log.record(undefined as unknown as AuditEvent);
  log.record({ event: 5n } as unknown as AuditEvent);
  log.record({ event: "forward", detail: { toString: broken } } as unknown as AuditEvent);
  files.capacity = 0;
  log.record(event(0));
  await clock.advance(10_000);
  files.capacity = Infinity;
  await clock.advance(1_000);
  assertEquals(JSON.parse(files.text(LIVE).split("\n").at(-2)!).message_id, "m0");
  assert(log.stats().dropped >= 2);
  await log.close();
});

Deno.test("limits that make no sense are refused", () => {
  for (const bad of [0, -1, 1.5, NaN, Infinity]) {
    for (const name of ["maxSizeBytes", "maxFiles"]) {
      assertThrows(
        () => new AuditLog({ dir: DIR, [name]: bad }),
        RangeError,
        `Cannot use ${bad} as ${name} of the audit log`,
      );
    }
  }
});

Deno.test("a log that is never used touches nothing, and the null log takes everything", async () => {
  const { log, files } = memoryLog();
  files.fault = () => {
    throw new Error("touched");
  };
  await log.close();
  nullAudit.record(event(0));
});

Deno.test("real files are continued, ended where torn, put aside and kept in order", async () => {
  await using dir = await tempDir();
  const audit = `${dir.path}/audit`;
  const options = { dir: audit, maxSizeBytes: 20_000, maxFiles: 4 };
  {
    await using log = new AuditLog(options);
    for (let n = 0; n < 900; n++) log.record(event(n));
  }
  await Deno.writeTextFile(`${audit}/audit.jsonl`, '{"torn":', { append: true });
  {
    await using log = new AuditLog(options);
    log.record(event(900));
  }
  const names = ["audit.jsonl.4", "audit.jsonl.3", "audit.jsonl.2", "audit.jsonl.1", "audit.jsonl"];
  assertEquals((await Array.fromAsync(Deno.readDir(audit))).length, names.length - 1);
  let lines: string[] = [];
  for (const name of names.slice(1)) {
    const text = await Deno.readTextFile(`${audit}/${name}`);
    assert(text.length <= 20_000 + 100 && text.endsWith("\n"), name);
    lines = lines.concat(text.split("\n").slice(0, -1));
  }
  assertEquals(lines.at(-2), '{"torn":');
  lines.splice(-2, 1);
  assertEquals(lines.map((line) => JSON.parse(line).message_id), ids(0, 901));
});

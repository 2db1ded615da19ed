import {
  assert,
  assertEquals,
  assertGreater,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import {
  type BusOptions,
  BusStorageError,
  SqliteBus,
  type SqliteBusOptions,
} from "@keyop/messenger/bus";
import { denoArgs, Process } from "../../bench/lib/child.ts";
import { eventually } from "../helpers/eventually.ts";
import { RecordingLogger } from "../helpers/recording_logger.ts";
import { tempDir } from "../helpers/temp.ts";
import type { BusCommand } from "./programs/bus_process.ts";
import { numbers, publishAll, rest, serveAs, StuckHandler, take, text } from "./rules/tools.ts";

const PROGRAM = resolve(import.meta.dirname!, "programs/bus_process.ts");
const NEVER_MS = 2_000_000_000;

/** A folder with a file for buses, and a connection to look into it. */
async function place() {
  const dir = await tempDir();
  const path = `${dir.path}/bus.db`;
  const connections: DatabaseSync[] = [];
  return {
    path,
    connect(): DatabaseSync {
      const db = new DatabaseSync(path);
      connections.push(db);
      return db;
    },
    async [Symbol.asyncDispose]() {
      for (const db of connections) if (db.isOpen) db.close();
      await dir[Symbol.asyncDispose]();
    },
  };
}

const quiet = (options: SqliteBusOptions = {}): BusOptions & SqliteBusOptions => ({
  logger: new RecordingLogger(),
  ...options,
});

const count = (db: DatabaseSync, table: string) =>
  Number(db.prepare(`SELECT count(*) AS count FROM ${table}`).get()!.count);

Deno.test("what is published in one turn is committed in one transaction", async () => {
  await using here = await place();
  await using bus = await SqliteBus.open(here.path);
  const db = here.connect();
  const version = db.prepare("PRAGMA data_version");
  const before = Number(version.get()!.data_version);
  await publishAll(bus, "s", numbers(500));
  assertEquals(Number(version.get()!.data_version), before + 1);
  assertEquals(count(db, "bus_events"), 500);
  assertEquals(db.prepare("PRAGMA journal_mode").get()!.journal_mode, "wal");
});

Deno.test("a file that is no database is named, and nothing is written to it", async () => {
  await using here = await place();
  await Deno.writeTextFile(here.path, "no database".repeat(1_000));
  const error = await assertRejects(() => SqliteBus.open(here.path), BusStorageError, "damaged");
  assertEquals([error.path, error.code], [here.path, "bus_storage_failed"]);
  assertStringIncludes(error.message, here.path);
  assertEquals(await Deno.readTextFile(here.path), "no database".repeat(1_000));
});

Deno.test("a folder that does not exist and tables of other makes are named", async () => {
  await using here = await place();
  await assertRejects(
    () => SqliteBus.open(`${here.path}/no/bus.db`),
    BusStorageError,
    "cannot be opened",
  );
  here.connect().exec("CREATE TABLE bus_events (id INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT)");
  await assertRejects(() => SqliteBus.open(here.path), BusStorageError, "tables of other makes");
});

Deno.test("a file that becomes damaged ends what reads it, by name, and other buses go on", async () => {
  await using here = await place();
  await using other = await SqliteBus.open(":memory:");
  await using bus = await SqliteBus.open(here.path, quiet());
  const stream = await bus.stream("s");
  await publishAll(bus, "s", numbers(3_000, "x".repeat(500)));
  here.connect().exec("PRAGMA wal_checkpoint(TRUNCATE)");
  const file = await Deno.open(here.path, { write: true });
  const { size } = await file.stat();
  await file.seek(8_192, Deno.SeekMode.Start);
  await file.write(new Uint8Array(size - 8_192).fill(0xa5));
  file.close();
  // Another's commit makes the bus read the pages again.
  const raw = here.connect();
  assertThrows(() => raw.exec("DELETE FROM bus_events"));
  await assertRejects(() => rest(stream), BusStorageError, "damaged");
  await assertRejects(() => stream.closed, BusStorageError, here.path);
  const streams = await other.stream("s");
  await other.publish("s", "1");
  assertEquals(await take(streams, 1), ["1"]);
});

Deno.test("writes wait for another program's lock, and come in order", async () => {
  await using here = await place();
  await using bus = await SqliteBus.open(here.path);
  const stream = await bus.stream("s");
  const db = here.connect();
  db.exec("BEGIN IMMEDIATE");
  const published = publishAll(bus, "s", numbers(10));
  // The program goes on meanwhile.
  await new Promise((resolve) => setTimeout(resolve, 50));
  db.exec("COMMIT");
  await published;
  assertEquals(await take(stream, 10), numbers(10));
});

Deno.test("a lock that stays is an error that names the file; the subscriptions go on", async () => {
  await using here = await place();
  await using bus = await SqliteBus.open(here.path, quiet({ lockTimeoutMs: 100 }));
  const stream = await bus.stream("s");
  await serveAs(bus, "r", "a");
  const db = here.connect();
  db.exec("BEGIN IMMEDIATE");
  const error = await assertRejects(() => bus.publish("s", "1"), BusStorageError, "locked");
  assertEquals(error.path, here.path);
  await assertRejects(() => bus.request("r", "1"), BusStorageError, "locked");
  db.exec("COMMIT");
  await bus.publish("s", "2");
  assertEquals(await take(stream, 1), ["2"]);
  assertEquals(text(await bus.request("r", "2")), "a:2");
});

Deno.test("opening waits for a lock, and gives up when it stays", async () => {
  await using here = await place();
  const db = here.connect();
  db.exec("PRAGMA locking_mode = EXCLUSIVE; CREATE TABLE t (a); BEGIN EXCLUSIVE");
  await assertRejects(
    () => SqliteBus.open(here.path, { lockTimeoutMs: 60 }),
    BusStorageError,
    "locked for 60 ms",
  );
  const opening = SqliteBus.open(here.path);
  db.exec("COMMIT");
  db.close();
  await (await opening).close();
});

Deno.test("old messages are removed, and a reader that is too slow is told", async () => {
  await using here = await place();
  const logger = new RecordingLogger();
  await using bus = await SqliteBus.open(here.path, quiet({ logger, retentionMs: 200 }));
  const stream = await bus.stream("s");
  await publishAll(bus, "s", numbers(2_000));
  const db = here.connect();
  await eventually("the removal", () => count(db, "bus_events") === 0);
  assertEquals(await take(stream, 1_024), numbers(1_024));
  await bus.publish("s", "after");
  assertEquals(await take(stream, 1), ["after"]);
  assertEquals(stream.dropped, 2_000 - 1_024);
  assertEquals(logger.matching("removed by age").length, 1);
});

Deno.test("nothing of requests stays in the file", async () => {
  await using here = await place();
  await using bus = await SqliteBus.open(here.path, quiet({ drainMs: 0 }));
  const db = here.connect();
  await serveAs(bus, "r", "a");
  await bus.serve("many", async function* () {
    for (let n = 0; n < 2_000; n++) yield await Promise.resolve("x");
  });
  await Promise.all(numbers(50).map((number) => bus.request("r", number)));
  await Array.fromAsync(bus.requestMany("many", ""));
  for await (const _ of bus.requestMany("many", "")) break;
  await bus.request("nobody", "", { timeoutMs: 50 }).catch(() => {});
  await eventually(
    "the tables to be empty",
    () => count(db, "bus_requests") + count(db, "bus_replies") === 0,
  );
});

Deno.test("a server waits for a caller that reads slowly: few replies are stored", async () => {
  await using here = await place();
  await using bus = await SqliteBus.open(here.path);
  const db = here.connect();
  let sent = 0;
  await bus.serve("many", async function* () {
    for (; sent < 5_000; sent++) yield await Promise.resolve(String(sent));
  });
  const replies = bus.requestMany("many", "", { timeoutMs: NEVER_MS })[Symbol.asyncIterator]();
  const got = [text((await replies.next()).value as Uint8Array)];
  // The reader's buffer, what may be unread in the file, and one round of counting.
  await eventually("the server to wait", async () => {
    const before = sent;
    await new Promise((resolve) => setTimeout(resolve, 30));
    return sent > 1_000 && sent === before;
  });
  assert(sent < 3_500, `${sent} replies were sent`);
  assert(count(db, "bus_replies") < 2_000);
  for (let reply = await replies.next(); !reply.done; reply = await replies.next()) {
    got.push(text(reply.value));
  }
  assertEquals(got, numbers(5_000));
});

Deno.test("requests of a process that has gone are removed, and their handlers' signals aborted", async () => {
  await using here = await place();
  await using bus = await SqliteBus.open(here.path, quiet({ retentionMs: 200 }));
  const stuck = new StuckHandler();
  await bus.serve("r", stuck.handle);
  const db = here.connect();
  // What a caller that was killed has left.
  db.prepare(
    "INSERT INTO bus_requests (subject, data, caller, deadline_ms) VALUES ('r', x'', 'gone', ?)",
  ).run(Date.now() + 300);
  const signal = await stuck.begun;
  await eventually("the signal", () => signal.aborted);
  await eventually("the removal", () => count(db, "bus_requests") === 0);
});

Deno.test("a connection that was given is used and not closed, and its transactions are waited for", async () => {
  await using here = await place();
  const db = here.connect();
  db.exec("CREATE TABLE mine (a)");
  const bus = await SqliteBus.open(db);
  await using other = await SqliteBus.open(here.path);
  const stream = await other.stream("s");
  db.exec("BEGIN; INSERT INTO mine VALUES (1)");
  const published = bus.publish("s", "1");
  await new Promise((resolve) => setTimeout(resolve, 30));
  assertEquals(other.stats().received, 0);
  db.exec("ROLLBACK");
  await published;
  assertEquals(await take(stream, 1), ["1"]);
  await bus.close();
  assertEquals([db.isOpen, count(db, "mine"), count(db, "bus_events")], [true, 0, 1]);
});

Deno.test("buses on one connection to a database in memory reach each other", async () => {
  const db = new DatabaseSync(":memory:");
  const a = await SqliteBus.open(db);
  const b = await SqliteBus.open(db);
  const stream = await a.stream("s");
  await serveAs(a, "r", "a");
  await b.publish("s", "1");
  assertEquals(await take(stream, 1), ["1"]);
  assertEquals(text(await b.request("r", "2")), "a:2");
  await a.close();
  await b.close();
  db.close();
});

Deno.test("rows of other makes are read as far as they can be", async () => {
  await using here = await place();
  await using bus = await SqliteBus.open(here.path);
  const stream = (await bus.stream("s")).messages()[Symbol.asyncIterator]();
  const insert = here.connect().prepare(
    "INSERT INTO bus_events (subject, data, headers, created_ms) VALUES ('s', ?, ?, 0)",
  );
  for (const headers of ["{", "null", "[1]", '{"a":1}', '{"a":"1"}']) insert.run("żółć", headers);
  const got = [];
  for (let n = 0; n < 5; n++) {
    const { value } = await stream.next();
    got.push([text(value!.data), { ...value!.headers }]);
  }
  assertEquals(got, [...Array(4).fill(["żółć", {}]), ["żółć", { a: "1" }]]);
});

Deno.test("an option out of its range is refused with its value", async () => {
  for (const name of ["eventPollMs", "requestPollMs", "retentionMs", "lockTimeoutMs"]) {
    for (const value of [-1, NaN, Infinity]) {
      const open = () => SqliteBus.open(":memory:", { [name]: value });
      await assertRejects(open, RangeError, `${name} is ${value}`);
    }
  }
});

/** Another process on the file, with flags for Deno before those that give it everything else. */
async function processOn(path: string, flags = ["-A"]): Promise<Process> {
  const program = { path: PROGRAM, args: [`sqlite:${path}`], permissions: flags };
  const started = new Process(Deno.execPath(), denoArgs(program));
  assertEquals(await started.answer(), "open");
  return started;
}
const tell = <T>(process: Process, command: BusCommand) => process.ask<T>(command);

Deno.test("other processes are noticed without waiting for the next poll", async () => {
  await using here = await place();
  const never = { eventPollMs: NEVER_MS, requestPollMs: NEVER_MS };
  await using bus = await SqliteBus.open(here.path, never);
  const stream = await bus.stream("s");
  await serveAs(bus, "r", "here");
  await using other = await processOn(here.path);
  await tell(other, { do: "publish", subject: "s", texts: ["1"] });
  assertEquals(await take(stream, 1), ["1"]);
  const answers = await tell(other, { do: "request", subject: "r", texts: ["1"] });
  assertEquals(answers, ["here:1"]);
  await tell(other, { do: "serve", subject: "q", name: "there" });
  assertEquals(text(await bus.request("q", "2")), "there:2");
});

Deno.test("a process that may not watch the file polls", async () => {
  await using here = await place();
  await using bus = await SqliteBus.open(here.path);
  await using other = await processOn(here.path, ["-A", `--deny-read=${here.path}-wal`]);
  await tell(other, { do: "stream", subject: "s" });
  await tell(other, { do: "serve", subject: "q", name: "there" });
  await bus.publish("s", "1");
  assertEquals(await tell(other, { do: "take", subject: "s", count: 1 }), ["1"]);
  assertEquals(text(await bus.request("q", "2")), "there:2");
});

Deno.test("a process that is killed while it publishes leaves whole messages in order", async () => {
  await using here = await place();
  await using bus = await SqliteBus.open(here.path);
  const stream = await bus.stream("s");
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "eval",
      `import { SqliteBus } from "@keyop/messenger/bus";
       const bus = await SqliteBus.open(${JSON.stringify(here.path)});
       for (let n = 0;; n++) await bus.publish("s", String(n));`,
    ],
    stdout: "null",
  }).spawn();
  await take(stream, 200);
  child.kill("SIGKILL");
  await child.status;
  await bus.publish("s", "end");
  const left: string[] = [];
  for await (const message of stream) {
    left.push(text(message));
    if (left.at(-1) === "end") break;
  }
  assertEquals(left.slice(0, -1), numbers(200 + left.length - 1).slice(200));
  assertGreater(left.length, 0);
  assertEquals(here.connect().prepare("PRAGMA integrity_check").get()!.integrity_check, "ok");
});

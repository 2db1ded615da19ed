import { assert, assertEquals, assertLessOrEqual, assertStringIncludes } from "@std/assert";
import { StorageError } from "../../src/base/mod.ts";
import {
  decodeDataFrame,
  encodeAck,
  type Hub,
  type MemoryLinkOptions,
  memoryLinkPair,
} from "../../src/federation/mod.ts";
import { type Cursor, MemoryChannelLog, MemoryChannelLogs } from "../../src/storage/mod.ts";
import { FakeClock, turn } from "../helpers/fake_clock.ts";
import { anyPeer, Instance, makeHub, messages } from "../helpers/federation.ts";
import { HeldLogs } from "../helpers/held_logs.ts";
import { clientHello, originalHello, ScriptedPeer } from "../helpers/scripted_peer.ts";
import { until } from "../helpers/until.ts";

/** A peer that has introduced itself to the hub, with the channels that it gets open. */
async function join(
  hub: Hub,
  name: string,
  hello: unknown,
  options: MemoryLinkOptions = {},
): Promise<ScriptedPeer> {
  const pair = memoryLinkPair({
    first: { name, address: "memory" },
    capacity: 10_000,
    ...options,
  });
  hub.accept(pair.second);
  const peer = new ScriptedPeer(pair.first);
  peer.say(hello);
  assertEquals((await peer.nextText()).role, "hub");
  return peer;
}

const subscribing = (name: string, more: Record<string, unknown> = {}) =>
  clientHello(name, { subscribe: ["c"], ...more });

/** Payloads of the frames that have come in. */
function received(peer: ScriptedPeer): unknown[][] {
  return peer.frames.map((frame) =>
    decodeDataFrame(frame as Uint8Array, 2 ** 24).map((record) =>
      JSON.parse(new TextDecoder().decode(record)).payload
    )
  );
}

Deno.test("no more frames than the smaller window are unacknowledged, and acknowledgements are in order", async () => {
  const here = new Instance("hub", { limits: { window: 5, maxBatchBytes: 1 } });
  const hub = makeHub(here, [anyPeer("small"), anyPeer("large"), anyPeer("original")]);
  const small = await join(hub, "small", subscribing("small", { window: 3 }));
  const large = await join(hub, "large", subscribing("large", { window: 100 }));
  const original = await join(hub, "original", originalHello("original", { subscribe: ["c"] }));
  await here.publishAll("c", [0, 1, 2, 3, 4, 5, 6, 7]);
  await until("frames", () => small.frames.length >= 3 && large.frames.length >= 5);
  await turn(20);
  assertEquals(received(small), [[0], [1], [2]]);
  assertEquals(received(large), [[0], [1], [2], [3], [4]]);
  assertEquals(received(original), [[0], [1], [2], [3], [4]]);
  const [first] = await small.nextRecords();
  small.link.send(encodeAck(first!.id as string));
  await until("the next frame", () => small.frames.length === 3);
  await turn(20);
  assertEquals(received(small), [[1], [2], [3]]);
  await hub.close();
});

Deno.test("no more records than the send buffer are unacknowledged", async () => {
  const here = new Instance("hub", { limits: { sendBufferMessages: 10 } });
  const hub = makeHub(here, [anyPeer("a")]);
  const peer = await join(hub, "a", subscribing("a"));
  await here.publishAll("c", Array.from({ length: 25 }, (_, n) => n));
  await until("frames", () => peer.frames.length > 0);
  await turn(20);
  assertEquals(received(peer).flat().length, 10);
  for (let total = 10; total < 25; total += 10) {
    const records = await peer.nextRecords();
    peer.link.send(encodeAck(records[records.length - 1]!.id as string));
    await until("more", () => peer.frames.length > 0);
  }
  assertEquals(received(peer).flat(), [20, 21, 22, 23, 24]);
  await hub.close();
});

Deno.test("frames are filled up to the limit and hold at least one record", async () => {
  const here = new Instance("hub", { limits: { maxBatchBytes: 2_000, window: 1_000 } });
  const hub = makeHub(here, [anyPeer("a")]);
  const peer = await join(hub, "a", subscribing("a", { window: 1_000 }));
  const long = "x".repeat(5_000);
  await here.publishAll("c", [...Array(100).keys(), long, 100]);
  await until("all", () => received(peer).flat().length === 102);
  const sizes = peer.frames.map((frame) =>
    decodeDataFrame(frame as Uint8Array, 2 ** 24).reduce((sum, { length }) => sum + length, 0)
  );
  for (const size of sizes.slice(0, -2)) assertLessOrEqual(size, 2_000);
  assertLessOrEqual(peer.frames.length, 20);
  assertEquals(received(peer).flat(), [...Array(100).keys(), long, 100]);
  await hub.close();
});

Deno.test("channels take turns", async () => {
  const here = new Instance("hub", { limits: { maxBatchBytes: 1, window: 6 } });
  const hub = makeHub(here, [anyPeer("a")]);
  const hello = clientHello("a", { subscribe: ["x", "y", "z"] });
  const first = await join(hub, "a", hello);
  first.link.close(1000, "");
  await until("gone", () => hub.stats().peers.length === 0);
  for (const channel of ["x", "y", "z"]) {
    await here.publishAll(channel, [1, 2, 3, 4].map((n) => channel + n));
  }
  const second = await join(hub, "a", hello);
  await until("frames", () => second.frames.length === 6);
  assertEquals(received(second).flat(), ["x1", "y1", "z1", "x2", "y2", "z2"]);
  await hub.close();
});

async function lastIdOfNext(peer: ScriptedPeer): Promise<string> {
  const records = await peer.nextRecords();
  return records[records.length - 1]!.id as string;
}

Deno.test("a cursor moves with acknowledgements only, and what was not acknowledged is sent again", async () => {
  const here = new Instance("hub", { limits: { maxBatchBytes: 1 } });
  const hub = makeHub(here, [anyPeer("a")]);
  const first = await join(hub, "a", subscribing("a"));
  await here.publishAll("c", [0, 1, 2, 3]);
  await until("frames", () => first.frames.length === 4);
  first.link.send(encodeAck(await lastIdOfNext(first)));
  first.link.send(encodeAck(await lastIdOfNext(first)));
  await until("two", () => hub.stats().peers[0]!.ackedRecords === 2);
  first.link.close(1000, "");
  await until("gone", () => hub.stats().peers.length === 0);
  assertEquals((await here.logs.get("c")!.cursors()).map((one) => [one.name, one.position]), [
    ["fed-a", 2],
  ]);
  await here.publish("c", 4);
  const second = await join(hub, "a", subscribing("a"));
  await until("frames", () => second.frames.length === 3);
  assertEquals(received(second), [[2], [3], [4]]);
  await hub.close();
});

Deno.test("a peer begins at the end of a channel on its first connection, and gets what was stored while it was away", async () => {
  const here = new Instance("hub");
  const hub = makeHub(here, [anyPeer("a")]);
  await here.publish("c", "before");
  const first = await join(hub, "a", subscribing("a"));
  first.link.close(1000, "");
  await until("gone", () => hub.stats().peers.length === 0);
  await here.publish("c", "away");
  const second = await join(hub, "a", subscribing("a"));
  await until("frames", () => second.frames.length === 1);
  assertEquals(received(second), [["away"]]);
  await hub.close();
});

Deno.test("an acknowledgement of nothing ends the link with 4400", async () => {
  const here = new Instance("hub");
  const hub = makeHub(here, [anyPeer("a")]);
  const peer = await join(hub, "a", subscribing("a"));
  peer.link.send(encodeAck("x"));
  assertEquals((await peer.link.closed).code, 4400);
  await hub.close();
});

Deno.test("an acknowledgement of another record ends the link with 4400", async () => {
  const here = new Instance("hub");
  const hub = makeHub(here, [anyPeer("a")]);
  const peer = await join(hub, "a", subscribing("a"));
  await here.publishAll("c", [1, 2]);
  const [first] = await peer.nextRecords();
  peer.link.send(encodeAck(first!.id as string));
  assertEquals((await peer.link.closed).code, 4400);
  await until("gone", () => hub.stats().peers.length === 0);
  assertEquals((await here.logs.get("c")!.cursors())[0]!.position, 0);
  await hub.close();
});

Deno.test("a text frame that is no acknowledgement ends the link with 4400", async () => {
  const here = new Instance("hub");
  const hub = makeHub(here, [anyPeer("a")]);
  for (const text of ["", "null", '{"last_id":7}']) {
    const peer = await join(hub, "a", subscribing("a"));
    peer.link.send(text);
    assertEquals((await peer.link.closed).code, 4400, text);
  }
  await hub.close();
});

Deno.test("an original may name the last record that it stored, or none", async () => {
  const here = new Instance("hub");
  const hub = makeHub(here, [anyPeer("a")]);
  const peer = await join(hub, "a", originalHello("a", { subscribe: ["c"] }));
  await here.publishAll("c", [1, 2]);
  const [first] = await peer.nextRecords();
  peer.link.send(encodeAck(first!.id as string));
  await here.publishAll("c", [3]);
  await peer.nextRecords();
  peer.link.send(encodeAck(""));
  await until("acknowledged", () => hub.stats().peers[0]!.ackedRecords === 3);
  await hub.close();
});

Deno.test("records that the peer has are passed over, and its cursor with them", async () => {
  const here = new Instance("hub");
  const a = new Instance("a");
  const hub = makeHub(here, [anyPeer("a")]);
  const peer = await join(hub, "a", subscribing("a"));
  const log = await here.logs.open("c");
  await log.appendAll([a.record("c", "its own").text, a.record("c", "its own too").text]);
  await until("passed over", () => hub.stats().peers[0]!.skippedSeen === 2);
  assertEquals(hub.stats().peers[0]!.channels[0]!.position, 2);
  const [mine, its] = [here.record("c", "mine").text, a.record("c", "its own").text];
  await log.appendAll([its, mine, its]);
  assertEquals((await peer.nextRecords()).map(({ payload }) => payload), ["mine"]);
  assertEquals(hub.stats().peers[0]!.channels[0]!.position, 2);
  peer.link.send(encodeAck(JSON.parse(mine).id));
  await until("acknowledged", () => hub.stats().peers[0]!.channels[0]!.position === 5);
  await hub.close();
});

Deno.test("what is passed over behind a frame counts only once the frame is acknowledged", async () => {
  const here = new Instance("hub");
  const a = new Instance("a");
  const hub = makeHub(here, [anyPeer("a")]);
  const peer = await join(hub, "a", subscribing("a"));
  const id = await here.publish("c", "mine");
  await until("the frame", () => peer.frames.length === 1);
  await here.logs.get("c")!.append(a.record("c", "its own").text, () => {});
  await until("passed over", () => hub.stats().peers[0]!.skippedSeen === 1);
  assertEquals(hub.stats().peers[0]!.channels[0]!.position, 0);
  peer.link.send(encodeAck(id));
  await until("acknowledged", () => hub.stats().peers[0]!.channels[0]!.position === 2);
  await hub.close();
});

Deno.test("a record that is too long for the peer is passed over, logged and audited, and the rest goes on", async () => {
  const here = new Instance("hub");
  const hub = makeHub(here, [anyPeer("ours"), anyPeer("original")]);
  const ours = await join(hub, "ours", subscribing("ours", { max_record_bytes: 70_000 }));
  const original = await join(hub, "original", originalHello("original", { subscribe: ["c"] }));
  const medium = "x".repeat(66_000);
  const id = await here.publish("c", "y".repeat(80_000));
  await here.publishAll("c", [medium, "short"]);
  await until("ours", () => received(ours).flat().length === 2);
  await until("original", () => received(original).flat().length === 1);
  assertEquals(received(ours).flat(), [medium, "short"]);
  assertEquals(received(original).flat(), ["short"]);
  const gaps = here.audited("replay_gap");
  assertEquals(gaps.map(({ peer }) => peer).sort(), ["original", "original", "ours"]);
  assertEquals(gaps[0]!.messageId, id);
  assertStringIncludes(gaps[0]!.detail!, "bytes");
  assertEquals(messages(here, "error").length, 3);
  assertEquals(hub.stats().peers.map(({ skippedTooLong }) => skippedTooLong), [1, 2]);
  await hub.close();
});

Deno.test("a frame to an original is at most 65,536 bytes long with everything in it", async () => {
  const here = new Instance("hub", { limits: { maxBatchBytes: 1_000_000 } });
  const hub = makeHub(here, [anyPeer("original")]);
  const original = await join(hub, "original", originalHello("original", { subscribe: ["c"] }));
  await here.publishAll("c", Array.from({ length: 1_000 }, (_, n) => n));
  await until("all", () => received(original).flat().length === 1_000);
  for (const frame of original.frames) assertLessOrEqual(frame.length, 65_536);
  await hub.close();
});

Deno.test("without acknowledgement for a minute the link ends, and everything is sent again on the next", async () => {
  const clock = new FakeClock();
  const here = new Instance("hub", { clock, limits: { maxBatchBytes: 1 } });
  const hub = makeHub(here, [anyPeer("a")]);
  const peer = await join(hub, "a", subscribing("a"), { clock });
  await here.publishAll("c", [1, 2]);
  await until("frames", () => peer.frames.length === 2);
  await clock.advance(50_000);
  peer.link.send(encodeAck(await lastIdOfNext(peer)));
  await until("acknowledged", () => hub.stats().peers[0]!.ackedRecords === 1);
  await clock.advance(59_000);
  assertEquals(peer.end, undefined, "an acknowledgement is progress");
  await clock.advance(2_000);
  assertEquals((await peer.link.closed).code, 1001);
  await until("gone", () => hub.stats().peers.length === 0);
  const next = await join(hub, "a", subscribing("a"), { clock });
  await until("again", () => next.frames.length === 1);
  assertEquals(received(next), [[2]]);
  await hub.close();
  assertEquals(clock.running, []);
});

Deno.test("while incoming frames are held back here, missing acknowledgements are nobody's fault", async () => {
  const clock = new FakeClock();
  const logs = new HeldLogs();
  const a = new Instance("a");
  const here = new Instance("hub", { clock, logs, limits: { window: 2 } });
  const hub = makeHub(here, [anyPeer("a")]);
  const peer = await join(hub, "a", subscribing("a"), { clock });
  const id = await here.publish("c", "down");
  await until("the frame", () => peer.frames.length === 1);
  peer.frames.length = 0;
  logs.isHolding = true;
  const records = [1, 2, 3, 4].map((n) => a.record("up", n));
  for (const { text } of records) peer.sendRecords(text);
  await turn(20);
  peer.link.send(encodeAck(id));
  await clock.advance(300_000);
  assertEquals(peer.end, undefined);
  logs.release();
  for (const record of records) assertEquals(await peer.nextAck(), record.id);
  await until("acknowledged", () => hub.stats().peers[0]!.ackedRecords === 1);
  await hub.close();
});

Deno.test("what was deleted before a peer came back is reported as a gap", async () => {
  const logs = new MemoryChannelLogs({ maxRecords: 3 });
  const here = new Instance("hub", { logs });
  const hub = makeHub(here, [anyPeer("a")]);
  const first = await join(hub, "a", subscribing("a"));
  first.link.close(1000, "");
  await until("gone", () => hub.stats().peers.length === 0);
  await here.publishAll("c", [0, 1, 2, 3, 4]);
  const second = await join(hub, "a", subscribing("a"));
  await until("frames", () => second.frames.length === 1);
  assertEquals(received(second), [[2, 3, 4]]);
  assertEquals(here.audited("replay_gap").map(({ detail }) => detail), [
    "positions 0 to 2 are missing",
  ]);
  await hub.close();
});

/** A log whose reads and cursor writes can be made to fail. */
class FaultyLog extends MemoryChannelLog {
  failReads = 0;
  failSaves = false;
  saves = 0;

  override reader(from: number) {
    const reader = super.reader(from);
    return {
      ...reader,
      get position() {
        return reader.position;
      },
      read: (maxBytes: number) => {
        if (this.failReads > 0 && this.failReads--) throw new StorageError("unreadable");
        return reader.read(maxBytes);
      },
    };
  }

  override async cursor(name: string): Promise<Cursor> {
    const cursor = await super.cursor(name);
    const save = async (position: number) => {
      await turn(1);
      if (this.failSaves) throw new StorageError("no disk");
      this.saves++;
      await cursor.save(position);
    };
    return {
      name,
      get position() {
        return cursor.position;
      },
      save,
      close: () => cursor.close(),
    };
  }
}

class FaultyLogs extends MemoryChannelLogs {
  readonly log = new FaultyLog("c");
  override get() {
    return this.log;
  }
  override open() {
    return Promise.resolve(this.log);
  }
  override names() {
    return ["c"];
  }
}

Deno.test("a channel that cannot be read is tried again, and loses nothing", async () => {
  const clock = new FakeClock();
  const logs = new FaultyLogs();
  const here = new Instance("hub", { logs, clock });
  const hub = makeHub(here, [anyPeer("a")]);
  const peer = await join(hub, "a", subscribing("a"), { clock });
  logs.log.failReads = 2;
  await here.publish("c", 1);
  await turn(10);
  assertEquals(peer.frames.length, 0);
  await clock.advance(1_000);
  assertEquals(peer.frames.length, 0);
  await clock.advance(2_000);
  await until("the frame", () => peer.frames.length === 1);
  assertEquals(received(peer), [[1]]);
  await hub.close();
  assertEquals(clock.running, []);
});

Deno.test("a cursor is written at most every 200 ms, and at the end", async () => {
  const clock = new FakeClock();
  const logs = new FaultyLogs();
  const here = new Instance("hub", { logs, clock, limits: { maxBatchBytes: 1 } });
  const hub = makeHub(here, [anyPeer("a")]);
  const peer = await join(hub, "a", subscribing("a"), { clock });
  const before = logs.log.saves;
  for (let n = 0; n < 30; n++) {
    await here.publish("c", n);
    peer.link.send(encodeAck(await lastIdOfNext(peer)));
    await until("acknowledged", () => hub.stats().peers[0]!.ackedRecords === n + 1);
  }
  await turn(5);
  assertEquals(logs.log.saves - before, 1);
  await clock.advance(200);
  assertEquals(logs.log.saves - before, 2);
  await clock.advance(60_000);
  assertEquals(logs.log.saves - before, 2, "nothing has moved");
  await here.publish("c", "last");
  peer.link.send(encodeAck(await lastIdOfNext(peer)));
  await until("acknowledged", () => hub.stats().peers[0]!.ackedRecords === 31);
  await hub.close();
  assertEquals((await logs.log.cursors())[0]!.position, 31);
});

Deno.test("when a cursor cannot be written three times nothing more is sent until it can", async () => {
  const clock = new FakeClock();
  const logs = new FaultyLogs();
  const here = new Instance("hub", { logs, clock, limits: { maxBatchBytes: 1, window: 1 } });
  const hub = makeHub(here, [anyPeer("a")]);
  const peer = await join(hub, "a", subscribing("a"), { clock });
  logs.log.failSaves = true;
  await here.publish("c", 1);
  peer.link.send(encodeAck(await lastIdOfNext(peer)));
  await turn(10);
  await clock.advance(2_000);
  await here.publish("c", 2);
  await turn(50);
  assertEquals(peer.frames.length, 0);
  assertEquals(messages(here, "error"), ["cannot write cursor, sending waits for it"]);
  logs.log.failSaves = false;
  await clock.advance(2_000);
  await until("the frame", () => peer.frames.length === 1);
  assert(messages(here, "info").includes("cursor is written again"));
  await hub.close();
});

import { assert, assertEquals } from "@std/assert";
import type { Frame, Link, LinkListener } from "../../src/federation/mod.ts";
import { turn } from "../helpers/fake_clock.ts";
import { until } from "../helpers/until.ts";

/** Two connected ends, and what is below them. */
export interface LinkPair extends AsyncDisposable {
  readonly first: Link;
  readonly second: Link;
  /** Breaks the connection without a word. */
  cut(): void;
}

/** Makes a connection to which nobody listens yet. */
export type MakeLinkPair = () => Promise<LinkPair>;

/** Notes what a link brings. */
export class Recorder implements LinkListener {
  readonly frames: Frame[] = [];
  writables = 0;
  frame(frame: Frame): void {
    this.frames.push(frame);
  }
  writable(): void {
    this.writables++;
  }
}

interface LinkCase {
  readonly name: string;
  run(pair: LinkPair): Promise<void>;
}

const bytes = (...values: number[]) => new Uint8Array(values);

const CASES: readonly LinkCase[] = [
  {
    name: "frames arrive whole, in order and as what they were sent, both ways",
    async run({ first, second }) {
      const [atFirst, atSecond] = listenAtBoth(first, second);
      const sent: Frame[] = [
        "text",
        bytes(1, 2, 3),
        "",
        "ü\u{1f600}",
        new Uint8Array(300_000).fill(7),
      ];
      for (const frame of sent) {
        first.send(copy(frame));
        second.send(copy(frame));
      }
      await until("the frames", () => atFirst.frames.length + atSecond.frames.length === 10);
      assertEquals(atFirst.frames.map(plain), sent);
      assertEquals(atSecond.frames.map(plain), sent);
    },
  },
  {
    name: "what is sent before anyone listens waits for the listener",
    async run({ first, second }) {
      for (let n = 0; n < 5; n++) first.send(String(n));
      await turn(20);
      const recorder = new Recorder();
      second.listen(recorder);
      await until("the frames", () => recorder.frames.length === 5);
      assertEquals(recorder.frames, ["0", "1", "2", "3", "4"]);
    },
  },
  {
    name:
      "a listener that pauses gets not one frame more, and the next one goes on where it stopped",
    async run({ first, second }) {
      const early: Frame[] = [];
      second.listen({
        frame(frame) {
          early.push(frame);
          second.pause();
        },
        writable() {},
      });
      for (let n = 0; n < 20; n++) first.send(String(n));
      await until("the first frame", () => early.length > 0);
      await turn(20);
      assertEquals(early, ["0"]);
      assertEquals(second.paused, true);
      const late = new Recorder();
      second.listen(late);
      await turn(20);
      assertEquals(late.frames, []);
      second.resume();
      await until("the rest", () => late.frames.length === 19);
      assertEquals(late.frames, Array.from({ length: 19 }, (_, n) => String(n + 1)));
    },
  },
  {
    name: "send says when to wait, and the listener hears when there is room again",
    async run({ first, second }) {
      const [atFirst, atSecond] = listenAtBoth(first, second);
      second.pause();
      let sent = 0;
      let hasRoom = true;
      while (hasRoom) {
        hasRoom = first.send(new Uint8Array(64 * 1024).fill(sent++));
        assert(sent < 10_000, "it never says to wait");
        await turn(1);
      }
      assertEquals(atFirst.writables, 0);
      second.resume();
      await until("room", () => atFirst.writables > 0);
      await until("all frames", () => atSecond.frames.length === sent);
      assertEquals(atSecond.frames.map((frame) => (frame as Uint8Array)[0]), [
        ...Array.from({ length: sent }, (_, n) => n % 256),
      ]);
    },
  },
  {
    name: "closing tells the other side why, after what was sent before it",
    async run({ first, second }) {
      const [, atSecond] = listenAtBoth(first, second);
      for (let n = 0; n < 10; n++) first.send(String(n));
      first.close(4409, "replaced");
      first.send("too late");
      assertEquals(await second.closed, { code: 4409, reason: "replaced" });
      assertEquals(await first.closed, { code: 4409, reason: "replaced" });
      assertEquals(atSecond.frames, Array.from({ length: 10 }, (_, n) => String(n)));
    },
  },
  {
    name: "nothing comes in after closing, and closing twice is closing once",
    async run({ first, second }) {
      const [atFirst] = listenAtBoth(first, second);
      for (let n = 0; n < 10; n++) second.send(String(n));
      first.close(4400, "no");
      first.close(1000, "yes");
      assertEquals((await first.closed).code, 4400);
      await second.closed;
      await turn(10);
      assertEquals(atFirst.frames, []);
      assertEquals(first.send("nobody is there"), true);
      first.pause();
      first.resume();
    },
  },
  {
    name: "a side that never listened can be closed by either side",
    async run({ first, second }) {
      first.close(4403, "not in allowlist");
      second.listen(new Recorder());
      assertEquals((await second.closed).code, 4403);
      assertEquals((await first.closed).code, 4403);
    },
  },
  {
    name: "a reason that is too long is cut, not refused",
    async run({ first, second }) {
      listenAtBoth(first, second);
      first.close(4400, "ü".repeat(200));
      const { code, reason } = await second.closed;
      assertEquals(code, 4400);
      assert("ü".repeat(200).startsWith(reason) && reason.length >= 60, reason);
    },
  },
  {
    name: "a connection that breaks ends both sides with 1006",
    async run(pair) {
      const { first, second } = pair;
      listenAtBoth(first, second);
      pair.cut();
      assertEquals((await first.closed).code, 1006);
      assertEquals((await second.closed).code, 1006);
      first.send("nobody is there");
      first.close(1000, "");
    },
  },
];

/**
 * Runs what every link has to do.
 *
 * @param implementation Whose links these are.
 * @param make Makes a connection.
 */
export function testLinks(implementation: string, make: MakeLinkPair): void {
  for (const { name, run } of CASES) {
    Deno.test(`${implementation}: ${name}`, async () => {
      await using pair = await make();
      await run(pair);
    });
  }
}

function listenAtBoth(first: Link, second: Link): [Recorder, Recorder] {
  const recorders: [Recorder, Recorder] = [new Recorder(), new Recorder()];
  first.listen(recorders[0]);
  second.listen(recorders[1]);
  return recorders;
}

/** The link owns what it is given. */
function copy(frame: Frame): Frame {
  return typeof frame === "string" ? frame : frame.slice();
}

/** A frame to compare, whatever class of bytes it is. */
function plain(frame: Frame): Frame {
  return typeof frame === "string" ? frame : new Uint8Array(frame);
}

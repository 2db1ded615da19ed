import { assertEquals } from "@std/assert";
import { memoryLinkPair } from "../../src/federation/mod.ts";
import { Recorder, testLinks } from "../conformance/link_suite.ts";
import { FakeClock, turn } from "../helpers/fake_clock.ts";

testLinks("memory link", () => {
  const pair = memoryLinkPair();
  return Promise.resolve({
    first: pair.first,
    second: pair.second,
    cut: () => pair.cut(),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  });
});

Deno.test("a memory link breaks behind as many frames as it is told", async () => {
  let cuts = 0;
  const { first, second } = memoryLinkPair({ cutAfter: 3, onCut: () => cuts++ });
  const recorder = new Recorder();
  second.listen(recorder);
  for (let n = 0; n < 5; n++) first.send(String(n));
  assertEquals((await first.closed).code, 1006);
  assertEquals((await second.closed).code, 1006);
  assertEquals(recorder.frames, ["0", "1", "2"]);
  assertEquals(cuts, 1);
});

Deno.test("a memory link loses what is sent after as many frames as it is told", async () => {
  const { first, second } = memoryLinkPair({ loseAfter: 2 });
  const recorder = new Recorder();
  second.listen(recorder);
  for (let n = 0; n < 5; n++) first.send(String(n));
  first.close(1000, "");
  await first.closed;
  let ended = false;
  second.closed.then(() => ended = true);
  await turn(20);
  assertEquals(recorder.frames, ["0", "1"]);
  assertEquals(ended, false);
});

Deno.test("a memory link takes as long as it is told", async () => {
  const clock = new FakeClock();
  const { first, second } = memoryLinkPair({ delayMs: 50, clock });
  const recorder = new Recorder();
  second.listen(recorder);
  first.send("slow");
  await clock.advance(49);
  assertEquals(recorder.frames, []);
  await clock.advance(1);
  assertEquals(recorder.frames, ["slow"]);
});

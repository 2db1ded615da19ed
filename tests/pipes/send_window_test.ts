import { assertEquals } from "@std/assert";
import { SendWindow } from "../../src/pipes/send_window.ts";
import { FakeClock, turn } from "../helpers/fake_clock.ts";

function make(sizeMax: number) {
  const socket = { pending: 0 };
  const clock = new FakeClock();
  const window = new SendWindow(socket, sizeMax, clock);
  const flush = (count: number) => {
    socket.pending -= count;
    window.flushed();
  };
  return { socket, clock, window, flush };
}

async function isSettled(promise: Promise<void> | undefined): Promise<boolean> {
  let settled = promise === undefined;
  promise?.then(() => settled = true);
  await turn(1);
  return settled;
}

Deno.test("there is room until half of the buffer is used, and again once less is", async () => {
  const { socket, window, flush } = make(8);
  socket.pending = 3;
  assertEquals(window.room(), undefined);
  socket.pending = 4;
  const room = window.room();
  assertEquals(await isSettled(room), false);
  socket.pending = 8;
  assertEquals(window.isFull, true);
  flush(4);
  assertEquals(await isSettled(room), false);
  flush(1);
  assertEquals([await isSettled(room), window.isFull], [true, false]);
});

Deno.test("a peer that takes nothing is waited for once, until it takes something again", async () => {
  const { socket, clock, window, flush } = make(8);
  socket.pending = 6;
  const room = window.room();
  await clock.advance(999);
  assertEquals(await isSettled(room), false);
  await clock.advance(1);
  assertEquals(await isSettled(room), true);
  assertEquals(window.room(), undefined);
  flush(1);
  const again = window.room();
  assertEquals(await isSettled(again), false);
  flush(2);
  assertEquals(await isSettled(again), true);
  assertEquals(clock.running, []);
});

Deno.test("a peer that is slow, yet takes something, is waited for", async () => {
  const { socket, clock, window, flush } = make(20);
  socket.pending = 20;
  const room = window.room();
  for (let taken = 0; taken < 10; taken++) {
    flush(1);
    await clock.advance(900);
    assertEquals(await isSettled(room), false, `${taken}`);
  }
  flush(1);
  assertEquals(await isSettled(room), true);
});

Deno.test("a buffer is empty once nothing is pending, and when the connection ends", async () => {
  const { socket, window, flush } = make(8);
  assertEquals(window.empty(), undefined);
  socket.pending = 6;
  const [empty, room] = [window.empty(), window.room()];
  flush(5);
  assertEquals([await isSettled(empty), await isSettled(room)], [false, true]);
  flush(1);
  assertEquals(await isSettled(empty), true);
  socket.pending = 6;
  const [last, lastRoom] = [window.empty(), window.room()];
  window.end();
  assertEquals([await isSettled(last), await isSettled(lastRoom)], [true, true]);
  assertEquals([window.empty(), window.room()], [undefined, undefined]);
});

import { assertEquals, assertGreater } from "@std/assert";
import { MemoryCurve, slopeOf } from "../../bench/lib/memory_curve.ts";

Deno.test("the slope of points on a line is the line's", () => {
  const points = [0, 1, 2, 3].map((count) => ({ count, mb: 50 + 0.25 * count }));
  assertEquals(slopeOf(points), 0.25);
});

Deno.test("the slope of points up and down around a level is none", () => {
  const points = [5, 6, 6, 5].map((mb, count) => ({ count, mb }));
  assertEquals(slopeOf(points), 0);
  assertEquals(slopeOf([{ count: 1, mb: 2 }]), 0);
});

Deno.test("memory that is held shows in the peak and in the slope", () => {
  const curve = new MemoryCurve(100);
  const held: Uint8Array[] = [];
  for (let i = 0; i < 100; i++) {
    held.push(new Uint8Array(1_000_000).fill(1));
    curve.count();
  }
  const { startMb, peakMb, slopeMb } = curve.summary();
  assertGreater(peakMb - startMb, 50);
  assertGreater(slopeMb / 1e6, 0.5);
  assertEquals(held.length, 100);
});

import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { editDistance, nearestName } from "../../src/config/mod.ts";

const short = fc.string({ maxLength: 8 });

Deno.test("swapped neighbours count as one edit", () => {
  assertEquals(editDistance("pubilsh", "publish"), 1);
  assertEquals(editDistance("sync_polcy", "sync_policy"), 1);
  assertEquals(editDistance("", "abc"), 3);
});

Deno.test("no text is further away than its own length and the other's", () => {
  fc.assert(fc.property(short, short, (a, b) => {
    const distance = editDistance(a, b);
    assertEquals(distance, editDistance(b, a));
    assertEquals(distance <= Math.max(a.length, b.length), true);
    assertEquals(distance >= Math.abs(a.length - b.length), true);
    assertEquals(distance === 0, a.toLowerCase() === b.toLowerCase());
  }));
});

Deno.test("the nearest name is the one with the fewest edits, and none of none", () => {
  assertEquals(nearestName("retentoin", ["max_files", "retention", "data_dir"]), "retention");
  assertEquals(nearestName("x", []), undefined);
});

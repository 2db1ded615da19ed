import { assertEquals, assertThrows } from "@std/assert";
import {
  type Connection,
  firstOf,
  InvalidConfigError,
  publish,
  random,
  roundRobin,
} from "../../src/pipes/mod.ts";

const [a, b, c, d] = ["a", "b", "c", "d"].map((id) => ({ id }) as Connection) as [
  Connection,
  Connection,
  Connection,
  Connection,
];
const ids = (connections: readonly Connection[]) => connections.map(({ id }) => id).join("");

Deno.test("publish chooses all", () => {
  assertEquals(ids(publish([a, b, c])), "abc");
});

Deno.test("roundRobin chooses each in its turn, and skips nobody when others come and go", () => {
  const pattern = roundRobin();
  const turns = (connections: Connection[], times: number) =>
    Array.from({ length: times }, () => ids(pattern(connections))).join("");
  assertEquals(turns([a, b, c], 4), "abca");
  assertEquals(turns([a, b, c, d], 3), "bcd");
  assertEquals(turns([a, b, c], 2), "ab", "d has gone, the next is the first");
  assertEquals(turns([a, c], 2), "ca", "b has gone, c is the next");
  assertEquals(pattern([]), []);
  assertEquals(turns([d], 2), "dd");
});

Deno.test("random chooses any one", () => {
  const drawn = [0, 0.34, 0.99];
  const pattern = random({ random: { next: () => drawn.shift()!, fill: () => {} } });
  assertEquals(Array.from({ length: 3 }, () => ids(pattern([a, b, c]))).join(""), "abc");
  const seen = new Set(Array.from({ length: 200 }, () => ids(random()([a, b, c]))));
  assertEquals([...seen].sort().join(""), "abc");
});

Deno.test("firstOf chooses those that came first, as many as there are", () => {
  assertEquals([ids(firstOf(2)([a, b, c])), ids(firstOf(5)([a, b]))], ["ab", "ab"]);
  for (const count of [0, -1, 1.5, NaN]) {
    assertThrows(() => firstOf(count), InvalidConfigError, "whole number from 1");
  }
});

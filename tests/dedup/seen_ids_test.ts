import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { IdWords } from "../../src/dedup/id_words.ts";
import { SEEN_IDS_CAPACITY_MAX, SeenIds } from "../../src/dedup/mod.ts";
import type { Random } from "../../src/base/mod.ts";

/** The same promise in the plainest way: oldest first, by insertion order of a Set. */
class NaiveSeenIds {
  readonly #ids = new Set<string>();
  constructor(readonly capacity: number) {}
  get size(): number {
    return this.#ids.size;
  }
  has(id: string): boolean {
    return this.#ids.has(id);
  }
  add(id: string): boolean {
    const known = this.#ids.delete(id);
    if (!known && this.#ids.size === this.capacity) this.#ids.delete([...this.#ids][0]!);
    this.#ids.add(id);
    return !known;
  }
  delete(id: string): boolean {
    return this.#ids.delete(id);
  }
  clear(): void {
    this.#ids.clear();
  }
}

const seeded = (seed: number): Random => ({
  fill: (bytes) => new DataView(bytes.buffer).setInt32(0, seed),
  next: () => 0,
});

const UUID = "0190a3c5-7b1e-7c3d-9f00-0123456789ab";

/** Few different ids, so that they meet again, some of them almost alike. */
const someId = fc.oneof(
  fc.integer({ min: 0, max: 12 }).map((n) =>
    `${UUID.slice(0, 34)}${n.toString(16).padStart(2, "0")}`
  ),
  fc.integer({ min: 0, max: 5 }).map((n) => `${n.toString(16)}${UUID.slice(1)}`),
  fc.constantFrom(
    "",
    "a",
    "message 1",
    UUID.toUpperCase(),
    UUID.replace("b", "g"),
    UUID.replaceAll("-", "_"),
    UUID.replace("0190", "019\u0130"),
    UUID.slice(1),
    `${UUID} `,
    "\ud800",
    "é".repeat(36),
  ),
);

const someStep = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("add" as const), id: someId }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("has" as const), id: someId }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("delete" as const), id: someId }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("clear" as const), id: fc.constant("") }) },
);

Deno.test("SeenIds does what a plain list of the last ids does", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 9 }),
      fc.integer(),
      fc.array(someStep, { maxLength: 200, size: "max" }),
      (capacity, seed, steps) => {
        const seen = new SeenIds(capacity, seeded(seed));
        const model = new NaiveSeenIds(capacity);
        for (const [n, step] of steps.entries()) {
          const at = `step ${n}: ${step.do} ${JSON.stringify(step.id)}`;
          if (step.do === "clear") {
            seen.clear();
            model.clear();
          } else {
            assertEquals(seen[step.do](step.id), model[step.do](step.id), at);
          }
          assertEquals(seen.size, model.size, at);
        }
      },
    ),
    { numRuns: 500 },
  );
});

Deno.test("add() says whether the id was new", () => {
  const seen = new SeenIds(10);
  assert(seen.add(UUID));
  assert(!seen.add(UUID));
  assert(seen.add("no uuid"));
  assert(!seen.add("no uuid"));
  assertEquals(seen.size, 2);
  assertEquals(seen.capacity, 10);
});

Deno.test("the id that was added longest ago is forgotten first, and adding it again saves it", () => {
  const seen = new SeenIds(3);
  for (const id of ["a", "b", "c", "a", "d"]) seen.add(id);
  assertEquals(["a", "b", "c", "d"].map((id) => seen.has(id)), [true, false, true, true]);
  for (const id of ["a", "e", "f"]) seen.add(id);
  assertEquals(["a", "c", "d", "e", "f"].map((id) => seen.has(id)), [
    true,
    false,
    false,
    true,
    true,
  ]);
});

Deno.test("asking for an id does not save it from being forgotten", () => {
  const seen = new SeenIds(2);
  seen.add("a");
  seen.add("b");
  assert(seen.has("a"));
  seen.add("c");
  assert(!seen.has("a"));
});

Deno.test("a deleted id is new again and its room is used again", () => {
  const seen = new SeenIds(2);
  seen.add("a");
  seen.add("b");
  assert(seen.delete("a"));
  assert(!seen.delete("a"));
  assert(seen.add("c"));
  assert(seen.has("b"));
  assertEquals(seen.size, 2);
  assert(seen.add("a"));
  assert(!seen.has("b"));
});

Deno.test("UUIDs that differ in one digit or in case are different ids", () => {
  const seen = new SeenIds(100);
  assert(seen.add(UUID));
  assert(seen.add(UUID.toUpperCase()));
  for (let i = 0; i < UUID.length; i++) {
    if (UUID[i] === "-") continue;
    const other = UUID[i] === "0" ? "1" : "0";
    assert(seen.add(UUID.slice(0, i) + other + UUID.slice(i + 1)), `digit ${i}`);
  }
});

Deno.test("what has a UUID's length but another mark for a dash is another id", () => {
  const seen = new SeenIds(10);
  assert(seen.add(UUID));
  for (const at of [8, 13, 18, 23]) {
    assert(seen.add(`${UUID.slice(0, at)}_${UUID.slice(at + 1)}`), `dash at ${at}`);
  }
});

Deno.test("a text and the UUID that spells its hash are different ids, whichever came first", () => {
  const text = "message 1";
  const hash = new IdWords();
  hash.read(text);
  assert(!hash.exact);
  const digits = [hash.w0, hash.w1, hash.w2, hash.w3]
    .map((word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
  const uuid = digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
  for (const [first, second] of [[text, uuid], [uuid, text]] as const) {
    const seen = new SeenIds(10, seeded(1));
    assert(seen.add(first));
    assert(!seen.has(second));
    assert(seen.add(second));
    assert(seen.delete(first));
    assert(seen.has(second));
  }
});

Deno.test("the last ids of a long stream are remembered, and no others", () => {
  const capacity = 5_000;
  const seen = new SeenIds(capacity);
  const ids = Array.from({ length: 4 * capacity }, () => crypto.randomUUID());
  for (const id of ids) assert(seen.add(id));
  assertEquals(seen.size, capacity);
  assertEquals(ids.filter((id) => seen.has(id)), ids.slice(-capacity));
});

Deno.test("a capacity that is no integer in range is refused", () => {
  for (const capacity of [0, -1, 1.5, NaN, Infinity, SEEN_IDS_CAPACITY_MAX + 1]) {
    assertThrows(() => new SeenIds(capacity), RangeError, `Cannot remember ${capacity} ids`);
  }
});

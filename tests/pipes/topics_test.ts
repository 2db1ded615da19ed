import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { InvalidTopicError } from "../../src/pipes/mod.ts";
import { patternLevels, topicLevels, TopicTree } from "../../src/pipes/topics.ts";

/** What the tree must agree with: level by level. */
function matches(pattern: readonly string[], topic: readonly string[]): boolean {
  const [name, ...rest] = pattern;
  if (name === ">") return topic.length > 0;
  if (name === undefined || topic.length === 0) return name === undefined && topic.length === 0;
  return (name === "*" || name === topic[0]) && matches(rest, topic.slice(1));
}

for (
  const [pattern, topic, expected] of [
    ["lab.north.temperature", "lab.north.temperature", true],
    ["lab.*.temperature", "lab.north.temperature", true],
    ["lab.*", "lab.north.temperature", false],
    ["lab.>", "lab.north.temperature", true],
    ["lab.>", "lab", false],
    ["lab.*.>", "lab.north", false],
    ["*", "lab", true],
    [">", "lab.north", true],
    ["lab", "Lab", false],
  ] as const
) {
  Deno.test(`${pattern} ${expected ? "matches" : "does not match"} ${topic}`, () => {
    const tree = new TopicTree<string>();
    tree.add(patternLevels(pattern), "a");
    assertEquals([...tree.match(topicLevels(topic))], expected ? ["a"] : []);
    assertEquals(matches(pattern.split("."), topic.split(".")), expected);
  });
}

Deno.test("whatever is asked for and taken back, those are found that a comparison one by one finds", () => {
  const level = fc.constantFrom("a", "b", "c");
  const topic = fc.array(level, { minLength: 1, maxLength: 4 });
  const pattern = fc.tuple(
    fc.array(fc.oneof(level, fc.constant("*")), { minLength: 1, maxLength: 3 }),
    fc.boolean(),
  ).map(([levels, isOpen]) => isOpen ? [...levels, ">"] : levels);
  const step = fc.record({ pattern, item: fc.nat({ max: 4 }), isAdded: fc.boolean() });
  fc.assert(fc.property(fc.array(step, { maxLength: 40 }), fc.array(topic), (steps, topics) => {
    const tree = new TopicTree<number>();
    const kept = new Map<string, { pattern: string[]; item: number }>();
    for (const { pattern, item, isAdded } of steps) {
      const key = `${item} ${pattern.join(".")}`;
      if (isAdded) {
        tree.add(pattern, item);
        kept.set(key, { pattern, item });
      } else {
        tree.delete(pattern, item);
        kept.delete(key);
      }
    }
    for (const each of topics) {
      const expected = new Set(
        [...kept.values()].filter(({ pattern }) => matches(pattern, each)).map(({ item }) => item),
      );
      assertEquals(new Set(tree.match(each)), expected);
    }
    for (const { pattern, item } of kept.values()) tree.delete(pattern, item);
    assertEquals(tree.isEmpty, true);
  }));
});

Deno.test("what is no topic, and what is no pattern, is refused with what would be right", () => {
  for (const wrong of ["", ".", "a..b", "a.", ".a", "a b", "a\n", "x".repeat(256), 7, undefined]) {
    assertThrows(() => topicLevels(wrong), InvalidTopicError, "levels between dots");
    assertThrows(() => patternLevels(wrong), InvalidTopicError, "levels between dots");
  }
  for (const wrong of ["a.*", ">", "a*", "a>b.c"]) {
    assertThrows(() => topicLevels(wrong), InvalidTopicError, "is not a topic");
  }
  for (const wrong of ["a*", "a.b*.c", ">.a", "a.>.b", "a>"]) {
    assertThrows(() => patternLevels(wrong), InvalidTopicError, '">" for the rest');
  }
  assertEquals(patternLevels("*.a.>"), ["*", "a", ">"]);
});

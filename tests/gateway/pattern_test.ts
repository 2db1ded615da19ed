import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  ChannelRefusedError,
  checkConcrete,
  checkPublish,
  checkSubscription,
  isPattern,
  PatternIndex,
  patternMatches,
} from "../../src/gateway/pattern/mod.ts";

/** Sessions with their subscriptions, as the gateway would hold them. */
function subscribed(subscriptions: Readonly<Record<string, readonly string[]>>) {
  const index = new PatternIndex<Set<string>>();
  for (const [session, patterns] of Object.entries(subscriptions)) {
    for (const pattern of patterns) {
      const sessions = index.get(pattern) ?? new Set();
      index.set(pattern, sessions.add(session));
    }
  }
  const receivers = (channel: string) =>
    [...new Set(index.match(channel).flatMap((sessions) => [...sessions]))].sort();
  return { index, receivers };
}

const TABLE = {
  s0: ["forex.*", "*.usd", "forex.eur"],
  s1: ["*.eur", "forex.*", "trade"],
  s2: ["*"],
};
const ROWS: readonly (readonly [channel: string, receivers: readonly string[]])[] = [
  ["forex.eur", ["s0", "s1"]],
  ["forex.jpy", ["s0", "s1"]],
  ["forex", ["s2"]],
  ["trade", ["s1", "s2"]],
  ["trade.jpy", []],
];

for (const [channel, expected] of ROWS) {
  Deno.test(`a publication to ${channel} reaches ${expected.join(", ") || "nobody"}`, () => {
    assertEquals(subscribed(TABLE).receivers(channel), expected);
  });
}

Deno.test("once all have unsubscribed nobody is reached and nothing is held", () => {
  const { index, receivers } = subscribed(TABLE);
  for (const pattern of new Set(Object.values(TABLE).flat())) assert(index.delete(pattern));
  for (const [channel] of ROWS) assertEquals(receivers(channel), []);
  assertEquals([index.size, [...index.entries()]], [0, []]);
});

const MATCHES: readonly (readonly [pattern: string, channel: string, matches: boolean])[] = [
  ["a", "a", true],
  ["a", "A", false],
  ["*", "a", true],
  ["*", "a.b", false],
  ["a*", "ab", false],
  ["a*", "a*", true],
  ["*.b", "a.b", true],
  ["a.*.c", "a.b.c", true],
  ["a.*.c", "a.b.b.c", false],
  ["a.**", "a", true],
  ["a.**", "a.b.c", true],
  ["a.**", "ab", false],
  ["**", "a.b.c", true],
  ["*.**", "a", true],
  ["*.*.**", "a", false],
  ["a**", "a.b", false],
  ["chat.*", "chat.x/__presence", false],
  ["**", "chat.x/__presence", false],
  ["chat.*/__presence", "chat.x/__presence", true],
  ["chat.*/__presence", "chat.x", false],
  ["**/__presence", "chat.x/__presence", true],
  ["chat.x/__presence", "chat.x/__presence", true],
];

for (const [pattern, channel, matches] of MATCHES) {
  Deno.test(`${pattern} ${matches ? "matches" : "does not match"} ${channel}`, () => {
    const index = new PatternIndex<number>();
    index.set(pattern, 1);
    assertEquals(index.match(channel), matches ? [1] : []);
    assertEquals(patternMatches(pattern, channel), matches);
  });
}

const segment = fc.constantFrom("a", "b", "c", "a*", "", "ab");
const channels = fc.tuple(fc.array(segment, { minLength: 1, maxLength: 5 }), fc.boolean())
  .map(([segments, companion]) => segments.join(".") + (companion ? "/__presence" : ""));
const patterns = fc.tuple(
  fc.array(fc.oneof(segment, fc.constant("*")), { minLength: 1, maxLength: 5 }),
  fc.boolean(),
  fc.integer({ min: 0, max: 4 }),
).map(([segments, rest, companion]) =>
  [...segments, ...(rest ? ["**"] : [])].join(".") + (companion === 0 ? "/__presence" : "")
);

/** Written apart from the code under test: a regular expression made of the pattern. */
function naiveMatch(pattern: string, channel: string): boolean {
  const ending = "/__presence";
  if (pattern.endsWith(ending) !== channel.endsWith(ending)) return false;
  const cut = (name: string) => name.endsWith(ending) ? name.slice(0, -ending.length) : name;
  const quoted = cut(pattern).split(".").map((text, n, all) =>
    text === "**" && n === all.length - 1
      ? "(,[^,]*)*"
      : text === "*"
      ? ",[^,]*"
      : "," + text.replace(/[*]/g, "\\*")
  ).join("");
  return new RegExp(`^${quoted}$`).test("," + cut(channel).split(".").join(","));
}

Deno.test("the index finds what a plain matcher finds, through all changes", () => {
  const change = fc.tuple(patterns, fc.boolean());
  fc.assert(
    fc.property(fc.array(change, { maxLength: 60 }), fc.array(channels, { maxLength: 20 }), (
      changes,
      names,
    ) => {
      const index = new PatternIndex<string>();
      const model = new Set<string>();
      for (const [pattern, isAdded] of changes) {
        // What is remembered must not outlive the change.
        for (const name of names) index.match(name);
        if (isAdded) index.set(pattern, pattern), model.add(pattern);
        else assertEquals(index.delete(pattern), model.delete(pattern));
      }
      assertEquals(index.size, model.size);
      assertEquals(Array.from(index.entries(), ([pattern]) => pattern).sort(), [...model].sort());
      for (const pattern of model) assertEquals(index.get(pattern), pattern);
      for (const name of names) {
        const expected = [...model].filter((pattern) => naiveMatch(pattern, name));
        assertEquals(index.match(name).toSorted(), expected.sort());
        assertEquals(index.match(name).toSorted(), expected, "it is remembered");
        assertEquals([...model].filter((p) => patternMatches(p, name)).sort(), expected.sort());
      }
    }),
    { numRuns: 300 },
  );
});

Deno.test("more channels than are remembered are matched all the same", () => {
  const index = new PatternIndex<number>();
  index.set("a.*", 1);
  for (let n = 0; n < 120_000; n++) {
    if (index.match(`a.${n}`).length !== 1) throw new Error(`a.${n}`);
  }
  assertEquals(index.match("a.0"), [1]);
});

const REFUSED: readonly (readonly [name: string, check: (name: string) => void, why: string])[] = [
  ["", checkSubscription, "empty"],
  ["/__presence", checkSubscription, "empty"],
  ["a..b", checkSubscription, "empty segment"],
  [".a", checkSubscription, "empty segment"],
  ["a.", checkSubscription, "empty segment"],
  ["a\nb", checkSubscription, "control character"],
  ["a\u0085b", checkSubscription, "control character"],
  ["ä".repeat(128), checkSubscription, "longer than 255 bytes"],
  ["\ud800", checkSubscription, "half a character"],
  ["a.**.b", checkSubscription, "last segment"],
  ["a/__presence/__presence", checkSubscription, "companion"],
  ["a.*", checkPublish, "pattern"],
  ["**", checkPublish, "pattern"],
  ["a.*", checkConcrete, "pattern"],
  ["a/__presence", checkPublish, "who is present"],
];

for (const [name, check, why] of REFUSED) {
  Deno.test(`${check.name} refuses ${JSON.stringify(name.slice(0, 30))}: ${why}`, () => {
    assertThrows(() => check(name), ChannelRefusedError, why);
  });
}

Deno.test("names of every script, of 255 bytes and with stars inside are taken", () => {
  for (const name of ["a", "ä".repeat(127), "a*", "räume.küche", "a b", "x".repeat(255)]) {
    checkPublish(name);
    checkSubscription(name + "/__presence");
    assertEquals(isPattern(name), false);
  }
  for (const name of ["*", "a.**", "*.b/__presence"]) {
    checkSubscription(name);
    assertEquals(isPattern(name), true);
  }
});

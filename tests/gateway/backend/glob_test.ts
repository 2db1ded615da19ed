import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { Glob, GlobSyntaxError } from "../../../src/gateway/backend/glob.ts";

// pattern, what fits, what does not
const CASES: readonly (readonly [string, readonly string[], readonly string[]])[] = [
  ["*", ["", "a", "a.b.c", "\u{1f600}"], []],
  ["**", ["", "a.b"], []],
  ["chat.*", ["chat.messages", "chat.presence.online", "chat."], ["chat", "xchat.a", "Chat.a"]],
  ["*.log", [".log", "a.b.log"], ["log", "a.log.x"]],
  ["send*", ["send", "sendMessage"], ["resend", "sen"]],
  ["a?c", ["abc", "a.c", "a\u{1f600}c"], ["ac", "abbc"]],
  ["[abc]x", ["ax", "cx"], ["dx", "x", "abx"]],
  ["[a-c0-9]", ["b", "5"], ["d", "-", ""]],
  ["[!a-c]", ["d", "\u{1f600}"], ["a", "b", ""]],
  ["[a\\]]", ["a", "]"], ["\\"]],
  ["[a-]", ["a", "-"], ["b"]],
  ["{get,set}*", ["get", "setName"], ["reset", "ge"]],
  ["a{b,{c,d}e}f", ["abf", "acef", "adef"], ["af", "abcf", "aef"]],
  ["x{,y}", ["x", "xy"], ["xyy", ""]],
  ["{*.a,b}", [".a", "c.a", "b"], ["c", "bb"]],
  ["\\*", ["*"], ["a", "\\*"]],
  ["a,b}", ["a,b}"], ["a"]],
  ["$authenticate", ["$authenticate"], ["authenticate"]],
  ["", [""], ["a"]],
];

for (const [pattern, fitting, others] of CASES) {
  Deno.test(`${JSON.stringify(pattern)} matches what it should and nothing else`, () => {
    const glob = new Glob(pattern);
    for (const text of fitting) assert(glob.matches(text), `${text} should match`);
    for (const text of others) assert(!glob.matches(text), `${text} should not match`);
  });
}

for (
  const pattern of [
    "[invalid",
    "[",
    "[]",
    "[!]",
    "[z-a]",
    "[a-",
    "{a,b",
    "a\\",
    "[a\\",
    "{".repeat(17),
    "a".repeat(1025),
  ]
) {
  Deno.test(`${JSON.stringify(pattern.slice(0, 20))} is refused`, () => {
    const error = assertThrows(() => new Glob(pattern), GlobSyntaxError);
    assertEquals(error.code, "glob_invalid");
  });
}

Deno.test("a pattern of any text, each character escaped, matches that text alone", () => {
  fc.assert(fc.property(fc.string({ unit: "grapheme" }), fc.string(), (text, other) => {
    const glob = new Glob([...text].map((character) => `\\${character}`).join(""));
    assert(glob.matches(text));
    assertEquals(glob.matches(other), other === text);
  }));
});

Deno.test("a glob of runs and letters agrees with the regular expression that says the same", () => {
  const parts = fc.array(fc.constantFrom("*", "?", "a", "b", "."), { maxLength: 8 });
  const texts = fc.string({ unit: fc.constantFrom("a", "b", "."), maxLength: 8 });
  fc.assert(fc.property(parts, texts, (pattern, text) => {
    const expression = pattern.map((part) =>
      part === "*" ? ".*" : part === "?" ? "." : part === "." ? "\\." : part
    );
    const expected = new RegExp(`^${expression.join("")}$`, "s").test(text);
    assertEquals(new Glob(pattern.join("")).matches(text), expected);
  }));
});

Deno.test("the time of a match grows with the text, not with the ways to match it", () => {
  const glob = new Glob(`${"*a".repeat(100)}b`);
  const time = (length: number): number => {
    const began = performance.now();
    assert(!glob.matches("a".repeat(length)));
    return performance.now() - began;
  };
  time(1000);
  const small = time(1000);
  const large = time(8000);
  assert(large < 80 * small + 50, `${small} ms became ${large} ms`);
});

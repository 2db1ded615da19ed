import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { resolveGatewayConfig } from "../../../src/gateway/config/mod.ts";
import { patternMatches } from "../../../src/gateway/pattern/mod.ts";
import { Rules } from "../../../src/gateway/security/mod.ts";
import type { ChannelAction, User } from "../../../src/gateway/session/ports.ts";

type RuleInput = NonNullable<
  NonNullable<Parameters<typeof resolveGatewayConfig>[0]["security"]>["rules"]
>[number];

function rules(...given: readonly RuleInput[]): Rules {
  const config = resolveGatewayConfig({
    server: { allowAnonymous: true },
    security: { rules: given },
  });
  return new Rules(config.security.rules);
}

function user(id: string, claims: Record<string, unknown> = {}): User {
  return { id, claims };
}

const ALL: readonly ChannelAction[] = ["subscribe", "publish", "presence", "history"];

// rule, user, action, channel, allowed
const CASES: readonly (readonly [RuleInput, User, ChannelAction, string, boolean])[] = [
  [{ channels: ["chat.a"], allow: ["subscribe"] }, user("u"), "subscribe", "chat.a", true],
  [{ channels: ["chat.a"], allow: ["subscribe"] }, user("u"), "subscribe", "chat.b", false],
  [{ channels: ["chat.a"], allow: ["subscribe"] }, user("u"), "publish", "chat.a", false],
  [{ channels: ["chat.a"], allow: ["subscribe"] }, user("u"), "history", "chat.a", false],
  [{ channels: ["chat.a"], allow: ["subscribe"] }, user("u"), "presence", "chat.a", false],
  [{ channels: ["chat.*"], allow: ["publish"] }, user("u"), "publish", "chat.a", true],
  [{ channels: ["chat.*"], allow: ["publish"] }, user("u"), "publish", "chat.a.b", false],
  [{ channels: ["chat.**"], allow: ["publish"] }, user("u"), "publish", "chat.a.b", true],
  [{ channels: ["chat.**"], allow: ["publish"] }, user("u"), "publish", "chat", true],
  [{ channels: ["chat.**"], allow: ["publish"] }, user("u"), "publish", "chats", false],
  // Patterns are subscribed to only where all that they match is allowed.
  [{ channels: ["chat.*"], allow: ["subscribe"] }, user("u"), "subscribe", "chat.*", true],
  [{ channels: ["chat.*"], allow: ["subscribe"] }, user("u"), "subscribe", "*.a", false],
  [{ channels: ["chat.*"], allow: ["subscribe"] }, user("u"), "subscribe", "chat.**", false],
  [{ channels: ["chat.a"], allow: ["subscribe"] }, user("u"), "subscribe", "chat.*", false],
  [{ channels: ["**"], allow: ["subscribe"] }, user("u"), "subscribe", "**", true],
  [{ channels: ["*.*"], allow: ["subscribe"] }, user("u"), "subscribe", "**", false],
  [{ channels: ["chat.**"], allow: ["subscribe"] }, user("u"), "subscribe", "chat.*.x", true],
  // The events of presence are presence.
  [{ channels: ["a"], allow: ["subscribe"] }, user("u"), "subscribe", "a/__presence", false],
  [{ channels: ["a"], allow: ["presence"] }, user("u"), "subscribe", "a/__presence", true],
  [{ channels: ["a"], allow: ["presence"] }, user("u"), "subscribe", "a", false],
  [{ channels: ["*"], allow: ["presence"] }, user("u"), "subscribe", "*/__presence", true],
  // Users.
  [{ channels: ["a"], allow: ALL, users: ["u"] }, user("u"), "publish", "a", true],
  [{ channels: ["a"], allow: ALL, users: ["u"] }, user("v"), "publish", "a", false],
  [{ channels: ["a"], allow: ALL }, user(""), "publish", "a", false],
  [{ channels: ["a"], allow: ALL, anonymous: true }, user(""), "publish", "a", true],
  [{ channels: ["a"], allow: ALL, anonymous: true }, user("u"), "publish", "a", true],
  // The user's own channels.
  [{ channels: ["user.{user}.**"], allow: ALL }, user("u"), "publish", "user.u.inbox", true],
  [{ channels: ["user.{user}.**"], allow: ALL }, user("u"), "publish", "user.v.inbox", false],
  [{ channels: ["user.{user}.**"], allow: ALL }, user("u"), "subscribe", "user.*.inbox", false],
  [{ channels: ["user.{user}"], allow: ALL }, user("*"), "subscribe", "user.*", false],
  [{ channels: ["user.{user}"], allow: ALL }, user("**"), "subscribe", "user.**", false],
  [{ channels: ["user.{user}"], allow: ALL }, user("a.b"), "subscribe", "user.a.b", false],
  [
    { channels: ["user.{user}"], allow: ALL, anonymous: true },
    user(""),
    "publish",
    "user.",
    false,
  ],
  [{ channels: ["u-{user}"], allow: ALL }, user("$&"), "publish", "u-$&", true],
  // Claims.
  [
    { channels: ["a"], allow: ALL, claims: { role: "admin" } },
    user("u", { role: "admin" }),
    "publish",
    "a",
    true,
  ],
  [
    { channels: ["a"], allow: ALL, claims: { role: ["editor", "admin"] } },
    user("u", { role: ["viewer", "admin"] }),
    "publish",
    "a",
    true,
  ],
  [
    { channels: ["a"], allow: ALL, claims: { role: "admin" } },
    user("u", { role: "viewer" }),
    "publish",
    "a",
    false,
  ],
  [{ channels: ["a"], allow: ALL, claims: { role: "admin" } }, user("u"), "publish", "a", false],
  [
    { channels: ["a"], allow: ALL, claims: { role: "admin", level: "3" } },
    user("u", { role: "admin", level: 3 }),
    "publish",
    "a",
    true,
  ],
  [
    { channels: ["a"], allow: ALL, claims: { role: "admin", level: "3" } },
    user("u", { role: "admin", level: 2 }),
    "publish",
    "a",
    false,
  ],
  [
    { channels: ["a"], allow: ALL, claims: { "realm.roles": "x" } },
    user("u", { realm: { roles: ["x"] } }),
    "publish",
    "a",
    true,
  ],
  [
    { channels: ["a"], allow: ALL, claims: { scope: "chat:write" } },
    user("u", { scope: "chat:read chat:write" }),
    "publish",
    "a",
    true,
  ],
  [
    { channels: ["a"], allow: ALL, claims: { constructor: "x" } },
    user("u"),
    "publish",
    "a",
    false,
  ],
];

for (const [rule, who, action, channel, allowed] of CASES) {
  const about = JSON.stringify(rule).replace(JSON.stringify(ALL), "all");
  Deno.test(
    `${about} ${allowed ? "lets" : "does not let"} ${JSON.stringify(who)} ${action} ${channel}`,
    () => assertEquals(rules(rule).may(who, action, channel), allowed),
  );
}

Deno.test("without rules everybody may do everything, with rules only what one allows", () => {
  for (const action of ALL) {
    assertEquals(rules().may(user(""), action, "any"), true);
    assertEquals(
      rules({ channels: ["b"], allow: [action] }, { channels: ["a"], allow: ALL })
        .may(user("u"), action, "a"),
      true,
    );
    assertEquals(
      rules({ channels: ["b"], allow: ALL }).may(user("u"), action, "a"),
      false,
    );
  }
});

Deno.test("a pattern that may be subscribed to matches no channel that may not", () => {
  const segment = fc.constantFrom("a", "b", "*");
  const pattern = fc.tuple(
    fc.array(segment, { minLength: 1, maxLength: 3 }),
    fc.boolean(),
  ).map(([segments, open]) => [...segments, ...(open ? ["**"] : [])].join("."));
  const channel = fc.array(fc.constantFrom("a", "b", "c"), { minLength: 1, maxLength: 4 })
    .map((segments) => segments.join("."));
  fc.assert(
    fc.property(pattern, pattern, channel, (allowed, asked, concrete) => {
      const rule = rules({ channels: [allowed], allow: ["subscribe"] });
      if (!rule.may(user("u"), "subscribe", asked)) return;
      if (!patternMatches(asked, concrete)) return;
      assertEquals(rule.may(user("u"), "subscribe", concrete), true);
    }),
    { numRuns: 2000 },
  );
});

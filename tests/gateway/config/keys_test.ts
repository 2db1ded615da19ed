import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { ConfigError } from "../../../src/base/mod.ts";
import { type Key, parseDuration, toCamel } from "../../../src/config/mod.ts";
import { type GatewayConfig, resolveGatewayConfig } from "../../../src/gateway/config/mod.ts";
import { KEYS } from "../../../src/gateway/config/schema.ts";

/** The least that a gateway needs. */
const LEAST: GatewayConfig = { server: { requireAuth: false } };

for (const key of KEYS) {
  Deno.test(`${key.path} refuses a value of the wrong kind, under its own path`, () => {
    const error = assertThrows(
      () => resolveGatewayConfig(nest(key.path, () => {}) as GatewayConfig),
      ConfigError,
    );
    const path = toCamel(key.path.replaceAll("[]", "[0]"));
    const own = error.problems.filter((problem) => problem.path === path);
    assertEquals(own.length, 1, error.message);
    assertStringIncludes(own[0]!.message, key.type === "raw" ? "expected" : "found a function");
  });

  if (!("default" in key) || key.path.includes("[]")) continue;
  Deno.test(`${key.path} has its default, and takes the default when it is given`, () => {
    const expected = key.type === "duration" ? parseDuration(key.default) : key.default;
    const without = key.path === "server.require_auth"
      ? { server: { allowAnonymous: true } }
      : LEAST;
    assertEquals(resolvedAt(key, resolveGatewayConfig(without)), expected);
    if (key.path === "server.require_auth") return;
    const given = merge(merge(nest(key.path, key.default), LEAST), {
      admin: { authToken: "12345678" },
    });
    assertEquals(resolvedAt(key, resolveGatewayConfig(given as GatewayConfig)), expected);
  });
}

for (const key of KEYS) {
  const beyond = beyondLimits(key);
  for (const value of beyond) {
    Deno.test(`${key.path} refuses ${value}`, () => {
      const error = assertThrows(
        () => resolveGatewayConfig(merge(nest(key.path, value), LEAST) as GatewayConfig),
        ConfigError,
      );
      const path = toCamel(key.path.replaceAll("[]", "[0]"));
      assert(error.problems.some((problem) => problem.path === path), error.message);
    });
  }
}

Deno.test("no key is in the table twice", () => {
  assertEquals(new Set(KEYS.map(({ path }) => path)).size, KEYS.length);
});

function beyondLimits(key: Key): readonly unknown[] {
  if (key.type === "integer") return [key.min - 1, key.max + 1, key.min + 0.5];
  if (key.type === "duration") {
    return ["soon", "-1s", ...(key.positive ? [0] : []), ...(key.max ? ["10000h"] : [])];
  }
  if (key.type === "choice") return ["something else"];
  return [];
}

/** A configuration with one key. */
function nest(path: string, value: unknown): Record<string, unknown> {
  let inner = value;
  for (const name of toCamel(path).split(".").reverse()) {
    inner = name.endsWith("[]") ? { [name.slice(0, -2)]: [inner] } : { [name]: inner };
  }
  return inner as Record<string, unknown>;
}

function resolvedAt(key: Key, config: unknown): unknown {
  let inner = config as Record<string, unknown>;
  const names = (toCamel(key.path) + (key.type === "duration" ? "Ms" : "")).split(".");
  for (const name of names) inner = inner[name] as Record<string, unknown>;
  return inner;
}

function merge(one: unknown, other: unknown): unknown {
  if (typeof one !== "object" || typeof other !== "object" || Array.isArray(one)) return one;
  const merged: Record<string, unknown> = { ...other as object };
  for (const [name, value] of Object.entries(one as object)) {
    merged[name] = name in merged ? merge(value, merged[name]) : value;
  }
  return merged;
}

import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { Registry } from "../../../src/gateway/hub/registry.ts";
import { patternMatches } from "../../../src/gateway/pattern/mod.ts";
import type { Session } from "../../../src/gateway/session/mod.ts";

/** A registry only compares sessions. */
const session = (name: string) => ({ name }) as unknown as Session;

Deno.test("the first subscriber of a name is reported as first, later ones are not", () => {
  for (const name of ["room", "room.*"]) {
    const registry = new Registry();
    const [one, two] = [session("1"), session("2")];
    assertEquals(registry.add(name, one), true);
    assertEquals(registry.add(name, two), false);
    assertEquals(registry.add(name, one), false);
    assertEquals([registry.size, registry.subscribers(name).size], [2, 2]);
  }
});

Deno.test("removing an absent one, one of several, and the last", () => {
  for (const name of ["room", "room.*"]) {
    const registry = new Registry();
    const [one, two] = [session("1"), session("2")];
    assertEquals(registry.remove(name, one), { removed: false, empty: true });
    registry.add(name, one);
    registry.add(name, two);
    assertEquals(registry.remove(name, session("3")), { removed: false, empty: false });
    assertEquals(registry.remove(name, one), { removed: true, empty: false });
    assertEquals(registry.remove(name, two), { removed: true, empty: true });
    assertEquals(registry.size, 0);
  }
});

Deno.test("a hundred additions at once are all counted", async () => {
  const registry = new Registry();
  await Promise.all(Array.from({ length: 100 }, async (_, n) => {
    await Promise.resolve();
    registry.add("room", session(String(n)));
  }));
  assertEquals(registry.subscribers("room").size, 100);
  assertEquals(registry.receivers("room").size, 100);
});

const name = fc.array(fc.constantFrom("a", "b", "*"), { minLength: 1, maxLength: 3 })
  .map((segments) => segments.join("."));
const channel = fc.array(fc.constantFrom("a", "b"), { minLength: 1, maxLength: 3 })
  .map((segments) => segments.join("."));

Deno.test("receivers are exactly those with a name or pattern that matches, whatever came and went", () => {
  const sessions = Array.from({ length: 4 }, (_, n) => session(String(n)));
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.boolean(), name, fc.nat({ max: 3 })), { maxLength: 40 }),
      channel,
      (changes, to) => {
        const registry = new Registry();
        const model = sessions.map(() => new Set<string>());
        for (const [adds, of, index] of changes) {
          if (adds) {
            registry.add(of, sessions[index]!);
            model[index]!.add(of);
          } else {
            registry.remove(of, sessions[index]!);
            model[index]!.delete(of);
          }
        }
        const expected = sessions.filter((_, n) =>
          [...model[n]!].some((of) => patternMatches(of, to))
        );
        assertEquals(new Set(registry.receivers(to)), new Set(expected));
        assertEquals(registry.size, model.reduce((sum, names) => sum + names.size, 0));
      },
    ),
  );
});

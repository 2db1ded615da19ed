import { assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { Interests } from "../../../src/gateway/hub/interests.ts";
import { turn } from "../../helpers/fake_clock.ts";

/** A broker that answers when it is told to, and fails when it is told to. */
class SlowBroker {
  readonly active = new Set<string>();
  readonly asked: string[] = [];
  readonly waiting: (() => void)[] = [];
  fails = false;

  subscribe(name: string): Promise<void> {
    return this.#ask(`+${name}`, () => this.active.add(name));
  }

  unsubscribe(name: string): Promise<void> {
    return this.#ask(`-${name}`, () => this.active.delete(name));
  }

  async settle(): Promise<void> {
    for (;;) {
      await turn(2);
      if (this.waiting.length === 0) return;
      for (const go of this.waiting.splice(0)) go();
    }
  }

  #ask(what: string, effect: () => void): Promise<void> {
    this.asked.push(what);
    const fails = this.fails;
    return new Promise((resolve, reject) =>
      this.waiting.push(() => {
        if (fails) return reject(new Error("the broker is away"));
        effect();
        resolve();
      })
    );
  }
}

Deno.test("the broker is asked once for many, and they all wait for its answer", async () => {
  const broker = new SlowBroker();
  const interests = new Interests(broker, () => {});
  const both = [interests.acquire("a"), interests.acquire("a")];
  assertEquals(broker.asked, ["+a"]);
  await broker.settle();
  await Promise.all(both);
  assertEquals(interests.acquire("a"), undefined);
  assertEquals(broker.asked, ["+a"]);
});

Deno.test("what is wanted again before it was given up is kept", async () => {
  const broker = new SlowBroker();
  const interests = new Interests(broker, () => {});
  interests.acquire("a")?.catch(() => {});
  interests.release("a");
  const again = interests.acquire("a");
  await broker.settle();
  await again;
  assertEquals([...broker.active], ["a"]);
});

Deno.test("a failure is everyone's who waited, and the next one tries again", async () => {
  const broker = new SlowBroker();
  const interests = new Interests(broker, () => {});
  broker.fails = true;
  const first = interests.acquire("a")!;
  const refused = assertRejects(() => first, Error, "away");
  await broker.settle();
  await refused;
  interests.release("a");
  broker.fails = false;
  const second = interests.acquire("a");
  await broker.settle();
  await second;
  assertEquals([...broker.active], ["a"]);
  interests.release("a");
  await broker.settle();
  assertEquals([broker.active.size, interests.size], [0, 0]);
});

Deno.test("in whatever order names are wanted and given up, the broker ends with what is wanted", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.constantFrom("+", "-", "settle"), fc.constantFrom("a", "b")), {
        maxLength: 40,
      }),
      async (steps) => {
        const broker = new SlowBroker();
        const interests = new Interests(broker, () => {});
        const wanted = { a: 0, b: 0 };
        for (const [step, name] of steps) {
          if (step === "settle") await broker.settle();
          else if (step === "+") {
            wanted[name as "a"]++;
            interests.acquire(name)?.catch(() => {});
          } else if (wanted[name as "a"] > 0) {
            wanted[name as "a"]--;
            interests.release(name);
          }
        }
        await broker.settle();
        const expected = (["a", "b"] as const).filter((name) => wanted[name] > 0);
        assertEquals([...broker.active].sort(), expected);
        assertEquals(interests.size, expected.length);
      },
    ),
    { numRuns: 50 },
  );
});

import { assert, assertEquals, assertGreater } from "@std/assert";

interface Row {
  readonly kind: string;
  readonly what: string;
  readonly bestUs?: number;
  readonly value?: number;
}

const QUESTIONS = [
  "publish-periodic",
  "publish-always",
  "deliver-backlog",
  "deliver-durably",
  "bus-memory",
  "bus-sqlite",
  "bus-nats",
  "bus-redis",
  "bus-messenger",
  "federation",
  "memory",
  "messenger-pipes",
  "gateway-fan-out",
  "gateway-idle",
  "gateway-latency",
  "gateway-replay",
  "pipes",
  "pipes-fan-out",
  "gateway-patterns",
  "gateway-history",
];

Deno.test("every question can be answered, under the permissions that the task has", async () => {
  const { success, stdout, stderr } = await new Deno.Command("deno", {
    args: ["run", "-P=bench", "--no-prompt", "bench/run.ts", "--quick", "--json"],
  }).output();
  const decoder = new TextDecoder();
  assert(success, decoder.decode(stderr));
  const { machine, questions } = JSON.parse(decoder.decode(stdout));
  assertEquals(machine.deno, Deno.version.deno);
  assertEquals(questions.map(({ name }: { name: string }) => name), QUESTIONS);
  for (const { name, findings } of questions as { name: string; findings: Row[] }[]) {
    assertGreater(findings.length, 1, name);
    for (const { kind, what, bestUs, value } of findings) {
      assert(kind === "ratio" || kind === "figure", `${what} is ${kind}`);
      assert(Number.isFinite(kind === "ratio" ? bestUs : value), what);
      if (kind === "ratio") assertGreater(bestUs!, 0, what);
    }
  }
});

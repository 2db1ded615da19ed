import { assertEquals, assertStringIncludes } from "@std/assert";
import type { Machine } from "../../bench/lib/machine.ts";
import { type Finding, isGoodEnough, type Question } from "../../bench/lib/question.ts";
import { machineLine, markdown, toJson } from "../../bench/lib/report.ts";

const machine: Machine = {
  cpu: "abacus",
  cores: 2,
  os: "linux x86_64",
  deno: "2.9.6",
  fileSystem: "ext4",
};
const question: Question = { name: "speed", asks: "How fast?", run: () => Promise.resolve([]) };

const limit: Finding = { kind: "ratio", what: "limit", count: 1_000, bestUs: 1, medianUs: 2 };
function ratio(value: number, required?: number): Finding {
  return {
    kind: "ratio",
    what: "publish",
    count: 1_000,
    bestUs: 2,
    medianUs: 3,
    limit: "limit",
    ratio: value,
    medianRatio: value,
    ...(required === undefined ? {} : { required }),
  };
}

const verdicts: readonly [string, Finding, boolean | undefined][] = [
  ["a limit", limit, undefined],
  ["a ratio that only explains", ratio(0.1), undefined],
  ["a ratio that is reached exactly", ratio(0.5, 0.5), true],
  ["a ratio that is missed", ratio(0.49, 0.5), false],
  ["a figure below its bound", { kind: "figure", what: "", value: 1, unit: "s", atMost: 2 }, true],
  ["a figure over its bound", { kind: "figure", what: "", value: 3, unit: "s", atMost: 2 }, false],
  [
    "a figure under its bound",
    { kind: "figure", what: "", value: 3, unit: "", atLeast: 4 },
    false,
  ],
  ["a figure without a bound", { kind: "figure", what: "", value: 3, unit: "s" }, undefined],
  ["what was skipped", { kind: "skipped", what: "", reason: "" }, undefined],
];
for (const [what, finding, expected] of verdicts) {
  Deno.test(`${what} is judged ${expected}`, () => {
    assertEquals(isGoodEnough(finding), expected);
  });
}

Deno.test("the report has a table of ratios, one of figures, and what was skipped", () => {
  const text = markdown([{
    question,
    findings: [
      limit,
      ratio(0.49, 0.5),
      { kind: "figure", what: "opened in", value: 0.1, unit: "s", atMost: 0.2 },
      { kind: "skipped", what: "the peer", reason: "not there" },
    ],
  }]);
  const rows = text.split("\n");
  assertEquals(rows.filter((row) => row.startsWith("| ---")).length, 2);
  assertStringIncludes(rows.find((row) => row.includes("publish"))!, "500,000");
  assertStringIncludes(rows.find((row) => row.includes("publish"))!, ">= 0.5 | **below** |");
  assertStringIncludes(rows.find((row) => row.includes("opened in"))!, "<= 0.2 |  ok |");
  assertStringIncludes(text, "skipped: the peer: not there");
});

Deno.test("the JSON says the machine, the questions and the verdicts", () => {
  const value = JSON.parse(toJson(machine, [{ question, findings: [ratio(0.6, 0.5)] }]));
  assertEquals(value.machine.cpu, "abacus");
  assertEquals(value.questions[0].name, "speed");
  assertEquals(value.questions[0].findings[0].ok, true);
  assertStringIncludes(machineLine(machine), "abacus, 2 cores");
});

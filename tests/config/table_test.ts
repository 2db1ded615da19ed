import { assertEquals } from "@std/assert";
import {
  Findings,
  type Key,
  parseYaml,
  readSection,
  referenceOf,
  sectionsOf,
} from "../../src/config/mod.ts";

const KEYS: readonly Key[] = [
  { path: "path", type: "text", form: "text", default: "/ws", summary: "A path." },
  {
    path: "even",
    type: "text",
    form: "text",
    summary: "An even number of letters.",
    check: (text) => text.length % 2 === 0 ? undefined : `${text.length} letters are odd`,
  },
  {
    path: "wait",
    type: "duration",
    default: "1m",
    max: "1h",
    positive: true,
    summary: "A wait.",
  },
  { path: "origins", type: "texts", of: "origins", summary: "Where from." },
  {
    path: "headers",
    type: "map",
    of: "a header",
    summary: "Headers.",
    check: (name) => name === "host" ? "belongs to the connection" : undefined,
  },
  { path: "inner", type: "raw", takes: "anything", summary: "A configuration of its own." },
  { path: "a.addr", type: "text", form: "host:port", use: "listen", summary: "One address." },
  { path: "b.c.addr", type: "text", form: "host:port", use: "dial", summary: "The other." },
];

function read(text: string): { values: Record<string, unknown>; problems: string[] } {
  const findings = new Findings("snake");
  const root = sectionsOf(KEYS);
  const values = readSection(root, parseYaml("test.yaml", text, root), "", findings);
  return { values, problems: findings.problems.map(({ path, message }) => `${path}: ${message}`) };
}

Deno.test("what is left out has its default", () => {
  const { values, problems } = read("a: {}");
  assertEquals(problems, []);
  assertEquals(values.path, "/ws");
  assertEquals(values.even, "");
  assertEquals(values.waitMs, 60_000);
  assertEquals(values.origins, []);
  assertEquals(values.headers, Object.create(null));
  assertEquals(values.inner, undefined);
});

Deno.test("texts, maps and raw values are read as they are written", () => {
  const { values, problems } = read(
    "origins: [https://a.example, 007]\nheaders: {x-a: 1.30, x-b: [yes, no]}\ninner: {k: [1]}\n",
  );
  assertEquals(problems, []);
  assertEquals(values.origins, ["https://a.example", "007"]);
  const headers = values.headers as Record<string, readonly string[]>;
  assertEquals({ ...headers }, { "x-a": ["1.30"], "x-b": ["yes", "no"] });
  assertEquals(JSON.stringify(values.inner), '{"k":[1]}');
});

const WRONG: readonly (readonly [text: string, problem: string])[] = [
  ["even: odd", "even: 3 letters are odd"],
  ["wait: 2h", 'wait: "2h" is longer than 1h, the longest'],
  ["wait: 0s", 'wait: cannot be "0s": it needs some time'],
  ["origins: https://a.example", 'origins: expected a list of origins, found "https://a.example"'],
  ["origins: [{}]", "origins[0]: expected a text, found a group of keys"],
  ['origins: [""]', "origins[0]: is empty"],
  ["headers: [a]", "headers: expected a group of keys, found a list"],
  ["headers: {host: a}", "headers.host: belongs to the connection"],
  ["headers: {a: {}}", "headers.a: expected a text or a list of texts, found a group of keys"],
  ["b: {addr: ':1'}", "b.addr: unknown key; the nearest known one is b.c.addr"],
  ["addr: ':1'", "addr: unknown key; the nearest known one is a.addr"],
];

for (const [text, problem] of WRONG) {
  Deno.test(`\`${text}\` is refused`, () => assertEquals(read(text).problems, [problem]));
}

Deno.test("the reference has a line for every key, each as wide as the others", () => {
  const lines = referenceOf(KEYS).trimEnd().split("\n");
  assertEquals(lines.length, KEYS.length + 2);
  assertEquals(new Set(lines.map((line) => line.length)).size, 1);
});

import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { defineCommand, UsageError } from "../../src/cli/command.ts";
import { parseCommandLine } from "../../src/cli/parse.ts";

const command = defineCommand({
  options: {
    name: { type: "string", summary: "A name", valueName: "NAME", required: true },
    format: { type: "string", summary: "A format", choices: ["text", "json"], default: "text" },
    san: { type: "string", summary: "A host", repeatable: true },
    days: { type: "integer", summary: "Days", short: "d", default: 730, min: 1, max: 100 },
    count: { type: "integer", summary: "A count" },
    force: { type: "flag", short: "f", summary: "Force" },
  },
  args: {
    channel: { summary: "A channel", required: true },
    words: { summary: "Words", repeatable: true },
  },
  run: () => Promise.resolve(),
});

const defaults = {
  name: "n",
  format: "text",
  san: [],
  days: 730,
  count: undefined,
  force: false,
} as const;

const accepted: readonly [line: string, options: object, args?: object][] = [
  ["c --name n", {}],
  ["--name n c", {}],
  ["--name=n c", {}],
  ["c --name n --days 7", { days: 7 }],
  ["c --name n --days=100", { days: 100 }],
  ["c --name n -d 7", { days: 7 }],
  ["c --name n -f", { force: true }],
  ["c --name n --force", { force: true }],
  ["c --name n --san a --san b", { san: ["a", "b"] }],
  ["c --name n --format json", { format: "json" }],
  ["c --name n --count 0", { count: 0 }],
  ["c --name=-n", { name: "-n" }],
  ["c --name n a b", {}, { channel: "c", words: ["a", "b"] }],
  ["c --name n -- --force -x", {}, { channel: "c", words: ["--force", "-x"] }],
  ["007 --name 7 1e3", { name: "7" }, { channel: "007", words: ["1e3"] }],
  ["- --name n", {}, { channel: "-", words: [] }],
  ["c --name n --force true", { force: true }, { channel: "c", words: ["true"] }],
  ["c --name n -f false", { force: true }, { channel: "c", words: ["false"] }],
  ["c --name n --force d", { force: true }, { channel: "c", words: ["d"] }],
];
for (const [line, options, args = { channel: "c", words: [] }] of accepted) {
  Deno.test(`the command line "${line}" is read`, () => {
    const parsed = parseCommandLine(command, line.split(" "));
    assertEquals(
      parsed,
      {
        help: false,
        options: { ...defaults, ...options },
        args,
      } as unknown as typeof parsed,
    );
  });
}

const refused: readonly [line: string, message: string][] = [
  ["", "--name NAME and CHANNEL are missing"],
  ["--name n", "CHANNEL is missing"],
  ["c", "--name NAME is missing"],
  ["c --nane n", 'unknown option "--nane"; did you mean "--name"?'],
  ["c --nane=n", 'unknown option "--nane"; did you mean "--name"?'],
  ["c --name n --xyzzy", 'unknown option "--xyzzy"'],
  ["c --name n -x", 'unknown option "-x"'],
  ["c --name n -_", 'unknown option "-_"'],
  ["c --name n --_=x", 'unknown option "--_"'],
  ["c --name n --no-force", 'unknown option "--no-force"; did you mean "--force"?'],
  ["c --name n --constructor", 'unknown option "--constructor"'],
  ["c --name n --__proto__=1", 'unknown option "--__proto__"'],
  ["c --name n --name.x=1", 'unknown option "--name.x"'],
  ["c --name", '--name needs a value; one that begins with "-" is given as --name=NAME'],
  ["c --name --force", "--name needs a value"],
  ["c --name=", "--name needs a value"],
  ["c --name n --days", "--days needs a value"],
  ["c --name n --days x", '--days takes a whole number from 1 to 100, not "x"'],
  ["c --name n --days 0", '--days takes a whole number from 1 to 100, not "0"'],
  ["c --name n --days 101", '--days takes a whole number from 1 to 100, not "101"'],
  ["c --name n --days 1.5", '--days takes a whole number from 1 to 100, not "1.5"'],
  ["c --name n --days 1e1", '--days takes a whole number from 1 to 100, not "1e1"'],
  ["c --name n --days=-1", '--days takes a whole number from 1 to 100, not "-1"'],
  ["c --name n --count=-1", '--count takes a whole number of at least 0, not "-1"'],
  ["c --name n --days 1 --days 2", "--days is given 2 times"],
  ["c --name n --name m", "--name is given 2 times"],
  ["c --name n --format jsn", '--format takes one of text, json, not "jsn"; did you mean "json"?'],
  ["c --name n --force=no", "--force takes no value"],
  ["c --name n -f=no", "-f takes no value"],
  ["c --name n -f5", "--force takes no value"],
];
for (const [line, message] of refused) {
  Deno.test(`the command line "${line}" is refused: ${message}`, () => {
    const words = line.split(" ").filter((word) => word !== "");
    assertThrows(() => parseCommandLine(command, words), UsageError, message);
  });
}

Deno.test("more arguments than a command takes are refused", () => {
  const single = defineCommand({ args: { file: { summary: "A file" } }, run: async () => {} });
  assertThrows(
    () => parseCommandLine(single, ["a", "b"]),
    UsageError,
    'unexpected argument "b"',
  );
  assertEquals(parseCommandLine(single, []).args, { file: undefined } as Record<string, undefined>);
});

Deno.test("help is given whatever else the command line holds", () => {
  for (const line of ["--help", "-h", "c --days x --help", "--nonsense -h"]) {
    assertEquals(parseCommandLine(command, line.split(" ")).help, true, line);
  }
  const escaped = parseCommandLine(command, ["--name", "n", "--", "--help"]);
  assertEquals(escaped.help, false);
});

Deno.test("no command line does anything but be read or be refused as wrong usage", () => {
  const word = fc.oneof(
    fc.string({ maxLength: 10 }),
    fc.constantFrom(...[
      "--name",
      "--days",
      "-d",
      "-f",
      "--",
      "--san",
      "--name=x",
      "-dfx",
      "--=",
      "-=",
    ]),
    fc.string({ maxLength: 6 }).map((text) => `-${text}`),
    fc.string({ maxLength: 6 }).map((text) => `--${text}`),
  );
  fc.assert(fc.property(fc.array(word, { maxLength: 8 }), (words) => {
    try {
      const { help, options } = parseCommandLine(command, words);
      if (!help) assertEquals(typeof (options as { name?: unknown }).name, "string");
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
    }
    assertEquals(Object.hasOwn(Object.prototype, "polluted"), false);
  }));
});

Deno.test("a negative number as a word is refused with the way to give it", () => {
  const parse = (line: string) => parseCommandLine(runner, line.split(" "));
  assertThrows(() => parse("-5"), UsageError, 'comes after "--"');
  assertEquals(parse("-- -5").args.channel, "-5");
});

const runner = defineCommand({
  options: {
    id: { type: "string", summary: "An id" },
    quiet: { type: "flag", summary: "Quiet", short: "q" },
    exec: { type: "rest", summary: "A program", valueName: "CMD" },
  },
  args: { channel: { summary: "A channel", required: true } },
  run: () => Promise.resolve(),
});

for (
  const [line, exec] of [
    ["c --id a", []],
    ["c --exec ls", ["ls"]],
    ["c --id a --exec sh -c ls --id b -q --help", ["sh", "-c", "ls", "--id", "b", "-q", "--help"]],
    ["c --exec=sh -c ls", ["sh", "-c", "ls"]],
    ["c --exec -- ls --", ["ls", "--"]],
    ["c --exec --", undefined],
    ["--exec-not c --exec ls", undefined],
    ["c -- --exec", undefined],
    ["c --exec", undefined],
    ["c --exec=", undefined],
    ["--exec ls c", undefined],
  ] as const
) {
  const what = exec === undefined ? "is refused" : `leaves ${exec.length} words to --exec`;
  Deno.test(`the line "${line}" ${what}`, () => {
    const parse = () => parseCommandLine(runner, line.split(" "));
    if (exec === undefined) return void assertThrows(parse, UsageError);
    const { args, help, options } = parse();
    assertEquals([args.channel, help, options.exec], ["c", false, [...exec]]);
  });
}

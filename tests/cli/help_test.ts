import { assertEquals, assertStringIncludes } from "@std/assert";
import { defineCommand, defineGroup } from "../../src/cli/command.ts";
import { entriesOf, memoryIo, runTool } from "./helpers.ts";

const paint = defineCommand({
  description:
    "Paints a wall.\n\nIt takes a while, and how long depends on the wall, the paint, the " +
    "weather and the person who paints.",
  options: {
    color: {
      type: "string",
      summary: "Which colour",
      short: "c",
      choices: ["red", "blue"],
      default: "red",
    },
    coats: { type: "integer", summary: "How many coats", valueName: "COATS", default: 2 },
    wall: { type: "string", summary: "Which wall", valueName: "WALL", required: true },
    "mask-every-single-window": { type: "string", summary: "What to mask", repeatable: true },
    fast: { type: "flag", summary: "Hurry" },
  },
  args: {
    brush: { summary: "A brush", required: true },
    helperNames: { summary: "Who helps", repeatable: true },
  },
  examples: [{ summary: "A red wall", args: "house paint --wall north brush" }],
  run: () => Promise.resolve(),
});
const house = defineGroup({ description: "All about houses.", commands: entriesOf({ paint }) });

Deno.test("help of a command shows usage, description, arguments, options and examples", async () => {
  const { code, stdout, stderr } = await runTool({ house }, ["house", "paint", "--help"]);
  assertEquals([code, stderr], [0, ""]);
  assertEquals(
    stdout,
    `tool house paint: Do paint

Usage: tool house paint --wall WALL [OPTIONS] BRUSH [HELPER_NAMES...]

Paints a wall.

It takes a while, and how long depends on the wall, the paint, the weather and
the person who paints.

Arguments:
  BRUSH         A brush
  HELPER_NAMES  Who helps

Options:
  -c, --color VALUE  Which colour (one of red, blue; default: red)
      --coats COATS  How many coats (default: 2)
      --wall WALL    Which wall (required)
      --mask-every-single-window VALUE
                     What to mask (repeatable)
      --fast         Hurry
  -h, --help         Show this help

Examples:
  # A red wall
  tool house paint --wall north brush
`,
  );
});

Deno.test("help is there on every level and in every way of asking", async () => {
  for (
    const [words, expected] of [
      [["--help"], "tool: A tool"],
      [["-h"], "tool: A tool"],
      [["help"], "tool: A tool"],
      [["house", "--help"], "tool house: Do house"],
      [["help", "house"], "tool house: Do house"],
      [["house", "paint", "-h"], "tool house paint: Do paint"],
      [["help", "house", "paint"], "tool house paint: Do paint"],
      [["house", "paint", "--bogus", "--help"], "tool house paint: Do paint"],
    ] as const
  ) {
    const { code, stdout } = await runTool({ house }, words);
    assertEquals([code, stdout.split("\n")[0]], [0, expected], words.join(" "));
  }
});

Deno.test("help fits the terminal, and is bold only there", async () => {
  const words = ["house", "paint", "--help"];
  const terminal = await runTool({ house }, words, memoryIo({ terminal: true, columns: 50 }));
  assertStringIncludes(terminal.stdout, "\x1b[1mOptions:\x1b[22m\n");
  // deno-lint-ignore no-control-regex
  const lines = terminal.stdout.replaceAll(/\x1b\[\d+m/g, "").split("\n");
  const folded = lines.filter((line) => !line.includes("tool house paint"));
  assertEquals(folded.filter((line) => line.length > 50), []);
  const piped = await runTool({ house }, words, memoryIo({ columns: 50 }));
  assertEquals(piped.stdout.includes("\x1b"), false);
  assertEquals(piped.stdout, lines.join("\n"));
});

Deno.test("a group without a command shows its help as an error", async () => {
  const { code, stdout, stderr } = await runTool({ house }, ["house"]);
  assertEquals([code, stdout], [2, ""]);
  assertStringIncludes(stderr, "Commands:\n  paint  Do paint\n");
});

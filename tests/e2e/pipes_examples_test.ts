import { assert, assertEquals, assertNotEquals, assertStringIncludes } from "@std/assert";
import { resolve } from "node:path";
import { RunningProgram } from "./running_program.ts";

const REPOSITORY = resolve(import.meta.dirname!, "../..");
const EXAMPLES = `${REPOSITORY}/examples`;

const WORDS = [
  'client send "Hello"',
  'Trace0 handle "Hello"',
  'Trace1 handle "HELLO"',
  'server handle "HELLO"',
  'server send "HELLO World"',
  'Trace1 send "HELLO World"',
  'Trace0 send "HELLO World"',
  'client handle "HELLO World"',
];

Deno.test("the word's way is printed in the order of its steps", async () => {
  assertEquals(await linesOf("words.ts"), WORDS);
});

Deno.test("the page on pipes shows what the example of words prints, and draws it", async () => {
  const page = await Deno.readTextFile(`${REPOSITORY}/docs/pipes.md`);
  const lines = await linesOf("words.ts");
  assertStringIncludes(page, `\`\`\`text\n${lines.join("\n")}\n\`\`\`\n`);
  assertStringIncludes(page, `\`\`\`mermaid\n${drawingOf(lines)}\`\`\`\n`);
});

Deno.test("the page on pipes shows the drawing that the recorder makes of the same way", async () => {
  const page = await Deno.readTextFile(`${REPOSITORY}/docs/pipes.md`);
  const lines = await linesOf("sequence.ts");
  assertStringIncludes(page, `\`\`\`mermaid\n${lines.join("\n")}\n\`\`\`\n`);
  const arrows = lines.filter((line) => line.includes("->>"));
  // The same steps as words.ts prints; what is sent from the server arrives at the client.
  assertEquals(arrows.map((line) => line.split(": ")[1]), [
    'handle "Hello"',
    'handle "HELLO"',
    'handle "HELLO"',
    'send "HELLO World"',
    'send "HELLO World"',
    'handle "HELLO World"',
  ]);
});

Deno.test("topics reach those that asked for them, in order", async () => {
  assertEquals(await linesOf("topics.ts"), [
    "kitchen (house.kitchen.*): house.kitchen.oven is 180 °C",
    "kitchen (house.kitchen.*): house.kitchen.window is 19.5 °C",
    "office (house.>): house.kitchen.oven is 180 °C",
    "office (house.>): house.attic is 31 °C",
    "office (house.>): house.kitchen.window is 19.5 °C",
  ]);
});

Deno.test("the examples of pipes need each of the permissions in their comments", async () => {
  for (const name of ["words.ts", "topics.ts", "sequence.ts"]) {
    const command = await commandOf(name);
    const flags = command.filter((word) => word.startsWith("--allow-"));
    assertEquals(flags.length, 2);
    for (const flag of flags) {
      await using program = start(command.filter((word) => word !== flag));
      assertNotEquals((await program.ended).code, 0, `${name} without ${flag}`);
    }
  }
});

/** Runs an example with the command in its comment. @returns What it prints. */
async function linesOf(name: string): Promise<readonly string[]> {
  await using program = start(await commandOf(name));
  assertEquals((await program.ended).code, 0, program.output);
  return program.lines;
}

async function commandOf(name: string): Promise<readonly string[]> {
  const source = await Deno.readTextFile(`${EXAMPLES}/${name}`);
  const [, words] = /^ \* deno run (.*)$/m.exec(source)!;
  assert(words!.endsWith(` ${name}`));
  return words!.split(" ");
}

function start(words: readonly string[]): RunningProgram {
  return new RunningProgram(["run", "--no-prompt", "--quiet", ...words], { cwd: EXAMPLES });
}

/** Everyone that a word passes, from the client to the handler. */
const ROUTE = ["client", "Trace0", "Upper", "Trace1", "server"];

/** The steps as arrows from each that the word passes to the next, also through those that print nothing. */
function drawingOf(lines: readonly string[]): string {
  const steps = lines.map((line) => {
    const [, who, word] = /^(\w+) (?:send|handle) (".*")$/.exec(line)!;
    return { at: ROUTE.indexOf(who!), word: word! };
  });
  const arrows: string[] = [];
  for (const [index, { at, word }] of steps.slice(1).entries()) {
    const from = steps[index]!;
    const step = Math.sign(at - from.at);
    for (let here = from.at; here !== at; here += step) {
      const next = here + step;
      const shown = next === at ? word : from.word;
      arrows.push(`${ROUTE[here]}->>${ROUTE[next]}: ${step > 0 ? "handle" : "send"} ${shown}`);
    }
  }
  const participants = ROUTE.map((who) => `participant ${who}`);
  return ["sequenceDiagram", ...[...participants, ...arrows].map((line) => `  ${line}`), ""]
    .join("\n");
}

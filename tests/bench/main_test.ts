import { assertEquals, assertStringIncludes } from "@std/assert";
import { askAll } from "../../bench/lib/main.ts";
import type { Question, Scale } from "../../bench/lib/question.ts";
import { inOneLine } from "../../bench/peers/build.ts";

function question(name: string, value: number, scales: Scale[] = []): Question {
  return {
    name,
    asks: `What about ${name}?`,
    run(scale) {
      scales.push(scale);
      return Promise.resolve([{ kind: "figure", what: name, value, unit: "s", atMost: 1 }]);
    },
  };
}

async function ask(args: string[], questions: Question[]): Promise<{ code: number; text: string }> {
  const lines: string[] = [];
  const code = await askAll(args, questions, (line) => lines.push(line));
  return { code, text: lines.join("\n") };
}

Deno.test("what is below its requirement fails the run only with --check", async () => {
  const questions = [question("good", 1), question("bad", 2)];
  assertEquals((await ask([], questions)).code, 0);
  assertEquals((await ask(["--check"], questions)).code, 1);
  assertEquals((await ask(["--check", "--only", "good"], questions)).code, 0);
});

Deno.test("--only asks the named questions alone, in their order", async () => {
  const questions = [question("a", 1), question("b", 1), question("c", 1)];
  const { text } = await ask(["--json", "--only", "c", "--only", "a"], questions);
  assertEquals(JSON.parse(text).questions.map(({ name }: Question) => name), ["a", "c"]);
});

Deno.test("--quick and --rounds set the scale", async () => {
  const scales: Scale[] = [];
  const questions = [question("a", 1, scales)];
  await ask([], questions);
  await ask(["--quick"], questions);
  await ask(["--quick", "--rounds", "7"], questions);
  assertEquals(scales.map(({ quick }) => quick), [false, true, true]);
  assertEquals(scales[0]!.rounds > scales[1]!.rounds, true);
  assertEquals(scales[2]!.rounds, 7);
});

for (
  const [args, complaint] of [
    [["--fast"], "unknown argument --fast"],
    [["publish"], "unknown argument publish"],
    [["--only", "nothing"], "no question nothing"],
    [["--rounds", "0"], "--rounds takes a whole number"],
    [["--rounds", "some"], "--rounds takes a whole number"],
  ] as const
) {
  Deno.test(`a wrong command line is refused: ${args.join(" ")}`, async () => {
    const { code, text } = await ask([...args], [question("a", 1)]);
    assertEquals(code, 2);
    assertStringIncludes(text, complaint);
    assertStringIncludes(text, "What about a?");
  });
}

Deno.test("a module that cannot be had is said in one line", () => {
  const complaint =
    "go: downloading example.com/m v1.0.0\ngo: bench imports\n\texample.com/m: example.com/m@v1.0.0: " +
    "reading https://proxy.example/m.zip: 403 Forbidden\n\tserver response: not available\n";
  assertEquals(inOneLine(complaint), "example.com/m@v1.0.0: server response: not available");
  assertEquals(inOneLine("go is not on the PATH"), "go is not on the PATH");
});

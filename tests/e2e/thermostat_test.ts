import { assertEquals, assertMatch } from "@std/assert";
import { resolve } from "node:path";
import { RunningProgram } from "./running_program.ts";

const REPOSITORY = resolve(import.meta.dirname!, "../..");

Deno.test("the thermostat makes its room as warm as the panel asks, and leaves nothing behind", async () => {
  const folders = foldersLeft();
  await using program = new RunningProgram(["run", "-A", "examples/thermostat/main.ts"], {
    cwd: REPOSITORY,
  });
  const { code } = await program.ended;
  assertEquals(code, 0, program.output);
  const { lines } = program;
  assertEquals(lines[0], "house | aiming at 18 °C");
  const set = lines.indexOf("panel | the target is 21 °C, it was 18 °C");
  assertMatch(
    lines.slice(0, set).join("\n"),
    /aim 18 °C: heating on\n(.|\n)*aim 18 °C: heating off/,
  );
  assertMatch(lines.slice(set).join("\n"), /21\.\d °C, aim 21 °C: heating off/);
  assertEquals(lines.at(-1), "the room is as warm as the panel asked for");
  assertEquals(foldersLeft(), folders);
});

function foldersLeft(): number {
  const parent = Deno.env.get("TMPDIR") ?? "/tmp";
  return [...Deno.readDirSync(parent)].filter(({ name }) => name.startsWith("keyop-thermostat-"))
    .length;
}

import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { resolve } from "node:path";
import { tempDir } from "../helpers/temp.ts";
import { processesNaming, RunningProgram } from "./running_program.ts";

const REPOSITORY = resolve(import.meta.dirname!, "../..");

Deno.test("deno task demo kills and restarts, loses nothing and leaves nothing behind", async () => {
  await using dir = await tempDir();
  await using demo = runDemo(dir.path);
  const { code } = await demo.ended;

  const last = demo.lines.at(-1) ?? "";
  assertMatch(last, /^published \d+, received \d+, repeated \d+, lost 0$/, demo.output);
  assertEquals(code, 0, demo.output);
  const [published, received] = Array.from(last.matchAll(/\d+/g), Number);
  assert(published! >= 200, last);
  assertEquals(received, published);
  for (const name of ["client two", "hub"]) {
    const killed = demo.lines.findIndex((line) => line.includes(`${name} is killed (SIGKILL)`));
    const again = demo.lines.findIndex((line) =>
      line.includes(`${name} is up`) && / again/.test(line)
    );
    assert(killed > 0 && again > killed, demo.output);
    assert(publishedIn(demo.lines[again]!) > publishedIn(demo.lines[killed]!), demo.output);
  }
  await assertNothingLeft(dir.path);
});

Deno.test({
  name: "Ctrl-C in the middle of the demo stops everything and removes its folder",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using dir = await tempDir();
    await using demo = runDemo(dir.path);
    await demo.line(/client two is killed/);
    assertNotEquals(await processesNaming(dir.path), []);
    demo.signal("SIGINT");
    const { code } = await demo.ended;
    assertEquals(code, 130, demo.output);
    assertMatch(demo.errors.at(-1) ?? "", /ended by SIGINT/);
    await assertNothingLeft(dir.path);
  },
});

Deno.test({
  name: "the demo fails, shows the logs and cleans up when one of its programs dies",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using dir = await tempDir();
    await using demo = runDemo(dir.path);
    const up = await demo.line(/client one is up/);
    await demo.line(/#10 /);
    Deno.kill(Number(/process (\d+)/.exec(up)![1]), "SIGKILL");
    const { code } = await demo.ended;
    assertEquals(code, 1, demo.output);
    assertMatch(demo.errors.at(-1) ?? "", /client one ended by SIGKILL/);
    assertMatch(demo.output, /end of the log of hub\n.*hub listens/);
    await assertNothingLeft(dir.path);
  },
});

function runDemo(tempPath: string): RunningProgram {
  return new RunningProgram(["task", "demo"], {
    cwd: REPOSITORY,
    env: { TMPDIR: tempPath, TEMP: tempPath, TMP: tempPath },
  });
}

function publishedIn(line: string): number {
  return Number(/(\d+) published/.exec(line)?.[1]);
}

async function assertNothingLeft(path: string): Promise<void> {
  assertEquals(await Array.fromAsync(Deno.readDir(path)), []);
  assertEquals(await processesNaming(path), []);
}

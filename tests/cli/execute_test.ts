import { assertEquals, assertMatch } from "@std/assert";
import { ConfigError } from "../../src/base/mod.ts";
import { defineCommand, defineGroup, UsageError } from "../../src/cli/command.ts";
import { OutputClosedError } from "../../src/cli/io.ts";
import { printJson, printJsonLine } from "../../src/cli/json.ts";
import { InterruptedError } from "../../src/cli/signals.ts";
import { entriesOf, memoryIo, runTool } from "./helpers.ts";

const nothing = () => Promise.resolve();
const tool = { paint: defineCommand({ run: nothing }), print: defineCommand({ run: nothing }) };

/** Runs a command that does nothing but what is given. */
function runOne(run: () => Promise<number | void>, io = memoryIo()) {
  return runTool({ go: defineCommand({ run }) }, ["go"], io);
}

Deno.test("a command runs with its options, its arguments and its surroundings", async () => {
  const greet = defineCommand({
    options: { times: { type: "integer", summary: "How often", default: 1 } },
    args: { name: { summary: "Whom", required: true } },
    async run({ options, args, stdin, stdout, stderr, env }) {
      const typed = await new Response(stdin()).text();
      await stdout.write(`${args.name} ${options.times + 1} ${typed} ${env("HOME")}\n`);
      await stderr.write("done\n");
    },
  });
  const io = memoryIo({ stdin: "typed", env: { HOME: "/home" } });
  assertEquals(await runTool({ greet }, ["greet", "--times", "2", "Ada"], io), {
    code: 0,
    stdout: "Ada 3 typed /home\n",
    stderr: "done\n",
  });
});

Deno.test("a command's own exit code is the program's", async () => {
  assertEquals((await runOne(() => Promise.resolve(7))).code, 7);
});

Deno.test("an unknown command names itself and the nearest known one", async () => {
  assertEquals(await runTool(tool, ["pant"]), {
    code: 2,
    stdout: "",
    stderr: 'tool: unknown command "pant"; did you mean "paint"? (see "tool --help")\n',
  });
  const { stderr } = await runTool(tool, ["xylophone"]);
  assertEquals(stderr, 'tool: unknown command "xylophone" (see "tool --help")\n');
});

Deno.test("an error below a group points to the help there", async () => {
  const house = defineGroup({ commands: entriesOf(tool) });
  const { stderr } = await runTool({ house }, ["house", "paint", "--x"]);
  assertEquals(stderr, 'tool: unknown option "--x" (see "tool house paint --help")\n');
  const unknown = await runTool({ house }, ["house", "--x"]);
  assertEquals(
    unknown.stderr,
    'tool: unknown option "--x"; a command comes first (see "tool house --help")\n',
  );
});

Deno.test("a failure is one line without a stack and exit code 1", async () => {
  for (
    const [error, line] of [
      [new Error("disk is full"), "disk is full"],
      [new Error("first\n   second\n\nthird"), "first; second; third"],
      [
        new ConfigError("a.yaml", [{ path: "name", message: "is empty" }, {
          path: "",
          message: "x",
        }]),
        "a.yaml has 2 problems:\n  name: is empty\n  x",
      ],
      [new Error("\x1b[2Jboo"), "\\u001b[2Jboo"],
      [new Error(""), "Error"],
      ["a text", "a text"],
    ] as const
  ) {
    const { code, stderr } = await runOne(() => Promise.reject(error));
    assertEquals([code, stderr], [1, `tool: ${line}\n`]);
  }
});

Deno.test("a command can refuse its usage", async () => {
  const { code, stderr } = await runOne(() => Promise.reject(new UsageError("not both")));
  assertEquals([code, stderr], [2, 'tool: not both (see "tool go --help")\n']);
});

Deno.test("an error is red on a terminal only", async () => {
  const fail = () => Promise.reject(new Error("no"));
  const { stderr } = await runOne(fail, memoryIo({ terminal: true }));
  assertEquals(stderr, "\x1b[31mtool:\x1b[39m no\n");
});

Deno.test("a command whose reader is gone ends quietly", async () => {
  assertEquals(await runOne(() => Promise.reject(new OutputClosedError())), {
    code: 0,
    stdout: "",
    stderr: "",
  });
});

/** Runs a command, interrupts it once it runs, and lets it go on from there. */
async function interrupt(signal: Deno.Signal, goOn: () => void): Promise<[number, string]> {
  const stop = new AbortController();
  const started = Promise.withResolvers<void>();
  const running = runOne(async () => {
    started.resolve();
    await new Promise((resolve) => stop.signal.addEventListener("abort", resolve));
    goOn();
    stop.signal.throwIfAborted();
  }, memoryIo({ signal: stop.signal }));
  await started.promise;
  stop.abort(new InterruptedError(signal));
  const { code, stderr } = await running;
  return [code, stderr];
}

Deno.test("an interrupted command ends quietly with the signal's exit code", async () => {
  assertEquals(await interrupt("SIGINT", () => {}), [130, ""]);
  assertEquals(await interrupt("SIGTERM", () => {}), [143, ""]);
  const abort = () => {
    throw new DOMException("stopped", "AbortError");
  };
  assertEquals(await interrupt("SIGINT", abort), [130, ""]);
});

Deno.test("an interrupted command that fails otherwise says so", async () => {
  const fail = () => {
    throw new Error("cannot save");
  };
  assertEquals(await interrupt("SIGINT", fail), [1, "tool: cannot save\n"]);
});

Deno.test("an interrupted command that finishes its work is done", async () => {
  const stop = new AbortController();
  const { code } = await runOne(() => {
    stop.abort(new InterruptedError("SIGTERM"));
    return Promise.resolve();
  }, memoryIo({ signal: stop.signal }));
  assertEquals(code, 0);
});

Deno.test("a command that is interrupted before it begins does not begin", async () => {
  let ran = false;
  const io = memoryIo({ signal: AbortSignal.abort(new InterruptedError("SIGINT")) });
  const { code } = await runOne(() => {
    ran = true;
    return Promise.resolve();
  }, io);
  assertEquals([code, ran], [130, false]);
});

Deno.test("only the command that is called is loaded", async () => {
  const loaded: string[] = [];
  const entry = (name: string) => ({
    name,
    summary: name,
    load() {
      loaded.push(name);
      return Promise.resolve(tool.paint);
    },
  });
  const group = defineGroup({ commands: [entry("a"), entry("b")] });
  await runTool({ group }, ["group", "--help"]);
  assertEquals(loaded, []);
  await runTool({ group }, ["group", "b"]);
  assertEquals(loaded, ["b"]);
});

Deno.test("JSON is printed over several lines, or on one for endless output", async () => {
  const { stdout } = await runTool({
    go: defineCommand({
      async run(context) {
        await printJson(context, { lag_bytes: 1 });
        await printJsonLine(context, { lag_bytes: 2 });
      },
    }),
  }, ["go"]);
  assertMatch(stdout, /^\{\n {2}"lag_bytes": 1\n\}\n\{"lag_bytes":2\}\n$/);
});

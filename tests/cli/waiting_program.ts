// A program on the command-line frame that the tests of signals and pipes run as a process.
import { defineCommand, defineGroup } from "../../src/cli/command.ts";
import { execute } from "../../src/cli/execute.ts";
import { systemIo } from "../../src/cli/io.ts";
import { watchInterrupts } from "../../src/cli/signals.ts";
import { entriesOf } from "./helpers.ts";

const commands = {
  /** Ends when it is asked to. */
  polite: defineCommand({
    async run({ stdout, signal }) {
      const alive = setInterval(() => {}, 1_000);
      const asked = new Promise((resolve) => signal.addEventListener("abort", resolve));
      await stdout.write("ready\n");
      await asked;
      clearInterval(alive);
      signal.throwIfAborted();
    },
  }),
  /** Says that it was asked to end, and goes on. */
  stubborn: defineCommand({
    async run({ stdout, signal }) {
      setInterval(() => {}, 1_000);
      signal.addEventListener("abort", () => stdout.write("asked\n"));
      await stdout.write("ready\n");
      await new Promise(() => {});
    },
  }),
  /** Writes without an end. */
  endless: defineCommand({
    async run({ stdout }) {
      for (let i = 0;; i++) await stdout.write(`line ${i}\n`);
    },
  }),
};

const program = {
  name: "waiting",
  summary: "Wait",
  root: defineGroup({ commands: entriesOf(commands) }),
};
using interrupts = watchInterrupts();
Deno.exit(await execute(program, Deno.args, { ...systemIo(), signal: interrupts.signal }));

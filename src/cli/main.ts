import { defineGroup } from "./command.ts";
import { execute, type Program } from "./execute.ts";
import { type Io, systemIo } from "./io.ts";
import { watchInterrupts } from "./signals.ts";

/** The command line, whose commands load when they are called. */
const PROGRAM: Program = {
  name: "keyop-messenger",
  summary: "A message bus that lives inside the programs that use it",
  root: defineGroup({
    commands: [
      {
        name: "keygen",
        summary: "Make certificates for federation",
        load: async () => (await import("./keygen.ts")).keygen,
      },
      {
        name: "run",
        summary: "Run an instance until it is signalled",
        load: async () => (await import("./run.ts")).run,
      },
      {
        name: "gateway",
        summary: "Run a gateway for browsers until it is signalled",
        load: async () => (await import("./gateway.ts")).gateway,
      },
      {
        name: "publish",
        summary: "Publish messages",
        load: async () => (await import("./publish.ts")).publish,
      },
      {
        name: "subscribe",
        summary: "Follow a channel durably",
        load: async () => (await import("./subscribe.ts")).subscribe,
      },
      {
        name: "tail",
        summary: "Look at a channel's messages",
        load: async () => (await import("./tail.ts")).tail,
      },
      {
        name: "status",
        summary: "Show channels, cursors and what waits for whom",
        load: async () => (await import("./status.ts")).status,
      },
      {
        name: "dlq",
        summary: "Look at dead letters, publish them again, delete them",
        load: async () => (await import("./dlq.ts")).dlq,
      },
      {
        name: "verify",
        summary: "Read every byte of a data directory and tell what is damaged",
        load: async () => (await import("./verify.ts")).verify,
      },
      {
        name: "bus",
        summary: "Publish, stream, request and serve on a bus",
        load: async () => (await import("./bus.ts")).bus,
      },
      {
        name: "version",
        summary: "Print the version",
        load: async () => (await import("./version.ts")).version,
      },
    ],
    examples: [
      { summary: "A CA, once, and a certificate for each instance", args: "keygen ca" },
      {
        summary: "A certificate for the instance called kitchen",
        args: "keygen instance --ca ca.crt --ca-key ca.key --name kitchen",
      },
    ],
  }),
};

/**
 * Runs the command line. Ctrl-C and SIGTERM let the command finish early; a second one ends the
 * process at once with exit code 130.
 *
 * @param args The words after the program's name.
 * @param io Replacements for the process's surroundings; with a `signal` among them, the process's
 * own signals are left alone.
 * @returns The exit code: 0 done, 1 failed, 2 wrong usage.
 */
export async function main(args: readonly string[], io: Partial<Io> = {}): Promise<number> {
  const words = args[0] === "--version" || args[0] === "-V" ? ["version", ...args.slice(1)] : args;
  using interrupts = io.signal === undefined
    ? watchInterrupts()
    : { signal: io.signal, [Symbol.dispose]() {} };
  return await execute(PROGRAM, words, { ...systemIo(), ...io, signal: interrupts.signal });
}

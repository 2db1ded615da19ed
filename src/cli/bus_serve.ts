import type { BusContext } from "../bus/mod.ts";
import { BUS_PERMISSIONS, busOptions, checkSubjectArgument, openBusOf } from "./bus_options.ts";
import { type Command, defineCommand, UsageError } from "./command.ts";
import { CannotRunError } from "./exec.ts";
import { untilInterrupted } from "./instance.ts";
import { RequestProgram } from "./request_program.ts";

const options = {
  lines: { type: "flag", summary: "Answer with each line that the program prints as one reply" },
  concurrency: {
    type: "integer",
    summary: "Programs that run at the same time; further requests wait",
    min: 1,
    max: 1_024,
    default: 4,
  },
  count: { type: "integer", summary: "End after so many requests", min: 1 },
  ...busOptions,
  exec: {
    type: "rest",
    summary: "The program that answers; the rest of the line is its command line",
    valueName: "CMD",
  },
} as const;

const args = { subject: { summary: "The subject", required: true } } as const;

/** `bus serve`: a program that runs for each request. */
export const busServe: Command = defineCommand({
  description:
    "Answers each request with what a program prints. The program gets the request on its standard " +
    "input, and KEYOP_SUBJECT, KEYOP_CORRELATION_ID and KEYOP_SERVICE in its environment. An exit " +
    "code other than 0 means that it failed: the caller gets an error with the last line of its " +
    "standard error. It is asked to end when nobody waits for the answer any more." +
    "\n\nSeveral servers of one subject share its requests. Ctrl-C or SIGTERM ends it once the " +
    "programs that run have ended, after five seconds at most." +
    `\n\n${BUS_PERMISSIONS} The program needs --allow-run.`,
  options,
  args,
  examples: [
    {
      summary: "Answer in capitals",
      args: "bus serve shout --url sqlite:./bus.db --exec tr a-z A-Z",
    },
    {
      summary: "A reply for each line",
      args: "bus serve disks --lines --url nats://127.0.0.1:4222 --exec df -h",
    },
  ],
  async run(context) {
    const { args: { subject }, options, signal, stdout } = context;
    checkSubjectArgument(subject);
    if (options.exec.length === 0) {
      throw new UsageError("no program is given: --exec CMD comes last");
    }
    await using bus = await openBusOf(context, options);
    const program = new RequestProgram(options.exec, bus.stats().maxPayloadBytes);
    const end = Promise.withResolvers<void>();
    end.promise.catch(() => {});
    let count = 0;
    const over = (error?: unknown) => {
      // That nothing can answer is the command's end, not the request's fate alone.
      if (error instanceof CannotRunError) end.reject(error);
      if (++count === options.count) end.resolve();
    };
    const answer = async (data: Uint8Array, handling: BusContext) => {
      try {
        const printed = await program.answer(data, handling);
        over();
        return printed;
      } catch (error) {
        over(error);
        throw error;
      }
    };
    const answerLines = async function* (data: Uint8Array, handling: BusContext) {
      let failure: unknown;
      try {
        yield* program.answerLines(data, handling);
      } catch (error) {
        failure = error;
        throw error;
      } finally {
        over(failure);
      }
    };
    const { concurrency } = options;
    const server = await bus.serve(subject, options.lines ? answerLines : answer, { concurrency });
    await stdout.write(`serving ${subject}\n`);
    const done = new AbortController();
    const interrupted = untilInterrupted({
      ...context,
      signal: AbortSignal.any([signal, done.signal]),
    });
    try {
      await Promise.race([end.promise, server.closed, interrupted]);
    } finally {
      done.abort();
      await server.close();
    }
    if (options.count !== undefined && count < options.count) signal.throwIfAborted();
  },
});

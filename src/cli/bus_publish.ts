import { messageOf } from "../base/mod.ts";
import type { Bus, BusHeaders } from "../bus/mod.ts";
import { givenData } from "./bus_data.ts";
import {
  BUS_PERMISSIONS,
  busOptions,
  checkSubjectArgument,
  headersOf,
  openBusOf,
  sendOptions,
} from "./bus_options.ts";
import { type Command, type CommandContext, defineCommand, UsageError } from "./command.ts";
import { readLines } from "./lines.ts";

const MAX_LINE_BYTES = 16 * 1024 * 1024;
const TOGETHER = 256;

const options = {
  file: { type: "string", short: "f", summary: "Take the data from a file", valueName: "FILE" },
  ...sendOptions,
  ...busOptions,
} as const;

const args = {
  subject: { summary: "The subject", required: true },
  data: { summary: 'What to publish; "-" for one message a line on standard input' },
} as const;

type Context = CommandContext<typeof options, typeof args>;

/** `bus publish`: messages from the command line, a file or standard input. */
export const busPublish: Command = defineCommand({
  description:
    "Publishes one message to whoever streams the subject now; from standard input one message a " +
    "line, and prints how many they were. It succeeds where nobody listens." +
    `\n\n${BUS_PERMISSIONS}`,
  options,
  args,
  examples: [
    { summary: "One message", args: "bus publish readings 21.5 --url sqlite:./bus.db" },
    { summary: "Every line", args: "bus publish log - --url nats://127.0.0.1:4222 < log.txt" },
  ],
  async run(context) {
    const { args: { subject, data }, options } = context;
    checkSubjectArgument(subject);
    const headers = headersOf(options);
    if (data !== undefined && options.file !== undefined) {
      throw new UsageError("the data is given twice: as an argument and with --file");
    }
    if (data === undefined && options.file === undefined) {
      throw new UsageError('no data is given: give DATA, --file FILE, or "-" for lines');
    }
    if (data === "-") return await publishLines(context, headers);
    const sent = options.file === undefined
      ? givenData(data!, options.base64)
      : await readData(options.file, options.base64);
    await using bus = await openBusOf(context, options);
    await bus.publish(subject, sent, { headers, signal: context.signal });
  },
});

async function publishLines(context: Context, headers: BusHeaders): Promise<void> {
  const { signal, stdout } = context;
  await using bus = await openBusOf(context, context.options);
  let count = 0;
  try {
    const lines = readLines(context.stdin(), { maxBytes: MAX_LINE_BYTES, signal });
    for await (const { first, texts } of lines) {
      for (let at = 0; at < texts.length; at += TOGETHER) {
        const group = texts.slice(at, at + TOGETHER);
        count += await publishGroup(context, bus, headers, group, first + at);
      }
    }
  } finally {
    await stdout.write(`published ${count} message${count === 1 ? "" : "s"}\n`);
  }
  signal.throwIfAborted();
}

/** @returns How many were published; throws for the first that was not, once all have settled. */
async function publishGroup(
  { args: { subject }, options: { base64 }, signal }: Context,
  bus: Bus,
  headers: BusHeaders,
  lines: readonly string[],
  first: number,
): Promise<number> {
  const results = await Promise.allSettled(lines.map(async (line) => {
    await bus.publish(subject, givenData(line, base64), { headers, signal });
  }));
  const failed = results.findIndex(({ status }) => status === "rejected");
  if (failed < 0) return lines.length;
  const { reason } = results[failed] as PromiseRejectedResult;
  if (signal.aborted) throw reason;
  throw new Error(`line ${first + failed}: ${messageOf(reason)}`, { cause: reason });
}

async function readData(path: string, isBase64: boolean): Promise<Uint8Array | string> {
  try {
    const data = await Deno.readFile(path);
    return isBase64 ? givenData(new TextDecoder().decode(data).trim(), true) : data;
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new Error(`cannot publish ${path}: ${messageOf(error)}`, { cause: error });
  }
}

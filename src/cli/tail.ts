import { delay, isValidName, type Logger, messageOf, quote } from "../base/mod.ts";
import { type DecodedRecord, decodeEnvelope, decodeEnvelopeText } from "../envelope/mod.ts";
import {
  type ChannelTail,
  DataDirView,
  type LogReader,
  type Position,
  type StoredRecord,
} from "../storage/mod.ts";
import { type Command, type CommandContext, defineCommand, UsageError } from "./command.ts";
import { checkChannelArgument, dataDirOf, dataOptions } from "./instance.ts";
import type { Io } from "./io.ts";
import { messageLine } from "./message_line.ts";
import { didYouMean } from "./parse.ts";
import { type Styles, stylesOf } from "./style.ts";
import { printable } from "./table.ts";
import { positionOfLast } from "./tail_position.ts";

const POLL_MS = 200;
const BLOCK_BYTES = 256 * 1024;
const DEFAULT_LINES = 10;

const options = {
  follow: { type: "flag", short: "f", summary: "Go on with what is published, until interrupted" },
  lines: {
    type: "integer",
    short: "n",
    summary: "How many of the last messages to begin with",
    valueName: "LINES",
    defaultText: String(DEFAULT_LINES),
  },
  from: {
    type: "string",
    summary: "Begin at the first message that is kept, or after the last",
    choices: ["start", "end"],
    valueName: "PLACE",
  },
  grep: { type: "string", summary: "Only messages with this text in them", valueName: "TEXT" },
  json: { type: "flag", summary: "Print the records as they are stored, one JSON object a line" },
  ...dataOptions,
} as const;

const args = { channel: { summary: "The channel", required: true } } as const;

type Context = CommandContext<typeof options, typeof args>;

/** `tail`: a channel's messages, without a cursor and without owning the data directory. */
export const tail: Command = defineCommand({
  description:
    "Shows a channel's last messages. It leaves no trace: no cursor moves, and another process may " +
    "own the data directory. Lines that are no messages are named on standard error." +
    "\n\nNeeds --allow-read for the data directory and the configuration file.",
  options,
  args,
  examples: [
    { summary: "The last messages, and those to come", args: "tail -f readings -c pi.yaml" },
    { summary: "What failed", args: "tail readings.dead-letter -n 100 --json -c pi.yaml" },
  ],
  async run(context) {
    const { args: { channel }, options } = context;
    checkChannelArgument(channel);
    if (options.from !== undefined && options.lines !== undefined) {
      throw new UsageError("--from and --lines exclude each other");
    }
    const dataDir = await dataDirOf(context, options);
    // What is damaged is told when it is shown, not when it is looked for.
    const silent = await open(context, new DataDirView(dataDir));
    if (silent === undefined) return;
    const begin = await beginning(context, silent);
    const source = new DataDirView(dataDir, { logger: damageLogger(context) }).tail(channel);
    await show(context, source, begin);
    if (!options.follow) context.signal.throwIfAborted();
  },
});

/** The channel; undefined when the command was interrupted while it waited for it to be made. */
async function open(context: Context, view: DataDirView): Promise<ChannelTail | undefined> {
  const { args: { channel }, options: { follow }, clock, signal, stderr } = context;
  for (let told = false;; told = true) {
    const channels = view.channels();
    if (channels.includes(channel)) return view.tail(channel);
    const hint = didYouMean(channel, channels.filter(isValidName));
    if (!follow) throw new Error(`there is no channel ${quote(channel)}${hint}`);
    if (!told) await stderr.write(`waiting for channel ${quote(channel)} to be made${hint}\n`);
    if (!await pause(clock, signal)) return undefined;
  }
}

async function beginning(context: Context, source: ChannelTail): Promise<Position> {
  const { from, lines = DEFAULT_LINES, grep } = context.options;
  if (from === "start") return source.start;
  if (from === "end" || lines === 0) return source.end;
  return await positionOfLast(source, lines, (record) => {
    const decoded = decode(record);
    return !(decoded instanceof Error) && (grep === undefined || decoded.text.includes(grep));
  }, context.signal);
}

/** Prints what is there, and what comes. */
async function show(context: Context, source: ChannelTail, begin: Position): Promise<void> {
  const { options: { follow }, clock, signal, stderr } = context;
  const styles = stylesOf(context.stdout);
  let reader = source.reader(begin);
  try {
    for (;;) {
      await showBlocks(context, reader, styles);
      if (!follow || !await pause(clock, signal)) return;
      source.look();
      if (source.end >= reader.position) continue;
      await stderr.write("the channel was cut back: going on at its new end\n");
      reader.close();
      reader = source.reader(source.end);
    }
  } finally {
    reader.close();
  }
}

async function showBlocks(context: Context, reader: LogReader, styles: Styles): Promise<void> {
  const { signal, stderr, stdout } = context;
  while (!signal.aborted) {
    const { records } = await reader.read(BLOCK_BYTES);
    if (records.length === 0) return;
    let text = "";
    for (const record of records) {
      const decoded = decode(record);
      if (decoded instanceof Error) {
        await stderr.write(damageLine(record, decoded));
      } else text += lineOf(context, decoded, styles);
    }
    if (text !== "") await stdout.write(text);
  }
}

function lineOf(context: Context, record: DecodedRecord, styles: Styles): string {
  const { grep, json } = context.options;
  if (grep !== undefined && !record.text.includes(grep)) return "";
  return json ? `${record.text}\n` : messageLine(record, styles);
}

function decode({ bytes, text }: StoredRecord): DecodedRecord | Error {
  try {
    return text === undefined ? decodeEnvelope(bytes) : decodeEnvelopeText(text);
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

function damageLine({ bytes, position }: StoredRecord, error: Error): string {
  const shown = quote(new TextDecoder().decode(bytes.subarray(0, 200)));
  return printable(`no message at position ${position}, ${messageOf(error)}: ${shown}`) + "\n";
}

/** What a reader skips by itself, as remarks. */
function damageLogger({ stderr }: Io): Logger {
  const tell = (message: string, fields: Readonly<Record<string, unknown>> = {}) => {
    const place = fields.position === undefined ? "" : ` at position ${fields.position}`;
    const size = fields.bytes === undefined ? "" : ` (${fields.bytes} bytes)`;
    stderr.writeSync(`${printable(message + place + size)}\n`);
  };
  return { debug() {}, info() {}, warn: tell, error: tell };
}

/** Waits for the next look. @returns Whether to go on. */
async function pause(clock: Io["clock"], signal: AbortSignal): Promise<boolean> {
  try {
    await delay(clock, POLL_MS, signal);
    return true;
  } catch {
    return false;
  }
}

import { messageOf, validatePublishChannel } from "../base/mod.ts";
import { MAX_RECORD_BYTES } from "../envelope/mod.ts";
import type { BatchMessage } from "../messenger/mod.ts";
import { type Command, type CommandContext, defineCommand, UsageError } from "./command.ts";
import { dataOptions, logLevelOption, usageUnless } from "./instance.ts";
import { type Io, OutputClosedError } from "./io.ts";
import { jsonOption } from "./json.ts";
import { type Lines, readLines } from "./lines.ts";
import { parsePayload } from "./payload.ts";
import { openTarget, type PublishTarget, type Stored } from "./publish_target.ts";

/** Payload type of what is published as JSON, when none is named. */
const JSON_TYPE = "application/json";
/** Payload type of what is published with `--text`, when none is named. */
const TEXT_TYPE = "text/plain";

const options = {
  type: {
    type: "string",
    short: "t",
    summary: "The payload's type",
    valueName: "TYPE",
    defaultText: `${JSON_TYPE}, with --text ${TEXT_TYPE}`,
  },
  text: { type: "flag", summary: "Take the payload as text, not as JSON" },
  file: { type: "string", short: "f", summary: "Take one payload from a file", valueName: "FILE" },
  "correlation-id": {
    type: "string",
    summary: "Groups messages that belong together",
    valueName: "ID",
  },
  service: { type: "string", summary: "The service that publishes", valueName: "NAME" },
  ...dataOptions,
  hub: {
    type: "string",
    summary: "Publish straight to a hub and keep nothing here",
    valueName: "HOST:PORT",
  },
  "hub-name": {
    type: "string",
    summary: "With --hub: the name in its certificate",
    valueName: "NAME",
    defaultText: "the host that is dialled",
  },
  cert: {
    type: "string",
    summary: "With --hub: our certificate",
    valueName: "FILE",
    defaultText: "the configuration's",
  },
  key: { type: "string", summary: "With --hub: our private key", valueName: "FILE" },
  ca: { type: "string", summary: "With --hub: the CA's certificate", valueName: "FILE" },
  name: {
    type: "string",
    summary: "The instance's name, the origin of the messages",
    valueName: "NAME",
    defaultText: "the configuration's, the certificate's or the host's",
  },
  "log-level": logLevelOption("warn"),
  ...jsonOption,
} as const;

const args = {
  channel: { summary: "The channel; it is made when it is new", required: true },
  payload: { summary: 'JSON; "-" for one payload a line on standard input' },
} as const;

type Context = CommandContext<typeof options, typeof args>;

/** `publish`: messages from the command line, a file or standard input. */
export const publish: Command = defineCommand({
  description:
    "Publishes one message and prints its id and its position in the channel's log; from standard " +
    "input it publishes one message a line, skips blank lines, and prints how many they were. " +
    "Messages are stored once the command says so." +
    "\n\nThe data directory must not be owned by another process. Its hub and connections stay " +
    "closed: what is published here follows, when the instance runs, to the hubs that it has been " +
    "connected with before. With --hub the message goes straight to a hub, as from an instance " +
    "without a disk; a hub drops what its policy forbids without saying so." +
    "\n\nNeeds --allow-read and --allow-write for the data directory, and --allow-sys=hostname " +
    "when no name is given; with --hub --allow-net for its address, --allow-read for the " +
    "certificates and --allow-env=WS_NO_BUFFER_UTIL,WS_NO_UTF_8_VALIDATE.",
  options,
  args,
  examples: [
    { summary: "One message", args: `publish readings '{"celsius":21.5}' --data-dir ./data` },
    { summary: "Every line of a log", args: "publish log - --text -c pi.yaml < /var/log/syslog" },
    {
      summary: "Straight to a hub",
      args: `publish readings 21.5 --hub hub.local:7740 --cert pi.crt --key pi.key --ca ca.crt`,
    },
  ],
  async run(context) {
    const { args: { channel, payload }, options: { file, text } } = context;
    usageUnless(() => validatePublishChannel(channel));
    if (payload !== undefined && file !== undefined) {
      throw new UsageError("a payload is given twice: as an argument and with --file");
    }
    if (payload === "-") return await publishLines(context);
    const message = messageFor(context);
    if (file !== undefined) {
      return await publishOne(context, message(await readPayload(file, text)));
    }
    if (payload === undefined) {
      throw new UsageError('no payload is given: give PAYLOAD, --file FILE, or "-" for lines');
    }
    let value: unknown;
    usageUnless(() => value = text ? payload : parsePayload(payload, "the payload"));
    return await publishOne(context, message(value));
  },
});

async function publishOne(context: Context, message: BatchMessage): Promise<void> {
  await using target = await openTarget(context, context.args.channel, context.options);
  const { stored, failure } = await target.publish([message]);
  if (failure !== undefined) throw failure;
  const [{ id, position }] = stored as [Stored];
  await say(
    context,
    context.options.json
      ? jsonLine({ id, position })
      : `${id}${position === undefined ? "" : ` ${position}`}\n`,
  );
}

async function publishLines(context: Context): Promise<void> {
  const { args: { channel }, options: { json }, signal } = context;
  await using target = await openTarget(context, channel, context.options);
  let count = 0;
  try {
    const lines = readLines(context.stdin(), { maxBytes: MAX_RECORD_BYTES, signal });
    for await (const group of lines) {
      const { messages, problem } = messagesOf(context, group);
      count += await publishGroup(context, target, messages, group);
      if (problem !== undefined) throw problem;
    }
  } finally {
    if (!json) await say(context, `published ${count} message${count === 1 ? "" : "s"}\n`);
  }
  signal.throwIfAborted();
}

async function publishGroup(
  context: Context,
  target: PublishTarget,
  messages: readonly BatchMessage[],
  { first, texts }: Lines,
): Promise<number> {
  if (messages.length === 0) return 0;
  const { stored, failure } = await target.publish(messages);
  if (context.options.json) await say(context, stored.map(jsonLine).join(""));
  if (failure === undefined) return stored.length;
  if (context.signal.aborted) throw failure;
  const last = first + texts.length - 1;
  const where = first === last ? `line ${first}` : `lines ${first} to ${last}`;
  const part = stored.length === 0 ? "" : `, of which ${stored.length} messages are stored`;
  throw new Error(`${where}${part}: ${messageOf(failure)}`, { cause: failure });
}

/** The messages of lines, up to the first line that holds none. */
function messagesOf(
  context: Context,
  { first, texts }: Lines,
): { messages: BatchMessage[]; problem?: unknown } {
  const message = messageFor(context);
  const messages: BatchMessage[] = [];
  for (const [index, line] of texts.entries()) {
    if (context.options.text) messages.push(message(line));
    else if (line.trim() !== "") {
      try {
        messages.push(message(parsePayload(line, `line ${first + index}`)));
      } catch (problem) {
        return { messages, problem };
      }
    }
  }
  return { messages };
}

function messageFor({ options }: Context): (payload: unknown) => BatchMessage {
  const rest = {
    payloadType: options.type ?? (options.text ? TEXT_TYPE : JSON_TYPE),
    ...(options["correlation-id"] === undefined
      ? {}
      : { correlationId: options["correlation-id"] }),
    ...(options.service === undefined ? {} : { serviceName: options.service }),
  };
  return (payload) => ({ ...rest, payload });
}

async function readPayload(path: string, text: boolean): Promise<unknown> {
  let content: string;
  try {
    const { size } = await Deno.stat(path);
    if (size > MAX_RECORD_BYTES) {
      throw new Error(`it takes ${size} bytes, more than the limit of ${MAX_RECORD_BYTES}`);
    }
    content = new TextDecoder("utf-8", { fatal: true }).decode(await Deno.readFile(path));
  } catch (error) {
    throw new Error(`cannot publish ${path}: ${whyUnreadable(error)}`, { cause: error });
  }
  if (text) return content;
  try {
    return parsePayload(content, path);
  } catch (error) {
    if (!content.trim().includes("\n")) throw error;
    const hint = `publish - < ${path} takes one payload a line`;
    throw new Error(`${messageOf(error)}; ${hint}`, { cause: error });
  }
}

function whyUnreadable(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "there is no such file";
  if (error instanceof Deno.errors.IsADirectory) return "it is a folder";
  if (error instanceof Deno.errors.PermissionDenied) return "its permissions forbid it";
  return error instanceof TypeError ? "it is not UTF-8 text" : messageOf(error);
}

function jsonLine({ id, position }: { id: string; position?: number | undefined }): string {
  return `${JSON.stringify({ id, position })}\n`;
}

/** Publishing goes on when nobody reads along any more. */
async function say(io: Io, text: string): Promise<void> {
  try {
    await io.stdout.write(text);
  } catch (error) {
    if (!(error instanceof OutputClosedError)) throw error;
  }
}

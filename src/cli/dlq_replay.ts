import { DEAD_LETTER_SUFFIX, SubscriberNotFoundError } from "../base/mod.ts";
import type { Messenger } from "../messenger/mod.ts";
import { type ChannelTail, DataDirView, type Position } from "../storage/mod.ts";
import { type Command, type CommandContext, defineCommand } from "./command.ts";
import {
  type DeadLetter,
  deadLettersOf,
  letterOf,
  mustHaveLetters,
  readLetters,
} from "./dead_letters.ts";
import {
  commandLogger,
  dataDirOf,
  dataOptions,
  logLevelOption,
  openMessenger,
  placeOf,
} from "./instance.ts";
import { printable } from "./table.ts";

/** Keeps how far the letters of a channel have been replayed. */
const REPLAY_CURSOR = "dlq-replay";

const options = {
  all: { type: "flag", summary: "Begin with the oldest letter, also with those replayed before" },
  "dry-run": { type: "flag", summary: "Only say what would be published" },
  ...dataOptions,
  "log-level": logLevelOption("warn"),
} as const;
const args = {
  channel: { summary: "The channel that the messages came from", required: true },
  id: {
    summary: "Only messages with these ids (default: those not replayed yet)",
    repeatable: true,
  },
} as const;

type Context = CommandContext<typeof options, typeof args>;

/** `dlq replay`: publishes the messages of dead letters again. */
export const dlqReplay: Command = defineCommand({
  description:
    "Publishes messages that could not be handled to their channel again, under their ids, for every " +
    "subscriber of the channel here. Hosts that have a message already drop it. Letters that were " +
    "replayed are not replayed again, unless they are named or --all is given; they stay until they " +
    "are purged. When the command is killed, what it published last may be published again: one " +
    "message, or what fits into offset_flush_interval_ms where that is set." +
    "\n\nThe data directory must not be owned by another process. Needs --allow-read and " +
    "--allow-write for it, and --allow-sys=hostname when no name is configured.",
  options,
  args,
  examples: [
    { summary: "Once the cause is mended", args: "dlq replay orders -c pi.yaml" },
    { summary: "What would that be?", args: "dlq replay orders --dry-run -c pi.yaml" },
  ],
  async run(context) {
    const { args: { channel, id: ids }, options } = context;
    const letters = deadLettersOf(channel);
    const view = new DataDirView(await dataDirOf(context, options));
    mustHaveLetters(letters, view.channels());
    const source = view.tail(letters);
    const cursor = view.channel(letters).cursors.find(({ name }) => name === REPLAY_CURSOR);
    const from = options.all || ids.length > 0 ? source.start : cursor?.position ?? source.start;
    const chosen = choose(source, from, ids, context.signal);
    const count = options["dry-run"]
      ? await tell(context, chosen)
      : await replay(context, letters, chosen);
    const done = options["dry-run"] ? "would publish" : "published";
    await context.stdout.write(`${done} ${count} message${count === 1 ? "" : "s"}\n`);
  },
});

/** The letters that are wanted; throws at the end when one that was named is not there. */
async function* choose(
  source: ChannelTail,
  from: Position,
  ids: readonly string[],
  signal: AbortSignal,
): AsyncGenerator<DeadLetter, void> {
  const missing = new Set(ids);
  for await (const letter of readLetters(source, signal, from)) {
    if (ids.length > 0 && !ids.includes(letter.id)) continue;
    missing.delete(letter.id);
    yield letter;
  }
  for (const id of missing) throw new Error(`there is no dead letter of message ${printable(id)}`);
}

async function tell(context: Context, letters: AsyncIterable<DeadLetter>): Promise<number> {
  let count = 0;
  for await (const { id, payloadType, lastError } of letters) {
    await context.stdout.write(printable(`${id} ${payloadType} ${lastError}`) + "\n");
    count++;
  }
  return count;
}

async function replay(
  context: Context,
  letters: string,
  chosen: AsyncIterable<DeadLetter>,
): Promise<number> {
  const { args: { id: ids }, options } = context;
  await using messenger = await openMessenger(placeOf(context, options), {
    name: undefined,
    links: false,
    whenOwned: "stop it first; dlq show looks at letters that another process owns",
    logger: commandLogger(context, options["log-level"]),
    clock: context.clock,
  });
  if (ids.length > 0) return await publishAll(messenger, letters, chosen);
  let last: Position | undefined;
  for await (const letter of chosen) last = letter.position;
  if (last === undefined) return 0;
  if (options.all) await messenger.unsubscribe(letters, REPLAY_CURSOR).catch(ignoreMissing);
  return await replayUpTo(context, messenger, letters, last);
}

async function publishAll(
  messenger: Messenger,
  letters: string,
  chosen: AsyncIterable<DeadLetter>,
): Promise<number> {
  let count = 0;
  for await (const letter of chosen) {
    await publish(messenger, letters, letter);
    count++;
  }
  return count;
}

/** Follows the letters durably, so that what was replayed is known however this ends. */
async function replayUpTo(
  { signal }: Context,
  messenger: Messenger,
  letters: string,
  last: Position,
): Promise<number> {
  const { promise: done, resolve, reject } = Promise.withResolvers<void>();
  let count = 0;
  const interrupt = () => reject(signal.reason);
  signal.addEventListener("abort", interrupt, { once: true });
  const subscription = await messenger.subscribe(
    letters,
    REPLAY_CURSOR,
    async (message, handling) => {
      const { payloadType, payload, position } = message;
      const letter = position > last ? undefined : letterOf(payloadType, payload, position);
      try {
        if (letter !== undefined) {
          await publish(messenger, letters, letter);
          count++;
        }
      } catch (error) {
        // A letter that fails here must not count as replayed: it stays where the cursor stands.
        reject(error);
        await until(handling.signal);
        throw error;
      }
      if (position >= last) resolve();
    },
    { from: "start" },
  );
  try {
    await done;
  } finally {
    signal.removeEventListener("abort", interrupt);
    await subscription.close();
  }
  return count;
}

async function publish(
  messenger: Messenger,
  letters: string,
  { id, payloadType, payload, correlationId, serviceName }: DeadLetter,
): Promise<void> {
  await messenger.publish(letters.slice(0, -DEAD_LETTER_SUFFIX.length), payloadType, payload, {
    id,
    ...(correlationId !== "" && { correlationId }),
    ...(serviceName !== "" && { serviceName }),
  });
}

function until(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof SubscriberNotFoundError)) throw error;
}

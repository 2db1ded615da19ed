import { DataDirView } from "../storage/mod.ts";
import { type Command, type CommandContext, defineCommand } from "./command.ts";
import { type DeadLetter, deadLettersOf, mustHaveLetters, readLetters } from "./dead_letters.ts";
import { dataDirOf, dataOptions } from "./instance.ts";
import { printJsonLine } from "./json.ts";
import { stylesOf } from "./style.ts";
import { printable } from "./table.ts";

const options = {
  json: { type: "flag", summary: "Print one JSON object a line, for programs to read" },
  ...dataOptions,
} as const;
const args = {
  channel: { summary: "The channel that the messages came from", required: true },
  id: { summary: "Only messages with these ids (default: all)", repeatable: true },
} as const;

type Context = CommandContext<typeof options, typeof args>;

/** `dlq show`: a channel's dead letters. */
export const dlqShow: Command = defineCommand({
  description:
    "Shows the messages of a channel that could not be handled: when that was, how often it was " +
    "tried again, what the handler said, and what was published. Another process may own the data " +
    "directory." +
    "\n\nNeeds --allow-read for the data directory and the configuration file.",
  options,
  args,
  examples: [
    { summary: "What failed, and why", args: "dlq show orders -c pi.yaml" },
    { summary: "For programs", args: "dlq show orders --json -c pi.yaml" },
  ],
  async run(context) {
    const { args: { channel, id: ids } } = context;
    const letters = deadLettersOf(channel);
    const view = new DataDirView(await dataDirOf(context, context.options));
    mustHaveLetters(letters, view.channels());
    const missing = new Set(ids);
    for await (const letter of readLetters(view.tail(letters), context.signal)) {
      if (ids.length > 0 && !ids.includes(letter.id)) continue;
      missing.delete(letter.id);
      await show(context, letter);
    }
    for (const id of missing) {
      throw new Error(`there is no dead letter of message ${printable(id)}`);
    }
  },
});

async function show(context: Context, letter: DeadLetter): Promise<void> {
  const { id, payloadType, payload, retries, lastError, failedAt } = letter;
  if (context.options.json) {
    return await printJsonLine(context, {
      id,
      payload_type: payloadType,
      payload,
      retries,
      last_error: lastError,
      failed_at: failedAt,
    });
  }
  const styles = stylesOf(context.stdout);
  const tried = retries === 1 ? "1 retry" : `${retries} retries`;
  await context.stdout.write(
    `${styles.dim(printable(`${failedAt} ${id} ${payloadType}, ${tried}`))}\n` +
      `  ${styles.red(printable(lastError))}\n` +
      `  ${printable(JSON.stringify(payload))}\n`,
  );
}

import { DEAD_LETTER_SUFFIX, isDeadLetterChannel } from "../base/mod.ts";
import { DataDirView } from "../storage/mod.ts";
import { type Command, type CommandContext, defineCommand } from "./command.ts";
import { type DeadLetter, readLetters } from "./dead_letters.ts";
import { dataDirOf, dataOptions } from "./instance.ts";
import { jsonOption, printJson } from "./json.ts";
import { formatTable } from "./table.ts";
import { formatBytes } from "./units.ts";

const options = { ...dataOptions, ...jsonOption } as const;

interface Letters {
  readonly channel: string;
  readonly letters: number;
  readonly bytes: number;
  readonly oldest: string | null;
  readonly newest: string | null;
  readonly last_error: string | null;
}

/** `dlq list`: which channels have dead letters. */
export const dlqList: Command = defineCommand({
  description:
    "Shows which channels have dead letters, how many, from when, and what was said of the last one. " +
    "Another process may own the data directory." +
    "\n\nNeeds --allow-read for the data directory and the configuration file.",
  options,
  examples: [{ summary: "Whether anything failed", args: "dlq list -c pi.yaml" }],
  async run(context) {
    const view = new DataDirView(await dataDirOf(context, context.options));
    const found: Letters[] = [];
    for (const channel of view.channels().filter(isDeadLetterChannel)) {
      const letters = await count(view, channel, context);
      if (letters.letters > 0) found.push(letters);
    }
    if (context.options.json) await printJson(context, found);
    else await context.stdout.write(tableOf(found));
  },
});

async function count(
  view: DataDirView,
  channel: string,
  { signal }: CommandContext<typeof options>,
): Promise<Letters> {
  let letters = 0;
  let oldest: DeadLetter | undefined;
  let newest: DeadLetter | undefined;
  for await (const letter of readLetters(view.tail(channel), signal)) {
    oldest ??= letter;
    newest = letter;
    letters++;
  }
  return {
    channel: channel.slice(0, -DEAD_LETTER_SUFFIX.length),
    letters,
    bytes: view.channel(channel).bytes,
    oldest: oldest?.failedAt ?? null,
    newest: newest?.failedAt ?? null,
    last_error: newest?.lastError ?? null,
  };
}

function tableOf(found: readonly Letters[]): string {
  if (found.length === 0) return "No dead letters.\n";
  return formatTable(
    [
      { title: "CHANNEL" },
      { title: "LETTERS", align: "right" },
      { title: "SIZE", align: "right" },
      { title: "OLDEST" },
      { title: "NEWEST" },
      { title: "LAST ERROR" },
    ],
    found.map(({ channel, letters, bytes, oldest, newest, last_error }) => [
      channel,
      letters,
      formatBytes(bytes),
      oldest ?? "",
      newest ?? "",
      last_error ?? "",
    ]),
  );
}

import { DataDirView } from "../storage/mod.ts";
import { type Command, defineCommand, UsageError } from "./command.ts";
import { deadLettersOf, mustHaveLetters, readLetters } from "./dead_letters.ts";
import {
  commandLogger,
  dataDirOf,
  dataOptions,
  logLevelOption,
  openMessenger,
  placeOf,
} from "./instance.ts";

const options = {
  yes: { type: "flag", short: "y", summary: "Delete them; without it they are only counted" },
  ...dataOptions,
  "log-level": logLevelOption("warn"),
} as const;
const args = {
  channel: { summary: "The channel that the messages came from", required: true },
} as const;

/** `dlq purge`: deletes a channel's dead letters. */
export const dlqPurge: Command = defineCommand({
  description: "Deletes all dead letters of a channel, replayed or not." +
    "\n\nThe data directory must not be owned by another process. Needs --allow-read and " +
    "--allow-write for it, and --allow-sys=hostname when no name is configured.",
  options,
  args,
  examples: [{ summary: "Once they are dealt with", args: "dlq purge orders --yes -c pi.yaml" }],
  async run(context) {
    const { args: { channel }, options, signal, stdout } = context;
    const letters = deadLettersOf(channel);
    const view = new DataDirView(await dataDirOf(context, options));
    mustHaveLetters(letters, view.channels());
    let count = 0;
    for await (const _ of readLetters(view.tail(letters), signal)) count++;
    const named = `${count} dead letter${count === 1 ? "" : "s"}`;
    if (!options.yes) throw new UsageError(`${named} would be deleted for good: say --yes`);
    await using messenger = await openMessenger(placeOf(context, options), {
      name: undefined,
      links: false,
      whenOwned: "stop it first",
      logger: commandLogger(context, options["log-level"]),
      clock: context.clock,
    });
    const info = await messenger.channelInfo(letters);
    if (info !== undefined) await messenger.trim(letters, info.end, { sealNow: true });
    await stdout.write(`deleted ${named}\n`);
  },
});

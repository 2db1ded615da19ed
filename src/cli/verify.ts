import { quote } from "../base/mod.ts";
import { type ChannelCheck, DataDirView, type Finding, verifyChannel } from "../storage/mod.ts";
import { type Command, type CommandContext, defineCommand } from "./command.ts";
import { EXIT_DONE, EXIT_FAILED } from "./execute.ts";
import { checkChannelArgument, dataDirOf, dataOptions } from "./instance.ts";
import { jsonOption, printJson } from "./json.ts";
import { didYouMean } from "./parse.ts";
import { stylesOf } from "./style.ts";
import { formatTable, printable } from "./table.ts";
import { formatBytes } from "./units.ts";

/** Findings of a channel that are told; the rest are counted. */
const TOLD_FINDINGS = 1_000;

const options = { ...dataOptions, ...jsonOption } as const;
const args = {
  channel: { summary: "Only these channels (default: every one)", repeatable: true },
} as const;

type Context = CommandContext<typeof options, typeof args>;

/** A channel, with what was found in it. */
interface Verified extends ChannelCheck {
  readonly findings: readonly Finding[];
  /** Findings beyond those that are told. */
  readonly untold: number;
  readonly isDamaged: boolean;
}

/** `verify`: reads every byte of a data directory and tells what is damaged. */
export const verify: Command = defineCommand({
  description:
    "Reads every byte of a data directory and names whatever is damaged: lines that are no records, " +
    "records that are missing or cut short, cursors that point nowhere. It changes nothing, and " +
    "another process may own the directory. What is only worth knowing, such as the rest of a write " +
    "that a crash cut short, is noted. Ends with 1 when something is damaged." +
    "\n\nNeeds --allow-read for the data directory and the configuration file.",
  options,
  args,
  examples: [
    { summary: "After a power cut", args: "verify -c pi.yaml" },
    { summary: "One channel, for programs", args: "verify readings --json -c pi.yaml" },
  ],
  async run(context) {
    const { args: { channel: wanted }, options: { json } } = context;
    for (const channel of wanted) checkChannelArgument(channel);
    const dataDir = await dataDirOf(context, context.options);
    const channels = chosen(new DataDirView(dataDir), wanted);
    const verified: Verified[] = [];
    for (const channel of channels) {
      const result = await check(context, dataDir, channel);
      verified.push(result);
      if (!json) await tell(context, result);
    }
    if (json) await printJson(context, { data_dir: dataDir, channels: verified.map(forPrograms) });
    else await context.stdout.write(tableOf(verified));
    return verified.some(({ isDamaged }) => isDamaged) ? EXIT_FAILED : EXIT_DONE;
  },
});

function chosen(view: DataDirView, wanted: readonly string[]): readonly string[] {
  const channels = view.channels();
  for (const channel of wanted) {
    if (channels.includes(channel)) continue;
    throw new Error(`there is no channel ${quote(channel)}${didYouMean(channel, channels)}`);
  }
  return wanted.length === 0 ? channels : wanted;
}

async function check(context: Context, dataDir: string, channel: string): Promise<Verified> {
  const findings: Finding[] = [];
  let untold = 0;
  let isDamaged = false;
  const result = await verifyChannel(dataDir, channel, {
    signal: context.signal,
    found(finding) {
      isDamaged ||= finding.weight === "damage";
      if (findings.length < TOLD_FINDINGS) findings.push(finding);
      else untold++;
    },
  });
  return { ...result, findings, untold, isDamaged };
}

async function tell({ stdout }: Context, { channel, findings, untold }: Verified): Promise<void> {
  const styles = stylesOf(stdout);
  for (const { weight, path, position, bytes, what } of findings) {
    const place = position === undefined ? "" : ` at position ${position}`;
    const size = bytes === 0 ? "" : ` (${bytes} bytes)`;
    const line = printable(`${weight}: ${path}${place}${size} ${what}`);
    await stdout.write(`${weight === "damage" ? styles.red(line) : line}\n`);
  }
  if (untold > 0) await stdout.write(`${printable(channel)}: ${untold} more findings\n`);
}

function tableOf(verified: readonly Verified[]): string {
  if (verified.length === 0) return "No channels yet.\n";
  return formatTable(
    [
      { title: "CHANNEL" },
      { title: "SEGMENTS", align: "right" },
      { title: "SIZE", align: "right" },
      { title: "RECORDS", align: "right" },
      { title: "CURSORS", align: "right" },
      { title: "DAMAGED", align: "right" },
      { title: "" },
    ],
    verified.map(({ channel, segments, bytes, records, cursors, damagedBytes, isDamaged }) => [
      channel,
      segments,
      formatBytes(bytes),
      records,
      cursors,
      formatBytes(damagedBytes),
      isDamaged ? "damaged" : "ok",
    ]),
  );
}

function forPrograms(verified: Verified): Record<string, unknown> {
  const { channel, segments, bytes, records, cursors, damagedBytes, findings, untold } = verified;
  return {
    channel,
    segments,
    bytes,
    records,
    cursors,
    damaged_bytes: damagedBytes,
    findings,
    more_findings: untold,
  };
}

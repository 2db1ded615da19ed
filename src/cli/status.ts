import { delay } from "../base/mod.ts";
import { type Command, type CommandContext, defineCommand } from "./command.ts";
import { EXIT_DONE, EXIT_FAILED } from "./execute.ts";
import { dataDirOf, dataOptions } from "./instance.ts";
import { jsonOption, printJson, printJsonLine } from "./json.ts";
import { type ReaderStatus, type StatusReport, statusReport } from "./status_report.ts";
import { type Styles, stylesOf } from "./style.ts";
import { formatFields, formatTable, printable } from "./table.ts";
import { formatAge, formatBytes } from "./units.ts";

const WATCH_MS = 1_000;
/** Moves to the upper left and clears what is below. */
const CLEAR = "\x1b[H\x1b[J";
const CLEAR_FIRST = "\x1b[2J\x1b[H";

const options = {
  watch: { type: "flag", short: "w", summary: "Show it anew each second, until interrupted" },
  ...dataOptions,
  ...jsonOption,
} as const;

type Context = CommandContext<typeof options>;

const KINDS = { peer: "peer, receives", hub: "hub, is sent to" } as const;

/** `status`: what stands in a data directory. */
export const status: Command = defineCommand({
  description:
    "Shows a data directory: who owns it, its channels with their sizes and positions, and for each " +
    "subscriber, peer and hub how far it has come and how much waits for it. Another process may " +
    "own the directory. Positions are byte offsets." +
    "\n\nNeeds --allow-read for the data directory and the configuration file.",
  options,
  examples: [
    { summary: "How things stand", args: "status -c pi.yaml" },
    { summary: "What waits for whom, for programs", args: "status --json -c pi.yaml" },
  ],
  async run(context) {
    const { options: { json, watch } } = context;
    const dataDir = await dataDirOf(context, context.options);
    if (watch) return await watchStatus(context, dataDir);
    const report = statusReport(dataDir);
    if (json) await printJson(context, report);
    else await context.stdout.write(textOf(report, context));
    return await tellProblems(context, report);
  },
});

async function watchStatus(context: Context, dataDir: string): Promise<number> {
  const { clock, options: { json }, signal, stdout } = context;
  for (let first = true; !signal.aborted; first = false) {
    const report = statusReport(dataDir);
    if (json) await printJsonLine(context, report);
    else {
      const between = stdout.isTerminal ? first ? CLEAR_FIRST : CLEAR : first ? "" : "\n";
      const problems = report.problems.map((problem) => `\n${printable(problem)}\n`).join("");
      await stdout.write(between + textOf(report, context) + problems);
    }
    try {
      await delay(clock, WATCH_MS, signal);
    } catch {
      break;
    }
  }
  return EXIT_DONE;
}

async function tellProblems({ stderr }: Context, { problems }: StatusReport): Promise<number> {
  for (const problem of problems) await stderr.write(`${printable(problem)}\n`);
  return problems.length === 0 ? EXIT_DONE : EXIT_FAILED;
}

function textOf(report: StatusReport, { clock, stdout }: Context): string {
  const styles = stylesOf(stdout);
  const { channels, data_dir, owner_pid, readers, torn } = report;
  const parts = [
    formatFields([
      ["Data directory", data_dir],
      ["Owner", owner_pid === null ? "none" : `process ${owner_pid}`],
    ]),
    channels.length === 0 ? "No channels yet.\n" : channelTable(report, styles),
  ];
  const subscribers = readers.filter(({ kind }) => kind === "subscriber");
  const peers = readers.filter(({ kind }) => kind !== "subscriber");
  if (subscribers.length > 0) {
    parts.push(readerTable("SUBSCRIBER", subscribers, clock.now(), styles));
  }
  if (peers.length > 0) parts.push(readerTable("PEER", peers, clock.now(), styles));
  if (torn.length > 0) {
    parts.push(
      torn.map(({ path, bytes }) =>
        styles.yellow(
          `Torn: ${printable(path)} has ${formatBytes(bytes)} after its last whole record` +
            `${owner_pid === null ? "; the next owner cuts them off" : ""}\n`,
        )
      ).join(""),
    );
  }
  return parts.join("\n");
}

function channelTable({ channels }: StatusReport, styles: Styles): string {
  return titled(
    formatTable(
      [
        { title: "CHANNEL" },
        { title: "SIZE", align: "right" },
        { title: "SEGMENTS", align: "right" },
        { title: "START", align: "right" },
        { title: "END", align: "right" },
      ],
      channels.map(({ channel, bytes, segments, start, end }) => [
        channel,
        formatBytes(bytes),
        segments,
        start,
        end,
      ]),
    ),
    styles,
  );
}

function readerTable(
  title: string,
  readers: readonly ReaderStatus[],
  now: number,
  styles: Styles,
): string {
  const isPeers = title === "PEER";
  return titled(
    formatTable(
      [
        { title },
        ...(isPeers ? [{ title: "ROLE" }] : []),
        { title: "CHANNEL" },
        { title: "POSITION", align: "right" },
        { title: "LAG", align: "right" },
        { title: "MOVED", align: "right" },
      ],
      readers.map(({ name, kind, channel, position, lag_bytes, moved_at }) => [
        name,
        ...(kind === "subscriber" ? [] : [KINDS[kind]]),
        channel,
        position,
        formatBytes(lag_bytes),
        formatAge(now - Date.parse(moved_at)),
      ]),
    ),
    styles,
  );
}

function titled(table: string, styles: Styles): string {
  const end = table.indexOf("\n");
  return styles.bold(table.slice(0, end)) + table.slice(end);
}

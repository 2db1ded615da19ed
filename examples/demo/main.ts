/**
 * The demo: a hub and two clients exchange readings of this machine; client two is killed and started
 * again, then the hub, and nothing is lost.
 *
 * `deno task demo`
 *
 * The last line says how many readings were published, received and lost. The exit code is 0 when none
 * was lost, 1 otherwise, 130 or 143 after a signal.
 *
 * @module
 */
import { cast, moduleOf } from "./cast.ts";
import { CLI, Folder, type Role } from "./folder.ts";
import { freePort } from "./free_port.ts";
import { readHandledIds } from "./handled_ids.ts";
import { quietly } from "./quietly.ts";
import { Screen } from "./screen.ts";
import { Story } from "./story.ts";
import { formatSummary, summarize } from "./summary.ts";

/** With the time that ending takes, the demo is over within 30 s. */
const LONGEST_MS = 25_000;
const LOG_LINES_SHOWN = 30;

const SIGNALS: Partial<Record<Deno.Signal, number>> = Deno.build.os === "windows"
  ? { SIGINT: 130 }
  : { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 };

/** The demo was ended from outside. */
class Interrupted extends Error {
  /**
   * @param signal The signal that ended it.
   * @param exitCode What to exit with.
   */
  constructor(signal: string, readonly exitCode: number) {
    super(`ended by ${signal}`);
  }
}

Deno.exit(await main());

async function main(): Promise<number> {
  const ending = new AbortController();
  for (const [signal, exitCode] of Object.entries(SIGNALS)) {
    Deno.addSignalListener(signal as Deno.Signal, () => {
      ending.abort(new Interrupted(signal, exitCode));
    });
  }
  try {
    // The first time on a machine, packages have to come from the network; that does not count.
    const modules = [CLI, ...["hub.ts", "publisher.ts", "receiver.ts"].map(moduleOf)];
    await quietly(["cache", "--quiet", ...modules], { signal: ending.signal });
    const folder = await Folder.make();
    try {
      return await play(folder, ending);
    } finally {
      await folder.remove();
    }
  } catch (error) {
    console.error(`The demo has not come to its end: ${describe(error)}`);
    return error instanceof Interrupted ? error.exitCode : 1;
  }
}

async function play(folder: Folder, ending: AbortController): Promise<number> {
  const { signal } = ending;
  const screen = new Screen();
  const hubAddr = `127.0.0.1:${freePort()}`;
  screen.plain(
    `A hub and two clients, linked over mutual TLS on ${hubAddr}, with data in ${folder.path}`,
  );
  const onFailure = (error: Error) => ending.abort(error);
  const story = new Story({ folder, cast: cast(folder, hubAddr), screen, signal, onFailure });
  const watchdog = setTimeout(() => {
    const { missing, counts } = story.progress;
    const why = `waited for ${missing || "certificates"} (${counts})`;
    onFailure(new Error(`it takes more than ${LONGEST_MS / 1000} s: ${why}`));
  }, LONGEST_MS);
  try {
    await folder.fill(hubAddr, signal);
    await story.run();
    const handlings = await readHandledIds(folder.handledIds);
    const summary = summarize(story.progress.published, handlings);
    if (summary.lost > 0) await showLogs(folder);
    screen.plain(formatSummary(summary));
    return summary.lost === 0 ? 0 : 1;
  } catch (error) {
    await story.stop();
    if (!(error instanceof Interrupted)) await showLogs(folder);
    throw error;
  } finally {
    clearTimeout(watchdog);
  }
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message}: ${describe(error.cause)}`;
}

async function showLogs(folder: Folder): Promise<void> {
  for (const role of ["hub", "one", "two"] satisfies Role[]) {
    const text = await Deno.readTextFile(folder.log(role)).catch(() => "");
    if (text === "") continue;
    const lines = text.trimEnd().split("\n").slice(-LOG_LINES_SHOWN);
    console.error(`--- end of the log of ${role}\n${lines.join("\n")}`);
  }
}

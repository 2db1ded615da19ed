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
import { Folder, type Role } from "./folder.ts";
import { freePort } from "./free_port.ts";
import { readHandledIds } from "./handled_ids.ts";
import { Screen } from "./screen.ts";
import { Story } from "./story.ts";

/** With the time that ending takes, the demo is over within 30 s. */
const LONGEST_MS = 26_000;
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
  const screen = new Screen((error) => ending.abort(error));
  try {
    await fetchPackages(ending.signal);
  } catch (error) {
    return report(ending.signal.aborted ? ending.signal.reason : error);
  }
  const folder = await Folder.make();
  try {
    return await play(folder, screen, ending);
  } finally {
    await folder.remove();
  }
}

/** The first time on a machine, packages have to come from the network; that does not count. */
async function fetchPackages(signal: AbortSignal): Promise<void> {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["cache", "--quiet", ...["hub.ts", "publisher.ts", "receiver.ts"].map(moduleOf)],
    stdout: "null",
    stderr: "piped",
    signal,
  }).output();
  signal.throwIfAborted();
  if (!success) throw new Error(`cannot fetch packages: ${new TextDecoder().decode(stderr)}`);
}

async function play(folder: Folder, screen: Screen, ending: AbortController): Promise<number> {
  const hubAddr = `127.0.0.1:${freePort()}`;
  screen.plain(
    `A hub and two clients, linked over mutual TLS on ${hubAddr}, with data in ${folder.path}`,
  );
  const story = new Story({
    folder,
    cast: cast(folder, hubAddr),
    screen,
    signal: ending.signal,
    onFailure: (error) => ending.abort(error),
  });
  const watchdog = setTimeout(() => {
    const missing = story.progress.missing;
    ending.abort(new Error(`it takes more than ${LONGEST_MS / 1000} s; waited for ${missing}`));
  }, LONGEST_MS);
  try {
    await folder.fill(hubAddr);
    await story.run();
    return await summarize(story, folder, screen);
  } catch (error) {
    await story.stop();
    if (!(error instanceof Interrupted)) await showLogs(folder);
    return report(error);
  } finally {
    clearTimeout(watchdog);
  }
}

async function summarize(story: Story, folder: Folder, screen: Screen): Promise<number> {
  const { published } = story.progress;
  const handlings = await readHandledIds(folder.handledIds);
  const received = new Set(handlings);
  const lost = published.difference(received).size;
  const repeated = handlings.length - received.size;
  if (lost > 0) await showLogs(folder);
  screen.plain(
    `published ${published.size}, received ${received.size}, repeated ${repeated}, lost ${lost}`,
  );
  return lost === 0 ? 0 : 1;
}

function report(error: unknown): number {
  console.error(`The demo has not come to its end: ${describe(error)}`);
  return error instanceof Interrupted ? error.exitCode : 1;
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

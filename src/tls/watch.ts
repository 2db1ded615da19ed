import { type Clock, messageOf, systemClock } from "../base/mod.ts";
import {
  type CredentialPaths,
  type Credentials,
  loadCredentials,
  readBounded,
  type ReadFile,
} from "./load.ts";

/** Options of {@linkcode watchCredentials}. */
export interface WatchCredentialsOptions {
  /**
   * What is in use now. The first check compares the files with it; without it, the first check
   * that loads the files calls `onChange`.
   */
  readonly current?: Credentials;
  /** Takes what the files hold after a change. What it throws goes to `onError`. */
  readonly onChange: (credentials: Credentials) => void | Promise<void>;
  /** Takes what is wrong with the files, each problem once. What is in use stays in use. Must not throw. */
  readonly onError: (error: Error) => void;
  /** Milliseconds from one check to the next. Integer of at least 1. @default {10_000} */
  readonly pollMs?: number;
  /** Ends the watch. */
  readonly signal: AbortSignal;
  /** Replacement for the file system, for tests. */
  readonly readFile?: ReadFile;
  /** Replacement for the clock, for tests. */
  readonly clock?: Clock;
}

/** A watch over certificate files. */
export interface CredentialsWatch {
  /** Looks at the files now; settles when what there is to report was reported. Never rejects. */
  check(): Promise<void>;
}

/**
 * Watches an instance's certificate, key and CA for changes of their content: at once, then every
 * `pollMs`. A set that does not belong together (because it is still being written) or is damaged
 * changes nothing and is reported once; it is looked at again each time, until it is whole. The
 * watch does not keep the process alive.
 *
 * Requires `--allow-read` for the three files.
 *
 * @param paths The three files.
 * @param options Where changes and problems go, and when to stop.
 * @returns The watch, to check between the times.
 * @throws {RangeError} When `pollMs` is outside its limits.
 */
export function watchCredentials(
  paths: CredentialPaths,
  options: WatchCredentialsOptions,
): CredentialsWatch {
  const { pollMs = 10_000, signal, clock = systemClock } = options;
  if (!Number.isInteger(pollMs) || pollMs < 1) {
    throw new RangeError(
      `Cannot check certificates every ${pollMs} ms: give an integer of at least 1`,
    );
  }
  const watch = new Watch(paths, options);
  const poll = async () => {
    await watch.check();
    if (signal.aborted) return;
    const stop = () => timer.cancel();
    const timer = clock.after(pollMs, () => {
      signal.removeEventListener("abort", stop);
      poll();
    }, { unref: true });
    signal.addEventListener("abort", stop, { once: true });
  };
  poll();
  return watch;
}

class Watch implements CredentialsWatch {
  readonly #paths: CredentialPaths;
  readonly #options: WatchCredentialsOptions;
  #current: Credentials | undefined;
  /** What the files held when they were last loaded. */
  #loaded: ReadonlyMap<string, string> | undefined;
  /** The problem that was reported last, while it lasts. */
  #problem: string | undefined;
  #running: Promise<void> | undefined;

  constructor(paths: CredentialPaths, options: WatchCredentialsOptions) {
    this.#paths = paths;
    this.#options = options;
    this.#current = options.current;
  }

  check(): Promise<void> {
    return this.#running ??= this.#check().finally(() => this.#running = undefined);
  }

  async #check(): Promise<void> {
    const { signal, onChange, onError } = this.#options;
    if (signal.aborted) return;
    try {
      const credentials = await this.#load();
      if (signal.aborted) return;
      this.#problem = undefined;
      if (credentials === undefined || sameContent(credentials, this.#current)) return;
      this.#current = credentials;
      await onChange(credentials);
    } catch (error) {
      if (signal.aborted) return;
      const problem = messageOf(error);
      if (problem === this.#problem) return;
      this.#problem = problem;
      onError(error instanceof Error ? error : new Error(problem));
    }
  }

  /** Loads the files unless they hold what they held; all checks see one reading of each file. */
  async #load(): Promise<Credentials | undefined> {
    const { readFile = readBounded, clock } = this.#options;
    const texts = new Map<string, string>();
    const failures = new Map<string, unknown>();
    for (const path of Object.values(this.#paths)) {
      try {
        texts.set(path, await readFile(path));
      } catch (error) {
        failures.set(path, error);
      }
    }
    if (failures.size === 0 && sameTexts(texts, this.#loaded)) return undefined;
    const credentials = await loadCredentials(this.#paths, {
      ...(clock === undefined ? {} : { clock }),
      readFile(path) {
        return failures.has(path)
          ? Promise.reject(failures.get(path))
          : Promise.resolve(texts.get(path)!);
      },
    });
    this.#loaded = texts;
    return credentials;
  }
}

function sameTexts(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string> | undefined) {
  return b !== undefined && [...a].every(([path, text]) => b.get(path) === text);
}

function sameContent(a: Credentials, b: Credentials | undefined): boolean {
  return b !== undefined && a.cert === b.cert && a.key === b.key && a.ca === b.ca;
}

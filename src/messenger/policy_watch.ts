import { type Clock, delay, systemClock } from "../base/mod.ts";
import { loadConfig, type ResolvedAllowedPeer } from "./config/mod.ts";

const POLL_MS = 2_000;

/** Options of {@linkcode watchPolicy}. */
export interface PolicyWatchOptions {
  /** The list that is in use. */
  readonly current: readonly ResolvedAllowedPeer[];
  /** Takes a list that differs from the last one. */
  readonly onChange: (allowedPeers: readonly ResolvedAllowedPeer[]) => void;
  /** Takes what is wrong with the file, once for each state of it. */
  readonly onError: (error: unknown) => void;
  /** Ends the watch. */
  readonly signal: AbortSignal;
  /** Milliseconds from one look to the next. @default {2_000} */
  readonly pollMs?: number;
  /** Replaces the clock. */
  readonly clock?: Clock;
}

/**
 * Watches the list of allowed peers in a configuration file. Looking every two seconds works on
 * every file system and through renaming, mounting and symbolic links, where notifications do not.
 *
 * @param path The configuration file.
 * @param options Where changes and problems go.
 */
export function watchPolicy(path: string, options: PolicyWatchOptions): void {
  const { signal, pollMs = POLL_MS, clock = systemClock } = options;
  let known = JSON.stringify(options.current);
  let problem = "";
  let changedAt = -1;
  const look = async (): Promise<void> => {
    try {
      const { mtime, size } = await Deno.stat(path);
      const state = (mtime?.getTime() ?? 0) + size / 2 ** 40;
      // A file that was just written may be written again within the same tick of its time stamp.
      if (state === changedAt && clock.now() - (mtime?.getTime() ?? 0) > 2 * pollMs) return;
      changedAt = state;
      const { hub } = await loadConfig(path);
      problem = "";
      const found = JSON.stringify(hub.allowedPeers);
      if (found === known || signal.aborted) return;
      known = found;
      options.onChange(hub.allowedPeers);
    } catch (error) {
      const message = String(error);
      if (message === problem || signal.aborted) return;
      problem = message;
      options.onError(error);
    }
  };
  const run = async (): Promise<void> => {
    while (!signal.aborted) {
      await look();
      try {
        await delay(clock, pollMs, signal, { unref: true });
      } catch {
        return;
      }
    }
  };
  run();
}

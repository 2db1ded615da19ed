import type { Party } from "./rounds.ts";

/** Name of the limit that writes. */
export const RAW = "limit raw: writeSync a line";
/** Name of the limit that writes and syncs. */
export const SYNC = "limit sync: writeSync + syncDataSync a line";

/** What the runtime can do at best: one line, one write. */
export function rawLimit(line: Uint8Array, count: number): Party {
  return { what: RAW, count, run: (dir) => writeLines(`${dir}/raw.jsonl`, line, count) };
}

/** What the disk can do at best: one line, one write, one sync. */
export function syncLimit(line: Uint8Array, count: number): Party {
  return {
    what: SYNC,
    count,
    run: (dir) => writeLines(`${dir}/sync.jsonl`, line, count, { sync: true }),
  };
}

/** Writes a line again and again. @returns Milliseconds. */
export function writeLines(
  path: string,
  line: Uint8Array,
  count: number,
  options: { readonly sync?: boolean } = {},
): number {
  using file = Deno.openSync(path, { create: true, append: true });
  const began = performance.now();
  if (options.sync) {
    for (let i = 0; i < count; i++) {
      file.writeSync(line);
      file.syncDataSync();
    }
  } else {
    for (let i = 0; i < count; i++) file.writeSync(line);
  }
  return performance.now() - began;
}

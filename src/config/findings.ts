import type { ConfigProblem } from "../base/mod.ts";

/** How keys are spelt where the configuration comes from: `snake` in YAML, `camel` in code. */
export type Spelling = "snake" | "camel";

/** `sync_interval_ms` to `syncIntervalMs`, in every part of a path. */
export function toCamel(path: string): string {
  return path.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** Every problem that was found, and where, so that no consequence of one is reported as another. */
export class Findings {
  /** In the order of the table. Paths are spelt as in the source. */
  readonly problems: ConfigProblem[] = [];
  readonly #faulty = new Set<string>();

  /** @param spelling How the source spells its keys. */
  constructor(readonly spelling: Spelling) {}

  /** A path or key of the table, in the source's spelling. */
  spell(path: string): string {
    return this.spelling === "camel" ? toCamel(path) : path;
  }

  /**
   * Notes a problem.
   *
   * @param path Where, as the table spells it.
   * @param message What is wrong and what would be right.
   */
  add(path: string, message: string): void {
    this.#faulty.add(path);
    this.problems.push({ path: this.spell(path), message });
  }

  /** Notes a problem of something that the table does not know; the path is shown as it is. */
  addVerbatim(path: string, message: string): void {
    this.problems.push({ path, message });
  }

  /** Whether a path, or a section that it is in, already has a problem. */
  has(path: string): boolean {
    if (this.#faulty.has(path) || this.#faulty.has("")) return true;
    for (let end = path.length - 1; end > 0; end--) {
      const next = path[end];
      if ((next === "." || next === "[") && this.#faulty.has(path.slice(0, end))) return true;
    }
    return false;
  }
}

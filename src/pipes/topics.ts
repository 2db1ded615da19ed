import { quote } from "../base/mod.ts";
import { InvalidTopicError } from "./errors.ts";

/** Stands for one level of a topic. */
const ONE = "*";
/** Stands for one level or more, at the end. */
const REST = ">";
const LENGTH_MAX = 255;

/**
 * Splits a topic into its levels.
 *
 * @throws {InvalidTopicError} When it is none: 1 to 255 characters, levels that are not empty between
 *   dots, no white space, no `*` or `>`.
 */
export function topicLevels(topic: unknown): readonly string[] {
  const levels = split(topic);
  if (levels === undefined || levels.some((level) => level.includes(ONE) || level.includes(REST))) {
    throw new InvalidTopicError(`${shown(topic)} is not a topic: ${RULES}`);
  }
  return levels;
}

/**
 * Splits a pattern of topics into its levels.
 *
 * @throws {InvalidTopicError} When it is none: as a topic, but a level may be `*`, and the last one `>`.
 */
export function patternLevels(pattern: unknown): readonly string[] {
  const levels = split(pattern);
  const isOne = (level: string, index: number) =>
    level === ONE || (level === REST && index === levels!.length - 1) ||
    !(level.includes(ONE) || level.includes(REST));
  if (levels === undefined || !levels.every(isOne)) {
    throw new InvalidTopicError(
      `${
        shown(pattern)
      } is not a pattern of topics: ${RULES}; "*" may stand for a level, ">" for the rest`,
    );
  }
  return levels;
}

const RULES = 'give 1 to 255 characters without white space, levels between dots, as in "a.b.c"';

function split(topic: unknown): readonly string[] | undefined {
  if (typeof topic !== "string" || topic.length > LENGTH_MAX || /\s/.test(topic)) return undefined;
  const levels = topic.split(".");
  return levels.includes("") ? undefined : levels;
}

function shown(topic: unknown): string {
  return typeof topic === "string" ? quote(topic) : `A ${typeof topic}`;
}

class Level<T> {
  readonly below = new Map<string, Level<T>>();
  /** Those whose pattern ends here. */
  readonly here = new Set<T>();

  get isEmpty(): boolean {
    return this.below.size === 0 && this.here.size === 0;
  }
}

/** Who has asked for which topics. */
export class TopicTree<T> {
  readonly #root = new Level<T>();

  /** Adds one that asks for a pattern. */
  add(pattern: readonly string[], item: T): void {
    let level = this.#root;
    for (const name of pattern) {
      let next = level.below.get(name);
      if (next === undefined) level.below.set(name, next = new Level());
      level = next;
    }
    level.here.add(item);
  }

  /** Removes one, and every level that nobody needs any more. */
  delete(pattern: readonly string[], item: T): void {
    const path = [this.#root];
    for (const name of pattern) {
      const next = path.at(-1)!.below.get(name);
      if (next === undefined) return;
      path.push(next);
    }
    path.at(-1)!.here.delete(item);
    for (let depth = pattern.length; depth > 0 && path[depth]!.isEmpty; depth--) {
      path[depth - 1]!.below.delete(pattern[depth - 1]!);
    }
  }

  /** Whether nobody asks for anything. */
  get isEmpty(): boolean {
    return this.#root.isEmpty;
  }

  /** Everyone with a pattern that a topic matches, each once. */
  match(topic: readonly string[]): ReadonlySet<T> {
    const found = new Set<T>();
    const visit = (level: Level<T>, depth: number) => {
      if (depth === topic.length) {
        for (const item of level.here) found.add(item);
        return;
      }
      const rest = level.below.get(REST);
      if (rest !== undefined) { for (const item of rest.here) found.add(item); }
      const one = level.below.get(ONE);
      if (one !== undefined) visit(one, depth + 1);
      const named = level.below.get(topic[depth]!);
      if (named !== undefined) visit(named, depth + 1);
    };
    visit(this.#root, 0);
    return found;
  }
}

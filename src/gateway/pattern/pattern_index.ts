import { isCompanion, withoutCompanion } from "./names.ts";

/** Channels whose patterns are remembered. */
const FOUND_MAX = 50_000;

interface Node<T> {
  readonly children: Map<string, Node<T>>;
  /** The child of the segment `*`. */
  star: Node<T> | undefined;
  /** What a pattern that ends here has; absent when none does. */
  here: Held<T> | undefined;
  /** What a pattern that goes on with a trailing `**` has. */
  rest: Held<T> | undefined;
}

interface Held<T> {
  readonly pattern: string;
  value: T;
}

/**
 * A map from patterns to values that finds all patterns which match a channel. A segment `*` matches
 * one segment of any text, a last segment `**` any number of them, none included; every other
 * segment itself. Companion channels are matched by patterns that end in their ending alone.
 *
 * A tree over segments: a lookup visits at most the nodes whose pattern so far matches. What was found
 * is remembered until a pattern is added or removed.
 */
export class PatternIndex<T> {
  #plain = node<T>();
  #companions = node<T>();
  /** What was found for channels since the patterns changed last. */
  readonly #found = new Map<string, readonly T[]>();
  #size = 0;

  /** Number of patterns. */
  get size(): number {
    return this.#size;
  }

  /** The value of a pattern itself. */
  get(pattern: string): T | undefined {
    let at: Node<T> | undefined = this.#root(pattern);
    const { segments, rest } = parse(pattern);
    for (const segment of segments) {
      at = segment === "*" ? at.star : at.children.get(segment);
      if (at === undefined) return undefined;
    }
    return (rest ? at.rest : at.here)?.value;
  }

  /** Gives a pattern a value, instead of the one that it had. */
  set(pattern: string, value: T): void {
    this.#found.clear();
    let at = this.#root(pattern);
    const { segments, rest } = parse(pattern);
    for (const segment of segments) {
      let next: Node<T> | undefined = segment === "*" ? at.star : at.children.get(segment);
      if (next === undefined) {
        next = node();
        if (segment === "*") at.star = next;
        else at.children.set(segment, next);
      }
      at = next;
    }
    const held = rest ? at.rest : at.here;
    if (held !== undefined) {
      held.value = value;
      return;
    }
    if (rest) at.rest = { pattern, value };
    else at.here = { pattern, value };
    this.#size++;
  }

  /** Removes a pattern. @returns Whether there was one. */
  delete(pattern: string): boolean {
    const path = [this.#root(pattern)];
    const { segments, rest } = parse(pattern);
    for (const segment of segments) {
      const at = path.at(-1)!;
      const next = segment === "*" ? at.star : at.children.get(segment);
      if (next === undefined) return false;
      path.push(next);
    }
    const last = path.at(-1)!;
    if ((rest ? last.rest : last.here) === undefined) return false;
    this.#found.clear();
    if (rest) last.rest = undefined;
    else last.here = undefined;
    this.#size--;
    for (let depth = segments.length; depth > 0 && isEmpty(path[depth]!); depth--) {
      const segment = segments[depth - 1]!;
      const parent = path[depth - 1]!;
      if (segment === "*") parent.star = undefined;
      else parent.children.delete(segment);
    }
    return true;
  }

  /** The values of all patterns that match a channel, in no order. */
  match(channel: string): readonly T[] {
    const known = this.#found.get(channel);
    if (known !== undefined) return known;
    const found: T[] = [];
    const name = withoutCompanion(channel);
    collect(name === channel ? this.#plain : this.#companions, segmentsOf(name), 0, found);
    if (this.#found.size >= FOUND_MAX) this.#found.clear();
    this.#found.set(channel, found);
    return found;
  }

  /** Every pattern with its value, in no order. */
  *entries(): Generator<readonly [pattern: string, value: T]> {
    const open = [this.#plain, this.#companions];
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      for (const held of [at.here, at.rest]) if (held) yield [held.pattern, held.value];
      open.push(...at.children.values());
      if (at.star) open.push(at.star);
    }
  }

  #root(pattern: string): Node<T> {
    return isCompanion(pattern) ? this.#companions : this.#plain;
  }
}

/**
 * Whether a pattern matches a channel, the slow and plain way; for one pattern at a time.
 *
 * @param pattern The pattern, or the name of a channel, which matches itself.
 * @param channel The concrete channel.
 */
export function patternMatches(pattern: string, channel: string): boolean {
  if (isCompanion(pattern) !== isCompanion(channel)) return false;
  const { segments, rest } = parse(pattern);
  const texts = withoutCompanion(channel).split(".");
  if (rest ? texts.length < segments.length : texts.length !== segments.length) return false;
  return segments.every((segment, n) => segment === "*" || segment === texts[n]);
}

function parse(pattern: string): { segments: string[]; rest: boolean } {
  const segments = withoutCompanion(pattern).split(".");
  const rest = segments.at(-1) === "**";
  if (rest) segments.pop();
  return { segments, rest };
}

function node<T>(): Node<T> {
  return { children: new Map(), star: undefined, here: undefined, rest: undefined };
}

function isEmpty<T>({ children, star, here, rest }: Node<T>): boolean {
  return children.size === 0 && star === undefined && here === undefined && rest === undefined;
}

/** What `split` gives, which takes twice as long for a text that it has not seen. */
function segmentsOf(name: string): string[] {
  const segments: string[] = [];
  let from = 0;
  for (let dot = name.indexOf("."); dot >= 0; dot = name.indexOf(".", from)) {
    segments.push(name.slice(from, dot));
    from = dot + 1;
  }
  segments.push(from === 0 ? name : name.slice(from));
  return segments;
}

/** Walks along the segments from one on; the texts are cut once, so that each is hashed once. */
function collect<T>(at: Node<T>, segments: readonly string[], from: number, found: T[]): void {
  for (;; from++) {
    const { children, here, rest, star } = at;
    if (rest !== undefined) found.push(rest.value);
    if (from === segments.length) {
      if (here !== undefined) found.push(here.value);
      return;
    }
    const next = children.size === 0 ? undefined : children.get(segments[from]!);
    if (next === undefined) {
      if (star === undefined) return;
      at = star;
    } else {
      if (star !== undefined) collect(star, segments, from + 1, found);
      at = next;
    }
  }
}

import { isCompanion, withoutCompanion } from "./names.ts";

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
 * A tree over segments: a lookup visits at most the nodes whose pattern so far matches.
 */
export class PatternIndex<T> {
  #plain = node<T>();
  #companions = node<T>();
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
  match(channel: string): T[] {
    const found: T[] = [];
    const name = withoutCompanion(channel);
    collect(name === channel ? this.#plain : this.#companions, name, 0, found);
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

/** Walks along the segments that begin at `from`; beyond the end of the name there are none left. */
function collect<T>(at: Node<T>, name: string, from: number, found: T[]): void {
  for (;;) {
    if (at.rest !== undefined) found.push(at.rest.value);
    if (from > name.length) {
      if (at.here !== undefined) found.push(at.here.value);
      return;
    }
    const { children, star } = at;
    const dot = name.indexOf(".", from);
    const end = dot < 0 ? name.length : dot;
    const next = children.size === 0 ? undefined : children.get(name.slice(from, end));
    from = end + 1;
    if (next === undefined) {
      if (star === undefined) return;
      at = star;
    } else {
      if (star !== undefined) collect(star, name, from, found);
      at = next;
    }
  }
}

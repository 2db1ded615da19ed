import { MessengerError, quote } from "../../base/mod.ts";

/** A route pattern that cannot be read. */
export class GlobSyntaxError extends MessengerError {
  /** The name of the class. */
  override readonly name = "GlobSyntaxError";
  /**
   * Makes the error.
   *
   * @param pattern The pattern.
   * @param why What is wrong with it.
   */
  constructor(pattern: string, why: string) {
    super("glob_invalid", `${quote(pattern)} is no pattern: ${why}`);
  }
}

/** Longest pattern, in characters. */
const PATTERN_MAX = 1024;
/** Deepest nesting of alternatives. */
const DEPTH_MAX = 16;

/** Whether one character takes a state to the next one. */
type Test = (code: number) => boolean;

interface State {
  /** Undefined: the states of `free` are reached without a character. */
  test: Test | undefined;
  /** Where a character leads. */
  next: number;
  /** Where no character leads. */
  readonly free: number[];
}

/**
 * A pattern for whole strings, as routes use them: `*` and `**` any run, `?` one character, `[abc]`, `[a-z]` and
 * `[!a-z]` classes, `{a,b}` alternatives, a backslash takes the meaning from what follows. No character is a
 * separator, so `*` also crosses dots.
 *
 * A match takes time in proportion to pattern and text, whatever either looks like.
 */
export class Glob {
  /** The pattern as it was given. */
  readonly pattern: string;
  readonly #states: readonly State[];
  readonly #start: number;

  /**
   * Reads a pattern.
   *
   * @param pattern The pattern, at most 1,024 characters.
   * @throws {GlobSyntaxError} When it cannot be read.
   */
  constructor(pattern: string) {
    this.pattern = pattern;
    const compiler = new Compiler(pattern);
    this.#start = compiler.compile();
    this.#states = compiler.states;
  }

  /** Whether all of a text fits. */
  matches(text: string): boolean {
    const states = this.#states;
    let current = new Set<number>();
    const enter = (into: Set<number>, index: number): void => {
      const waiting = [index];
      for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
        if (into.has(at)) continue;
        into.add(at);
        waiting.push(...states[at]!.free);
      }
    };
    enter(current, this.#start);
    for (const character of text) {
      const code = character.codePointAt(0)!;
      const following = new Set<number>();
      for (const at of current) {
        const state = states[at]!;
        if (state.test?.(code)) enter(following, state.next);
      }
      if (following.size === 0) return false;
      current = following;
    }
    return current.has(END);
  }
}

const END = 0;
const anything: Test = () => true;

/** Builds the states from the end of the pattern's parts to their beginnings. */
class Compiler {
  readonly states: State[] = [{ test: undefined, next: END, free: [] }];
  readonly #pattern: string;
  readonly #characters: readonly string[];
  #at = 0;

  constructor(pattern: string) {
    this.#pattern = pattern;
    this.#characters = [...pattern];
    if (this.#characters.length > PATTERN_MAX) {
      throw this.#error(`it has more than ${PATTERN_MAX} characters`);
    }
  }

  compile(): number {
    const parts = this.#sequence(0);
    return this.#chain(parts, END);
  }

  /** Parts up to the end, or up to the `,` or `}` of the alternatives that they are in. */
  #sequence(depth: number): Part[] {
    const parts: Part[] = [];
    while (this.#at < this.#characters.length) {
      const character = this.#characters[this.#at]!;
      if (depth > 0 && (character === "," || character === "}")) break;
      this.#at++;
      parts.push(this.#part(character, depth));
    }
    return parts;
  }

  #part(character: string, depth: number): Part {
    switch (character) {
      case "*":
        while (this.#characters[this.#at] === "*") this.#at++;
        return { kind: "run" };
      case "?":
        return { kind: "one", test: anything };
      case "[":
        return { kind: "one", test: this.#class() };
      case "{":
        return this.#alternatives(depth + 1);
      case "\\":
        return { kind: "one", test: literal(this.#take("nothing follows its backslash")) };
      default:
        return { kind: "one", test: literal(character) };
    }
  }

  #class(): Test {
    const negated = this.#characters[this.#at] === "!";
    if (negated) this.#at++;
    const ranges: (readonly [number, number])[] = [];
    const unclosed = 'a "[" has no "]"';
    for (;;) {
      let from = this.#take(unclosed);
      if (from === "]") break;
      if (from === "\\") from = this.#take(unclosed);
      let to = from;
      if (this.#characters[this.#at] === "-" && this.#characters[this.#at + 1] !== "]") {
        this.#at++;
        to = this.#take(unclosed);
        if (to === "\\") to = this.#take(unclosed);
      }
      const range = [from.codePointAt(0)!, to.codePointAt(0)!] as const;
      if (range[0] > range[1]) throw this.#error(`the range ${from}-${to} runs backwards`);
      ranges.push(range);
    }
    if (ranges.length === 0) throw this.#error("a class has nothing in it");
    return (code) => ranges.some(([low, high]) => code >= low && code <= high) !== negated;
  }

  #alternatives(depth: number): Part {
    if (depth > DEPTH_MAX) throw this.#error(`more than ${DEPTH_MAX} "{" are open at once`);
    const branches = [this.#sequence(depth)];
    for (;;) {
      const character = this.#take('a "{" has no "}"');
      if (character === "}") return { kind: "either", branches };
      branches.push(this.#sequence(depth));
    }
  }

  #take(missing: string): string {
    const character = this.#characters[this.#at++];
    if (character === undefined) throw this.#error(missing);
    return character;
  }

  #chain(parts: readonly Part[], end: number): number {
    let next = end;
    for (const part of parts.toReversed()) next = this.#state(part, next);
    return next;
  }

  #state(part: Part, next: number): number {
    if (part.kind === "one") return this.#add({ test: part.test, next, free: [] });
    if (part.kind === "run") {
      const run = this.#add({ test: anything, next, free: [next] });
      this.states[run]!.next = run;
      return run;
    }
    const free = part.branches.map((branch) => this.#chain(branch, next));
    return this.#add({ test: undefined, next, free });
  }

  #add(state: State): number {
    return this.states.push(state) - 1;
  }

  #error(why: string): GlobSyntaxError {
    return new GlobSyntaxError(this.#pattern, why);
  }
}

type Part =
  | { readonly kind: "one"; readonly test: Test }
  | { readonly kind: "run" }
  | { readonly kind: "either"; readonly branches: readonly (readonly Part[])[] };

function literal(character: string): Test {
  const expected = character.codePointAt(0)!;
  return (code) => code === expected;
}

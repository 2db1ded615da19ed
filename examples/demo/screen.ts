import type { Reading } from "./readings.ts";

/** Writes what happens, a line each: in colour on a terminal, as plain text into a pipe. */
export class Screen {
  readonly #began = performance.now();
  readonly #isColoured = Deno.stdout.isTerminal() && !Deno.noColor;

  /** Something happened to a program. */
  step(text: string): void {
    this.#line(this.#isColoured ? `\x1b[1m${text}\x1b[0m` : text);
  }

  /** Client two has handled a reading, perhaps once more. */
  reading({ number, kind, text }: Reading, delayMs: number, isRepeated: boolean): void {
    const label = `${`#${number}`.padStart(6)}  ${kind.padEnd(7)}  ${text.padEnd(34)}`;
    const delay = `${delayMs} ms`.padStart(8);
    const end = isRepeated ? `${delay}  (again)` : delay;
    this.#line(`${label}  ${this.#isColoured ? `\x1b[2m${end}\x1b[0m` : end}`);
  }

  /** A line without the time before it. */
  plain(text: string): void {
    console.log(text);
  }

  #line(text: string): void {
    const seconds = ((performance.now() - this.#began) / 1000).toFixed(1);
    this.plain(`${seconds.padStart(5)} s  ${text}`);
  }
}

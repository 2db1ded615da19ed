import type { LogFields, Logger, LogLevel } from "../../src/base/mod.ts";

/** One line of a log. */
export interface LogLine {
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: LogFields;
}

/** A logger that keeps its lines for a test to look at. */
export class RecordingLogger implements Logger {
  readonly lines: LogLine[] = [];
  #watchers: (() => void)[] = [];

  debug(message: string, fields?: LogFields): void {
    this.#keep("debug", message, fields);
  }
  info(message: string, fields?: LogFields): void {
    this.#keep("info", message, fields);
  }
  warn(message: string, fields?: LogFields): void {
    this.#keep("warn", message, fields);
  }
  error(message: string, fields?: LogFields): void {
    this.#keep("error", message, fields);
  }

  /** The lines whose message holds a text. */
  matching(text: string): readonly LogLine[] {
    return this.lines.filter(({ message }) => message.includes(text));
  }

  /** Lines of a level and the ones above it, as `level: message`. */
  from(level: "warn" | "error"): readonly string[] {
    const wanted: readonly LogLevel[] = level === "warn" ? ["warn", "error"] : ["error"];
    return this.lines.filter((line) => wanted.includes(line.level))
      .map((line) => `${line.level}: ${line.message}`);
  }

  /** Settles when a line with that text has been logged so many times. */
  async until(text: string, times = 1): Promise<void> {
    while (this.matching(text).length < times) {
      await new Promise<void>((resolve) => this.#watchers.push(resolve));
    }
  }

  #keep(level: LogLevel, message: string, fields: LogFields = {}): void {
    this.lines.push({ level, message, fields });
    for (const wake of this.#watchers.splice(0)) wake();
  }
}

/** Named values that go with a log line. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Where the messenger says what it does. Give your own to send it elsewhere. */
export interface Logger {
  /** Steps that matter when looking for a fault. */
  debug(message: string, fields?: LogFields): void;
  /** Normal changes of state. */
  info(message: string, fields?: LogFields): void;
  /** Something to look at; service goes on. */
  warn(message: string, fields?: LogFields): void;
  /** Something failed. */
  error(message: string, fields?: LogFields): void;
}

/** Severity, from the least to the most. */
export type LogLevel = "debug" | "info" | "warn" | "error";

const LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error"];

/** Options of {@linkcode consoleLogger}. */
export interface ConsoleLoggerOptions {
  /** The least severe level that is written. @default {"info"} */
  readonly level?: LogLevel;
  /** Takes each line, without a line end. @default {console.error} */
  readonly write?: (line: string) => void;
}

/**
 * A logger that writes one line an event to standard error: time, level, message, `key=value` pairs.
 *
 * @param options The least severe level, and where lines go.
 * @returns The logger.
 *
 * @example
 * ```ts
 * import { consoleLogger } from "@keyop/messenger";
 *
 * consoleLogger({ level: "warn" }).warn("disk is filling", { free_mb: 120 });
 * ```
 */
export function consoleLogger(options: ConsoleLoggerOptions = {}): Logger {
  const least = LEVELS.indexOf(options.level ?? "info");
  const { write = console.error } = options;
  const at = (level: LogLevel) => (message: string, fields?: LogFields) => {
    if (LEVELS.indexOf(level) < least) return;
    write(
      `${new Date().toISOString()} ${level.toUpperCase().padEnd(5)} ${message}${format(fields)}`,
    );
  };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

/** A logger that keeps silent; the default of the rooms when used alone. */
export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
};

/**
 * A logger that throws nothing: what is logged is never worth the work that it is logged about.
 *
 * @param logger Where the lines go; what it throws is dropped with the line.
 */
export function guardedLogger(logger: Logger): Logger {
  const at = (level: LogLevel) => (message: string, fields?: LogFields) => {
    try {
      logger[level](message, fields);
    } catch {
      // There is nobody left to tell.
    }
  };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

function format(fields: LogFields | undefined): string {
  if (fields === undefined) return "";
  let text = "";
  for (const [key, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    text += ` ${key}=${formatValue(value)}`;
  }
  return text;
}

function formatValue(value: unknown): string {
  if (value instanceof Error) return JSON.stringify(value.message);
  if (typeof value === "string") return /^[\w.:/@+-]+$/.test(value) ? value : JSON.stringify(value);
  if (typeof value === "object") return JSON.stringify(value) ?? "undefined";
  return String(value);
}

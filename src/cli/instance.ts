import {
  type Clock,
  consoleLogger,
  DataDirLockedError,
  delay,
  type Logger,
  type LogLevel,
  quote,
  validateChannelName,
} from "../base/mod.ts";
import {
  type Config,
  loadConfig,
  Messenger,
  type MessengerOptions,
  type ResolvedConfig,
  toConfig,
} from "../messenger/mod.ts";
import { type StringSpec, UsageError } from "./command.ts";
import type { Io } from "./io.ts";

/** Names the configuration file for every command. */
export const CONFIG_VARIABLE = "KEYOP_MESSENGER_CONFIG";
/** Overrides the data directory for every command. */
export const DATA_DIR_VARIABLE = "KEYOP_MESSENGER_DATA_DIR";

const LEVELS = ["debug", "info", "warn", "error"] as const;
const KEEP_ALIVE_MS = 3_600_000;

/** `--config` and `--data-dir`, for every command that needs a data directory. */
export const dataOptions = {
  config: {
    type: "string",
    short: "c",
    summary: "The configuration file",
    valueName: "FILE",
    defaultText: CONFIG_VARIABLE,
  },
  "data-dir": {
    type: "string",
    summary: "The data directory, in place of the configuration's",
    valueName: "DIR",
    defaultText: DATA_DIR_VARIABLE,
  },
} as const;

/** `--log-level`, for every command that runs an instance. */
export function logLevelOption<const L extends LogLevel>(
  level: L,
): StringSpec & { readonly default: L } {
  return {
    type: "string",
    summary: "The least severe log lines to write to standard error",
    valueName: "LEVEL",
    choices: LEVELS,
    default: level,
  };
}

/** What `--config` and `--data-dir` were given as. */
export interface DataOptions {
  readonly config: string | undefined;
  readonly "data-dir": string | undefined;
}

/** Where an instance is described and kept. At least one of the two is known. */
export interface Place {
  /** The configuration file. */
  readonly configPath: string | undefined;
  /** The data directory that overrides the configuration's. */
  readonly dataDir: string | undefined;
}

/** The path of the configuration file; undefined when neither option nor variable names one. */
export function configPathOf(io: Io, options: DataOptions): string | undefined {
  return options.config ?? (io.env(CONFIG_VARIABLE) || undefined);
}

/**
 * Where the instance is, by options and environment.
 *
 * @throws {UsageError} When nothing says so.
 */
export function placeOf(io: Io, options: DataOptions): Place {
  const configPath = configPathOf(io, options);
  const dataDir = options["data-dir"] ?? (io.env(DATA_DIR_VARIABLE) || undefined);
  if (configPath !== undefined || dataDir !== undefined) return { configPath, dataDir };
  throw new UsageError(
    `no data directory is named: give --data-dir DIR or --config FILE, or set ${DATA_DIR_VARIABLE} ` +
      `or ${CONFIG_VARIABLE}`,
  );
}

/**
 * The data directory to look into.
 *
 * @throws {UsageError} When nothing names one.
 * @throws {ConfigError} When the configuration is needed and has problems.
 */
export async function dataDirOf(io: Io, options: DataOptions): Promise<string> {
  const { configPath, dataDir } = placeOf(io, options);
  if (dataDir !== undefined) return dataDir;
  // Who only looks needs no name, nor the permission to ask for the host's.
  const { storage } = await loadConfig(configPath!, { hostname: () => "unnamed" });
  return storage.dataDir;
}

/** A logger that writes to the command's standard error. */
export function commandLogger(io: Io, level: string): Logger {
  return consoleLogger({
    level: level as LogLevel,
    write: (line) => io.stderr.writeSync(`${line}\n`),
  });
}

/** How {@linkcode openMessenger} opens. */
export interface OpenOptions {
  /** The instance's name, in place of the configuration's. */
  readonly name: string | undefined;
  /** Whether the hub and the connections of the configuration are wanted. */
  readonly links: boolean;
  /** What to do when another process owns the data directory. */
  readonly whenOwned: string;
  readonly logger: Logger;
  readonly clock: Clock;
}

/**
 * Opens the instance at a place, taking ownership of its data directory.
 *
 * @throws {Error} When another process owns it, or the instance cannot be opened.
 */
export async function openMessenger(place: Place, options: OpenOptions): Promise<Messenger> {
  const { links, name, logger, clock } = options;
  const { configPath, dataDir } = place;
  const messengerOptions: MessengerOptions = {
    logger,
    clock,
    anyPayloadType: true,
    ...(dataDir === undefined ? {} : { dataDir }),
  };
  try {
    // Only a path lets the messenger watch the file for changes.
    if (configPath !== undefined && links && name === undefined) {
      return await Messenger.open(configPath, messengerOptions);
    }
    const config = configPath === undefined
      ? { name: name ?? hostName(), storage: { dataDir: dataDir! } }
      : configOf(await loadConfig(configPath, nameIsGiven(name)), name, links);
    return await Messenger.open(config, messengerOptions);
  } catch (error) {
    if (!(error instanceof DataDirLockedError)) throw error;
    const owner = error.pid === undefined ? "another process" : `process ${error.pid}`;
    throw new Error(
      `data directory ${quote(error.dataDir)} is owned by ${owner}: ${options.whenOwned}`,
      { cause: error },
    );
  }
}

/**
 * The host's name, which an instance without one takes.
 *
 * @throws {Error} When the permission to ask for it is missing.
 */
export function hostName(): string {
  try {
    return Deno.hostname();
  } catch {
    throw new Error(
      "the host's name cannot be read: run with --allow-sys=hostname, or give --name",
    );
  }
}

function nameIsGiven(name: string | undefined): { hostname?: () => string } {
  return name === undefined ? {} : { hostname: () => name };
}

/** A configuration that was read, with another name or without its links. */
function configOf(read: ResolvedConfig, name: string | undefined, links: boolean): Config {
  const { hub, client, ...rest } = toConfig(read);
  return {
    ...rest,
    ...(name === undefined ? {} : { name }),
    ...(links ? { hub: hub!, client: client! } : {}),
  };
}

/**
 * Checks a channel's name that was given as an argument.
 *
 * @throws {UsageError} When it is none.
 */
export function checkChannelArgument(channel: string): void {
  usageUnless(() => validateChannelName(channel));
}

/** Turns what a check throws into wrong usage. */
export function usageUnless(check: () => void): void {
  try {
    check();
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

/** Waits until the command is interrupted, keeping the process alive. */
export async function untilInterrupted(io: Io): Promise<void> {
  while (!io.signal.aborted) {
    try {
      await delay(io.clock, KEEP_ALIVE_MS, io.signal);
    } catch {
      return;
    }
  }
}

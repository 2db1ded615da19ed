import {
  type Bus,
  type BusHeaders,
  InvalidBusUrlError,
  openBus,
  validateSubject,
} from "../bus/mod.ts";
import { UsageError } from "./command.ts";
import { commandLogger, logLevelOption, usageUnless } from "./instance.ts";
import type { Io } from "./io.ts";

/** Names the bus for every command. */
export const BUS_VARIABLE = "KEYOP_MESSENGER_BUS";

/** What every command of a bus takes. */
export const busOptions = {
  url: {
    type: "string",
    short: "u",
    summary: "The bus: sqlite:FILE, nats://HOST:PORT, redis://HOST:PORT, messenger:CONFIG.yaml",
    valueName: "URL",
    defaultText: BUS_VARIABLE,
  },
  "log-level": logLevelOption("warn"),
} as const;

/** What those take that send. */
export const sendOptions = {
  base64: { type: "flag", summary: "Take the data as base64" },
  header: {
    type: "string",
    summary: "A text to send along; may be given several times",
    valueName: "NAME=VALUE",
    repeatable: true,
  },
  "correlation-id": {
    type: "string",
    summary: "Groups messages that belong together",
    valueName: "ID",
  },
  service: { type: "string", summary: "The service that sends", valueName: "NAME" },
} as const;

/** What every command of a bus says of permissions. */
export const BUS_PERMISSIONS =
  "Needs --allow-read and --allow-write for a SQLite file and those beside it (FILE-wal, FILE-shm), " +
  "--allow-net for a server, or what run needs for a messenger, and --allow-env for what the " +
  "clients of servers read.";

/** Checks a subject that was given as an argument. */
export function checkSubjectArgument(subject: string): void {
  usageUnless(() => validateSubject(subject));
}

/**
 * Opens the bus that option or variable name.
 *
 * @throws {UsageError} When nothing does, or it is no URL of a bus.
 */
export async function openBusOf(
  io: Io,
  options: { readonly url: string | undefined; readonly "log-level": string },
): Promise<Bus> {
  const url = options.url ?? (io.env(BUS_VARIABLE) || undefined);
  if (url === undefined) {
    throw new UsageError(`no bus is named: give --url URL or set ${BUS_VARIABLE}`);
  }
  try {
    return await openBus(url, { logger: commandLogger(io, options["log-level"]) });
  } catch (error) {
    if (!(error instanceof InvalidBusUrlError)) throw error;
    throw new UsageError(error.message, { cause: error });
  }
}

/** The headers that the options name. */
export function headersOf(options: {
  readonly header: readonly string[];
  readonly "correlation-id": string | undefined;
  readonly service: string | undefined;
}): BusHeaders {
  const headers: Record<string, string> = {};
  for (const text of options.header) {
    const at = text.indexOf("=");
    if (at <= 0) throw new UsageError(`--header takes NAME=VALUE, not ${JSON.stringify(text)}`);
    headers[text.slice(0, at).toLowerCase()] = text.slice(at + 1);
  }
  if (options["correlation-id"] !== undefined) {
    headers["correlation-id"] = options["correlation-id"];
  }
  if (options.service !== undefined) headers["service-name"] = options.service;
  return headers;
}

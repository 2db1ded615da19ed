import { ConfigError, messageOf } from "../base/mod.ts";

/** Largest file that is read, in bytes. */
const FILE_MAX_BYTES = 1_048_576;

/**
 * The text of a configuration file.
 *
 * Requires `--allow-read` on the file.
 *
 * @param path The file, at most 1 MiB of UTF-8.
 * @throws {ConfigError} When it cannot be read; the message says why.
 */
export async function readConfigText(path: string): Promise<string> {
  let bytes: Uint8Array;
  try {
    bytes = await readBytes(path);
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw problem(path, `cannot be read: ${whyUnreadable(error)}`, error);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    throw problem(path, "cannot be read: it is not UTF-8 text", error);
  }
}

async function readBytes(path: string): Promise<Uint8Array> {
  using file = await Deno.open(path);
  const bytes = new Uint8Array(FILE_MAX_BYTES + 1);
  let length = 0;
  while (length < bytes.length) {
    const read = await file.read(bytes.subarray(length));
    if (read === null) return bytes.subarray(0, length);
    length += read;
  }
  throw problem(path, `is larger than ${FILE_MAX_BYTES} bytes; a configuration is not`);
}

function whyUnreadable(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "there is no such file";
  if (error instanceof Deno.errors.NotCapable) return "run with --allow-read for it";
  if (error instanceof Deno.errors.PermissionDenied) return "its permissions forbid it";
  if (error instanceof Deno.errors.IsADirectory) return "it is a folder";
  return messageOf(error);
}

function problem(source: string, message: string, cause?: unknown): ConfigError {
  return new ConfigError(source, [{ path: "", message }], cause === undefined ? {} : { cause });
}

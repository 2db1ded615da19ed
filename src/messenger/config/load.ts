import { ConfigError, messageOf } from "../../base/mod.ts";
import { resolveConfig, type Surroundings } from "./defaults.ts";
import type { ResolvedConfig } from "./resolved.ts";
import { ROOT } from "./section.ts";
import { parseYaml } from "./yaml.ts";

/** Largest file that is read, in bytes. */
const FILE_MAX_BYTES = 1_048_576;

/**
 * Reads a configuration from a YAML file, checks it and fills in every default. The keys are those of
 * {@linkcode Config} in snake case. Paths in it are relative to the working directory, not to the file.
 *
 * Requires `--allow-read` on the file; see {@linkcode applyDefaults} for the name's default.
 *
 * @param path The file, at most 1 MiB.
 * @param surroundings Replaces what is read from the system, for tests.
 * @returns A frozen configuration.
 * @throws {ConfigError} When the file cannot be read, is no YAML (with line and column), or with every problem
 * of its contents at once, each under its path: `storage.sync_policy`.
 */
export async function loadConfig(
  path: string,
  surroundings: Surroundings = {},
): Promise<ResolvedConfig> {
  const document = parseYaml(path, await readText(path), ROOT);
  if (document === null || document === undefined) {
    throw problem(path, "the file is empty: it needs at least storage.data_dir, the data folder");
  }
  const { resolved, problems } = resolveConfig(document, "snake", surroundings);
  if (problems.length > 0) throw new ConfigError(path, problems);
  return resolved;
}

async function readText(path: string): Promise<string> {
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

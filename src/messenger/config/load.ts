import { ConfigError } from "../../base/mod.ts";
import { parseYaml, readConfigText } from "../../config/mod.ts";
import { resolveConfig, type Surroundings } from "./defaults.ts";
import type { ResolvedConfig } from "./resolved.ts";
import { ROOT } from "./schema.ts";

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
  const document = parseYaml(path, await readConfigText(path), ROOT);
  if (document === null || document === undefined) {
    const message = "the file is empty: it needs at least storage.data_dir, the data folder";
    throw new ConfigError(path, [{ path: "", message }]);
  }
  const { resolved, problems } = resolveConfig(document, "snake", surroundings);
  if (problems.length > 0) throw new ConfigError(path, problems);
  return resolved;
}

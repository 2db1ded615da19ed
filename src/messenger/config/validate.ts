import { ConfigError } from "../../base/mod.ts";
import { resolveConfig, type Surroundings } from "./defaults.ts";
import type { Config } from "./types.ts";

/**
 * Checks a configuration without using it.
 *
 * @param config The configuration.
 * @param surroundings Replaces what is read from the system, for tests.
 * @throws {ConfigError} With every problem at once, each under its path: `storage.syncPolicy`.
 */
export function validateConfig(config: Config, surroundings: Surroundings = {}): void {
  const { problems } = resolveConfig(config, "camel", surroundings);
  if (problems.length > 0) throw new ConfigError("configuration", problems);
}

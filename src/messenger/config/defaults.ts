import { ConfigError, type ConfigProblem } from "../../base/mod.ts";
import { deepFreeze, Findings, readSection, type Spelling } from "../../config/mod.ts";
import { checkAcross } from "./cross_checks.ts";
import type { ResolvedConfig } from "./resolved.ts";
import { ROOT } from "./schema.ts";
import type { Config } from "./types.ts";

/** What a configuration takes from its surroundings. */
export interface Surroundings {
  /** The host's name; may throw. @default {Deno.hostname} */
  readonly hostname?: () => string;
}

/**
 * Checks a configuration and fills in every default.
 *
 * Without a `name` and without `tls.cert` the host's name is taken, which needs `--allow-sys=hostname`.
 * With `tls.cert` a missing name stays "": the certificate's Common Name is meant.
 *
 * @param config The configuration; it is not changed.
 * @param surroundings Replaces what is read from the system, for tests.
 * @returns A new, frozen configuration.
 * @throws {ConfigError} With every problem at once, each under its path: `storage.syncPolicy`.
 *
 * @example
 * ```ts
 * import { applyDefaults } from "@keyop/messenger";
 *
 * const { storage } = applyDefaults({ name: "kitchen", storage: { dataDir: "./data" } });
 * console.log(storage.syncPolicy); // "periodic"
 * ```
 */
export function applyDefaults(config: Config, surroundings: Surroundings = {}): ResolvedConfig {
  const { resolved, problems } = resolveConfig(config, "camel", surroundings);
  if (problems.length > 0) throw new ConfigError("configuration", problems);
  return resolved;
}

/**
 * Reads a configuration of either spelling.
 *
 * @param source What was given: a `Config`, or what a YAML file holds.
 * @param spelling How it spells its keys.
 * @param surroundings Replaces what is read from the system.
 * @returns The configuration and its problems; with problems, defaults stand where they are.
 */
export function resolveConfig(
  source: unknown,
  spelling: Spelling,
  surroundings: Surroundings,
): { resolved: ResolvedConfig; problems: readonly ConfigProblem[] } {
  const findings = new Findings(spelling);
  const values = readSection(ROOT, source, "", findings);
  // The table has the keys of ResolvedConfig, which a test holds it to.
  const draft = values as unknown as ResolvedConfig;
  checkAcross(draft, findings);
  const name = draft.name || defaultName(draft, findings, surroundings);
  return { resolved: deepFreeze({ ...draft, name }), problems: findings.problems };
}

function defaultName(config: ResolvedConfig, findings: Findings, from: Surroundings): string {
  const certificateNames = config.tls.cert !== "" || findings.has("tls.cert");
  if (certificateNames || findings.has("") || findings.has("name")) return "";
  try {
    const name = (from.hostname ?? Deno.hostname)();
    if (name !== "") return name;
    findings.add("name", "is required: the host has no name to take");
  } catch {
    findings.add(
      "name",
      "is required: the host's name cannot be read; set it, or run with --allow-sys=hostname",
    );
  }
  return "";
}

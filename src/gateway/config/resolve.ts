import { ConfigError, type ConfigProblem } from "../../base/mod.ts";
import { deepFreeze, Findings, parseYaml, readConfigText, readSection } from "../../config/mod.ts";
import type { Spelling } from "../../config/mod.ts";
import { resolveConfig } from "../../messenger/mod.ts";
import { checkAcross, type Given } from "./cross_checks.ts";
import type { ResolvedGatewayConfig, ResolvedProxy } from "./resolved.ts";
import { ROOT } from "./schema.ts";
import { HOOKS } from "./text_checks.ts";
import type { GatewayConfig } from "./types.ts";

/** The parts of the configuration that are read as they are given, before they are completed. */
type Draft = Omit<ResolvedGatewayConfig, "broker"> & {
  readonly broker: Omit<ResolvedGatewayConfig["broker"], "messenger"> & {
    readonly messenger: { readonly config: string; readonly instance: unknown };
  };
};

/** What a configuration may leave to the program that uses it. */
export interface GatewaySurroundings {
  /** Whether the program brings the messenger instance of `broker.type: messenger`. @default {false} */
  readonly hasMessenger?: boolean;
}

/**
 * Checks a gateway's configuration and fills in every default.
 *
 * @param config The configuration; it is not changed.
 * @param surroundings What the program brings itself.
 * @returns A new, frozen configuration.
 * @throws {ConfigError} With every problem at once, each under its path: `transport.websocket.addr`.
 */
export function resolveGatewayConfig(
  config: GatewayConfig,
  surroundings: GatewaySurroundings = {},
): ResolvedGatewayConfig {
  const { resolved, problems } = resolve(config, "camel", surroundings);
  if (problems.length > 0) throw new ConfigError("configuration", problems);
  return resolved;
}

/**
 * Reads a gateway's configuration from a YAML file, checks it and fills in every default. Paths in it are
 * relative to the working directory, not to the file.
 *
 * Requires `--allow-read` on the file.
 *
 * @param path The file, at most 1 MiB.
 * @param surroundings What the program brings itself.
 * @returns A frozen configuration.
 * @throws {ConfigError} When the file cannot be read, is no YAML (with line and column), or with every problem
 * of its contents at once, each under its path: `transport.websocket.addr`.
 */
export async function loadGatewayConfig(
  path: string,
  surroundings: GatewaySurroundings = {},
): Promise<ResolvedGatewayConfig> {
  const document = parseYaml(path, await readConfigText(path), ROOT);
  const { resolved, problems } = resolve(document ?? {}, "snake", surroundings);
  if (problems.length > 0) throw new ConfigError(path, problems);
  return resolved;
}

function resolve(
  source: unknown,
  spelling: Spelling,
  surroundings: GatewaySurroundings,
): { resolved: ResolvedGatewayConfig; problems: readonly ConfigProblem[] } {
  const findings = new Findings(spelling);
  const draft = readSection(ROOT, source, "", findings) as unknown as Draft;
  const given: Given = (path) => at(source, path.split(".").map((name) => findings.spell(name)));
  const config: ResolvedGatewayConfig = {
    ...draft,
    admin: {
      ...draft.admin,
      enabled: given("admin.enabled") === undefined && given("admin") !== undefined
        ? true
        : draft.admin.enabled,
    },
    broker: {
      ...draft.broker,
      messenger: {
        config: draft.broker.messenger.config,
        instance: resolveInstance(draft.broker.messenger.instance, findings),
      },
    },
    proxy: draft.proxy.map((proxy, index) => ({
      ...proxy,
      kind: kindOf(proxy, index, given),
      hooks: proxy.hooks.length === 0 ? HOOKS : proxy.hooks,
    })),
  };
  checkAcross(config, given, findings, surroundings.hasMessenger ?? false);
  return { resolved: deepFreeze(config), problems: findings.problems };
}

function kindOf({ endpoint }: ResolvedProxy, index: number, given: Given): "http" | "grpc" {
  if (given(`proxy.${index}.grpc`) !== undefined) return "grpc";
  if (given(`proxy.${index}.http`) !== undefined) return "http";
  return /^https?:\/\//i.test(endpoint) ? "http" : "grpc";
}

/** The messenger's own table reads its part; its problems are listed under where it stands. */
function resolveInstance(
  instance: unknown,
  findings: Findings,
): ResolvedGatewayConfig["broker"]["messenger"]["instance"] {
  if (instance === undefined) return undefined;
  const base = "broker.messenger.instance";
  const { resolved, problems } = resolveConfig(instance, findings.spelling, {});
  for (const { path, message } of problems) {
    findings.addVerbatim(`${findings.spell(base)}${path === "" ? "" : `.${path}`}`, message);
  }
  return resolved;
}

function at(value: unknown, names: readonly string[]): unknown {
  let inner = value;
  for (const name of names) {
    if (typeof inner !== "object" || inner === null || !Object.hasOwn(inner, name)) {
      return undefined;
    }
    inner = (inner as Record<string, unknown>)[name];
  }
  return inner;
}

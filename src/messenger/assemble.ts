import {
  type Clock,
  consoleLogger,
  guardedLogger,
  type Logger,
  systemClock,
  systemRandom,
} from "../base/mod.ts";
import { SeenIds } from "../dedup/mod.ts";
import { EnvelopeEncoder } from "../envelope/mod.ts";
import { PayloadRegistry } from "../registry/mod.ts";
import { denoFiles, FileChannelLogs, type FileSystem } from "../storage/mod.ts";
import type { Credentials } from "../tls/mod.ts";
import type { ResolvedConfig } from "./config/mod.ts";
import type { Federation } from "./federation.ts";
import { RecordMaker } from "./record_maker.ts";
import type { MessengerOptions } from "./types.ts";

const MIB = 1024 * 1024;

/** What a messenger consists of. */
export interface Parts {
  readonly config: ResolvedConfig;
  readonly name: string;
  readonly logs: FileChannelLogs;
  /** Ids that have passed through here; undefined when nothing can come back. */
  readonly seen: SeenIds | undefined;
  readonly federation: Federation | undefined;
  readonly clock: Clock;
  readonly files: FileSystem;
  readonly logger: Logger;
  readonly registry: PayloadRegistry;
  readonly maker: RecordMaker;
  /** Writes the records of dead letters. */
  readonly deadLetters: EnvelopeEncoder;
}

/**
 * Opens everything that a configuration asks for; on failure closes what was opened.
 *
 * @param config The configuration.
 * @param configPath The file that it came from, if it came from one.
 * @param options Replacements.
 */
export async function assemble(
  config: ResolvedConfig,
  configPath: string | undefined,
  options: MessengerOptions,
): Promise<Parts> {
  const clock = options.clock ?? systemClock;
  const random = options.random ?? systemRandom;
  const logger = guardedLogger(options.logger ?? consoleLogger());
  const credentials = await credentialsOf(config, clock);
  const name = nameOf(config, credentials, logger);
  const registry = new PayloadRegistry();
  const federates = config.hub.enabled || config.client.enabled;
  const seen = federates ? new SeenIds(config.dedup.seenIdLruSize) : undefined;
  const logs = openLogs(config, options, clock, logger);
  let federation: Federation | undefined;
  try {
    if (seen !== undefined) {
      // Loaded only when needed: WebSockets ask for permissions that a local messenger does without.
      const { Federation } = await import("./federation.ts");
      federation = await Federation.start({
        config,
        configPath,
        instanceName: name,
        credentials,
        logs,
        seen,
        clock,
        random,
        logger,
      });
    }
  } catch (error) {
    await logs.close();
    throw error;
  }
  return {
    config,
    name,
    logs,
    seen,
    federation,
    clock,
    files: options.files ?? denoFiles,
    logger,
    registry,
    maker: new RecordMaker(new EnvelopeEncoder(name, clock, random), registry),
    deadLetters: new EnvelopeEncoder(name, clock, random),
  };
}

async function credentialsOf(
  { tls }: ResolvedConfig,
  clock: Clock,
): Promise<Credentials | undefined> {
  if (tls.cert === "") return undefined;
  const { loadCredentials } = await import("../tls/mod.ts");
  return await loadCredentials({ cert: tls.cert, key: tls.key, ca: tls.ca }, { clock });
}

function nameOf(
  config: ResolvedConfig,
  credentials: Credentials | undefined,
  logger: Logger,
): string {
  if (credentials === undefined) return config.name;
  const { commonName } = credentials;
  if (config.name !== "" && config.name !== commonName) {
    logger.warn(
      "the configured name is not the certificate's: peers know this instance by the latter",
      {
        name: config.name,
        certificate: commonName,
      },
    );
  }
  return config.name === "" ? commonName : config.name;
}

function openLogs(
  { storage }: ResolvedConfig,
  options: MessengerOptions,
  clock: Clock,
  logger: Logger,
): FileChannelLogs {
  return new FileChannelLogs(storage.dataDir, {
    syncPolicy: storage.syncPolicy,
    syncIntervalMs: storage.syncIntervalMs,
    segmentBytes: storage.compactionThresholdMb * MIB,
    maxFiles: storage.maxFiles,
    retentionMs: storage.retentionMs,
    files: options.files ?? denoFiles,
    clock,
    logger,
  });
}

import { consoleLogger, type Logger, systemClock, systemRandom } from "../base/mod.ts";
import { SeenIds } from "../dedup/mod.ts";
import { EnvelopeEncoder } from "../envelope/mod.ts";
import { PayloadRegistry } from "../registry/mod.ts";
import { denoFiles, FileChannelLogs } from "../storage/mod.ts";
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
  readonly clock: NonNullable<MessengerOptions["clock"]>;
  readonly logger: Logger;
  readonly registry: PayloadRegistry;
  readonly maker: RecordMaker;
  /** Writes the records of dead letters. */
  readonly deadLetters: EnvelopeEncoder;
}

/** Opens everything that a configuration asks for; on failure closes what was opened. */
export async function assemble(
  config: ResolvedConfig,
  options: MessengerOptions,
): Promise<Parts> {
  const clock = options.clock ?? systemClock;
  const random = options.random ?? systemRandom;
  const logger = options.logger ?? consoleLogger();
  const registry = new PayloadRegistry();
  const name = config.name;
  const seen = config.hub.enabled || config.client.enabled
    ? new SeenIds(config.dedup.seenIdLruSize)
    : undefined;
  const { storage } = config;
  const logs = new FileChannelLogs(storage.dataDir, {
    syncPolicy: storage.syncPolicy,
    syncIntervalMs: storage.syncIntervalMs,
    segmentBytes: storage.compactionThresholdMb * MIB,
    maxFiles: storage.maxFiles,
    retentionMs: storage.retentionMs,
    files: options.files ?? denoFiles,
    clock,
    logger,
  });
  const encoder = new EnvelopeEncoder(name, clock, random);
  return await Promise.resolve({
    config,
    name,
    logs,
    seen,
    federation: undefined,
    clock,
    logger,
    registry,
    maker: new RecordMaker(encoder, registry),
    deadLetters: new EnvelopeEncoder(name, clock, random),
  });
}

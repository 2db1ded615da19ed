import {
  type BatchMessage,
  type EphemeralConfig,
  EphemeralMessenger,
  loadConfig,
  type Messenger,
  type ResolvedConfig,
} from "../messenger/mod.ts";
import type { CredentialPaths } from "../tls/mod.ts";
import { UsageError } from "./command.ts";
import {
  commandLogger,
  configPathOf,
  type DataOptions,
  hostName,
  openMessenger,
  placeOf,
} from "./instance.ts";
import type { Io } from "./io.ts";

/** A message that is stored, and where, if that is known. */
export interface Stored {
  readonly id: string;
  readonly position?: number;
}

/** What became of a group of messages: those before the failure are stored. */
export interface Outcome {
  readonly stored: readonly Stored[];
  /** Why the next one is not. */
  readonly failure?: unknown;
}

/** Where messages go. */
export interface PublishTarget extends AsyncDisposable {
  /** Publishes messages in order. */
  publish(messages: readonly BatchMessage[]): Promise<Outcome>;
}

/** The options that say where messages go. */
export interface TargetOptions extends DataOptions {
  readonly name: string | undefined;
  readonly hub: string | undefined;
  readonly "hub-name": string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly ca: string | undefined;
  readonly "log-level": string;
}

/** Opens the data directory, or connects to the hub that `--hub` names. */
export async function openTarget(
  io: Io,
  channel: string,
  options: TargetOptions,
): Promise<PublishTarget> {
  const { hub } = options;
  if (hub !== undefined) return await openHub(io, channel, hub, options);
  for (const name of ["cert", "key", "ca", "hub-name"] as const) {
    if (options[name] !== undefined) throw new UsageError(`--${name} goes with --hub only`);
  }
  const messenger = await openMessenger(placeOf(io, options), {
    name: options.name,
    links: false,
    whenOwned: "publish through that process, or straight to a hub with --hub ADDR",
    logger: commandLogger(io, options["log-level"]),
    clock: io.clock,
  });
  return localTarget(messenger, channel);
}

function localTarget(messenger: Messenger, channel: string): PublishTarget {
  return {
    async publish(messages) {
      try {
        return { stored: await messenger.publishBatch(channel, messages) };
      } catch (failure) {
        return { stored: [], failure };
      }
    },
    [Symbol.asyncDispose]: () => messenger.close(),
  };
}

async function openHub(
  io: Io,
  channel: string,
  hubAddr: string,
  options: TargetOptions,
): Promise<PublishTarget> {
  if (options["data-dir"] !== undefined) {
    throw new UsageError("--hub and --data-dir exclude each other: a hub keeps its own data");
  }
  const messenger = new EphemeralMessenger(
    { ...await hubConfig(io, hubAddr, options), autoReconnect: false },
    { logger: commandLogger(io, options["log-level"]), clock: io.clock },
  );
  const { signal } = io;
  // One listener for all: a signal of its own for each message would cost more than the message.
  const close = () => messenger.close();
  signal.addEventListener("abort", close, { once: true });
  const dispose = async () => {
    signal.removeEventListener("abort", close);
    await messenger.close();
  };
  try {
    await messenger.connect({ signal });
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    publish: (messages) => publishAll(messenger, channel, messages, signal),
    [Symbol.asyncDispose]: dispose,
  };
}

async function publishAll(
  messenger: EphemeralMessenger,
  channel: string,
  messages: readonly BatchMessage[],
  signal: AbortSignal,
): Promise<Outcome> {
  const results = await Promise.allSettled(messages.map((message) => {
    const { payloadType, payload, ...rest } = message;
    return messenger.publish(channel, payloadType, payload, rest);
  }));
  const stored = results.flatMap((result) => result.status === "fulfilled" ? [result.value] : []);
  const failed = results.find((result) => result.status === "rejected");
  if (failed === undefined) return { stored };
  return { stored, failure: signal.aborted ? signal.reason : failed.reason };
}

/** Certificates and name come from the options, else from the configuration. */
async function hubConfig(
  io: Io,
  hubAddr: string,
  options: TargetOptions,
): Promise<EphemeralConfig> {
  const given = filesOf(options);
  const path = given === undefined || options.config !== undefined
    ? configPathOf(io, options)
    : undefined;
  const config = path === undefined
    ? undefined
    : await loadConfig(path, options.name === undefined ? {} : { hostname: () => options.name! });
  const tls = given ?? (config?.tls.cert ? config.tls : undefined);
  const instanceName = options.name ?? (config?.name || await nameFrom(tls));
  const hubName = options["hub-name"] ?? nameOfHub(config, hubAddr);
  return {
    hubAddr,
    instanceName,
    ...(tls === undefined ? {} : { tls: { cert: tls.cert, key: tls.key, ca: tls.ca } }),
    ...(hubName === undefined ? {} : { hubName }),
  };
}

function filesOf({ cert, key, ca }: TargetOptions) {
  if (cert !== undefined && key !== undefined && ca !== undefined) return { cert, key, ca };
  if (cert === undefined && key === undefined && ca === undefined) return undefined;
  throw new UsageError("--cert, --key and --ca are given together or not at all");
}

async function nameFrom(tls: CredentialPaths | undefined): Promise<string> {
  if (tls === undefined) return hostName();
  const { loadCredentials } = await import("../tls/mod.ts");
  return (await loadCredentials(tls)).commonName;
}

function nameOfHub(config: ResolvedConfig | undefined, hubAddr: string): string | undefined {
  return config?.client.hubs.find(({ addr }) => addr === hubAddr)?.name;
}

import {
  correlationId,
  hasContext,
  messageOf,
  PayloadInvalidError,
  quote,
  serviceName,
  validatePublishChannel,
} from "../base/mod.ts";
import {
  type EncodeOptions,
  type EnvelopeEncoder,
  isUuid,
  MAX_RECORD_BYTES,
} from "../envelope/mod.ts";
import type { PayloadRegistry } from "../registry/mod.ts";

const MAX_CHECKED_NAMES = 10_000;

/** Turns what a program publishes into records: checks names and payloads, adds the context's ids. */
export class RecordMaker {
  readonly #encoder: EnvelopeEncoder;
  readonly #registry: PayloadRegistry;
  readonly #checkedChannels = new Set<string>();

  /**
   * @param encoder Writes the records.
   * @param registry Knows the payloads' schemas.
   */
  constructor(encoder: EnvelopeEncoder, registry: PayloadRegistry) {
    this.#encoder = encoder;
    this.#registry = registry;
  }

  /** UUID of the record that was made last. */
  get lastId(): string {
    return this.#encoder.lastId;
  }

  /** A new UUID for a record that is made later. */
  newId(): string {
    return this.#encoder.newId();
  }

  /** Throws unless a program may publish to the channel. */
  checkChannel(channel: string): void {
    if (this.#checkedChannels.has(channel)) return;
    validatePublishChannel(channel);
    if (this.#checkedChannels.size >= MAX_CHECKED_NAMES) this.#checkedChannels.clear();
    this.#checkedChannels.add(channel);
  }

  /**
   * Asks the payload's schema.
   *
   * @returns A promise when the schema is asynchronous.
   * @throws {PayloadInvalidError} When it refuses.
   */
  check(payloadType: string, payload: unknown): void | Promise<void> {
    this.checkType(payloadType);
    const checked = this.#registry.parse(payloadType, payload);
    if (checked instanceof Promise) return checked.then(() => {});
  }

  /** Throws unless it may name a payload type. */
  checkType(payloadType: string): void {
    if (typeof payloadType === "string" && payloadType !== "") return;
    throw new PayloadInvalidError(String(payloadType), ["give a payload type that is not empty"]);
  }

  /**
   * Makes the record.
   *
   * @throws {PayloadInvalidError} When JSON cannot carry the payload, or the record is over 10 MiB.
   */
  make(
    channel: string,
    payloadType: string,
    payload: unknown,
    options: EncodeOptions | undefined,
  ): string {
    return this.makeOfJson(channel, payloadType, toJson(payloadType, payload), options);
  }

  /**
   * Makes the record of a payload that is JSON text already, without a line feed in it.
   *
   * @throws {PayloadInvalidError} When the record is over 10 MiB.
   */
  makeOfJson(
    channel: string,
    payloadType: string,
    json: string,
    options: EncodeOptions | undefined,
  ): string {
    return this.#encode(channel, payloadType, json, inContext(options));
  }

  /** {@linkcode make} with the options alone, whatever the calling context says. */
  makeAsTold(
    channel: string,
    payloadType: string,
    payload: unknown,
    options: EncodeOptions | undefined,
  ): string {
    if (options?.id !== undefined) checkedId(options.id);
    return this.#encode(channel, payloadType, toJson(payloadType, payload), options);
  }

  #encode(
    channel: string,
    payloadType: string,
    json: string,
    options: EncodeOptions | undefined,
  ): string {
    const record = this.#encoder.encode(channel, payloadType, json, options);
    if (record.length * 3 > MAX_RECORD_BYTES) checkSize(payloadType, record);
    return record;
  }
}

function toJson(payloadType: string, payload: unknown): string {
  let json: string | undefined;
  try {
    json = JSON.stringify(payload);
  } catch (error) {
    throw new PayloadInvalidError(payloadType, [`JSON cannot carry it: ${messageOf(error)}`], {
      cause: error,
    });
  }
  if (json !== undefined) return json;
  throw new PayloadInvalidError(payloadType, [`JSON cannot carry ${typeof payload}`]);
}

function checkSize(payloadType: string, record: string): void {
  const size = new TextEncoder().encode(record).length;
  if (size <= MAX_RECORD_BYTES) return;
  throw new PayloadInvalidError(payloadType, [
    `its record takes ${size} bytes, more than the limit of ${MAX_RECORD_BYTES}`,
  ]);
}

/** The options with what the calling context adds; undefined when there is nothing to say. */
export function inContext(options: EncodeOptions | undefined): EncodeOptions | undefined {
  if (options === undefined && !hasContext()) return undefined;
  return {
    id: options?.id === undefined ? undefined : checkedId(options.id),
    correlationId: options?.correlationId ?? correlationId(),
    serviceName: options?.serviceName ?? serviceName(),
  };
}

function checkedId(id: string): string {
  if (isUuid(id)) return id;
  throw new RangeError(`Cannot publish with id ${quote(id)}: give a UUID`);
}

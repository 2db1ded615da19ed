import { type Clock, type Random, systemClock, systemRandom } from "../base/mod.ts";
import { ENVELOPE_VERSION } from "./envelope.ts";
import { IdGenerator } from "./ids.ts";

/** What a record says beside its channel, type and payload. */
export interface EncodeOptions {
  /** UUID of the message; a new one when left out. */
  readonly id?: string | undefined;
  /** Left out of the record when empty. */
  readonly correlationId?: string | undefined;
  /** Left out of the record when empty. */
  readonly serviceName?: string | undefined;
}

const MAX_CACHED_HEADERS = 1_000;
const START = `{"v":${ENVELOPE_VERSION},"id":"`;
const TS = '","ts":"';

/**
 * Writes records of one instance. It formats what repeats once: a millisecond's timestamp, and the
 * part of the line that names channel, origin and payload type.
 */
export class EnvelopeEncoder {
  readonly #origin: string;
  readonly #clock: Clock;
  readonly #ids: IdGenerator;
  readonly #headers = new Map<string, Map<string, string>>();
  #cachedHeaders = 0;
  #series = -1;
  #timestamp = "";
  #lineHead = "";
  #lineTail = "";

  /** UUID of the record that was encoded last. */
  lastId = "";

  /**
   * @param origin The instance's name.
   * @param clock Where timestamps come from.
   * @param random Where ids come from.
   */
  constructor(origin: string, clock: Clock = systemClock, random: Random = systemRandom) {
    this.#origin = origin;
    this.#clock = clock;
    this.#ids = new IdGenerator(random);
  }

  /** A new UUID, for a record that is encoded later. */
  newId(): string {
    return this.#ids.next(this.#clock.now());
  }

  /**
   * @param channel A valid channel name.
   * @param payloadType What the payload is.
   * @param payload The payload as JSON text.
   * @param options Id, correlation id and service name.
   * @returns The record's line, without its line feed.
   */
  encode(
    channel: string,
    payloadType: string,
    payload: string,
    options?: EncodeOptions,
  ): string {
    const now = this.#clock.now();
    const digits = this.#ids.take(now);
    if (this.#ids.series !== this.#series) this.#stamp(now);
    let line: string;
    if (options?.id === undefined) {
      this.lastId = this.#ids.head + digits + this.#ids.tail;
      line = this.#lineHead + digits + this.#lineTail + this.#header(channel, payloadType);
    } else {
      this.lastId = options.id;
      line = START + options.id + TS + this.#timestamp + this.#header(channel, payloadType);
    }
    if (options?.correlationId) {
      line += ',"correlation_id":' + JSON.stringify(options.correlationId);
    }
    if (options?.serviceName) line += ',"service_name":' + JSON.stringify(options.serviceName);
    return line + ',"payload":' + payload + "}";
  }

  #stamp(now: number): void {
    this.#series = this.#ids.series;
    this.#timestamp = new Date(now).toISOString();
    this.#lineHead = START + this.#ids.head;
    this.#lineTail = this.#ids.tail + TS + this.#timestamp;
  }

  #header(channel: string, payloadType: string): string {
    const known = this.#headers.get(channel)?.get(payloadType);
    if (known !== undefined) return known;
    const header = `","channel":${JSON.stringify(channel)},"origin":${
      JSON.stringify(this.#origin)
    },"payload_type":${JSON.stringify(payloadType)}`;
    if (this.#cachedHeaders >= MAX_CACHED_HEADERS) {
      this.#headers.clear();
      this.#cachedHeaders = 0;
    }
    let types = this.#headers.get(channel);
    if (types === undefined) this.#headers.set(channel, types = new Map());
    types.set(payloadType, header);
    this.#cachedHeaders++;
    return header;
  }
}

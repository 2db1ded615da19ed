import type { AttributeValue, WireEvent, WireMessage } from "./frames.ts";

const decoder = new TextDecoder();

/** A message of a channel. */
export interface GatewayMessage<T = unknown> {
  /** The id that its publisher gave it; the same for all who receive it, and in history. */
  readonly id: string;
  /** Where it was published: a name, also when a pattern was subscribed. */
  readonly channel: string;
  /** Its place in the channel; 0 when the channel keeps no history of it. */
  readonly offset: number;
  /** What it is, such as `com.example.Reading`. */
  readonly type: string;
  /** Who published it, as the publisher says. */
  readonly source: string;
  /** Media type of the data. */
  readonly contentType: string;
  /** When the publisher says that it happened. */
  readonly time: Date | undefined;
  /** What it is about, as the publisher says. */
  readonly subject: string | undefined;
  /** Every attribute of the event that has no member here, by name. */
  readonly attributes: Readonly<Record<string, AttributeValue>>;
  /** JSON as values, text as a string, all else as bytes. */
  readonly data: T;
  /** Whether it was missed and is now repeated, or comes from history. */
  readonly replayed: boolean;
}

/** What is to be told of an event beside its data. */
export interface EventOptions {
  /** What it is. @default {"<channel>.message"} */
  readonly type?: string;
  /** Its id. @default {a random UUID} */
  readonly id?: string;
  /** Media type. @default {"application/json", or "application/octet-stream" for bytes} */
  readonly contentType?: string;
  /** What it is about. */
  readonly subject?: string;
  /** When it happened. */
  readonly time?: Date;
  /** More attributes: names of 1 to 20 characters of a-z and 0-9. */
  readonly attributes?: Readonly<Record<string, AttributeValue>>;
}

/**
 * Makes an event. Text stays text when its content type begins with `text/`; bytes stay bytes; all
 * else becomes JSON.
 *
 * @throws {TypeError} When JSON cannot carry the data.
 */
export function makeEvent(
  channel: string,
  source: string,
  data: unknown,
  options: EventOptions = {},
): WireEvent {
  const { contentType } = options;
  const attributes: Record<string, AttributeValue> = { ...options.attributes };
  let carried: string | Uint8Array | undefined;
  if (data instanceof Uint8Array) {
    carried = data;
    attributes.datacontenttype = contentType ?? "application/octet-stream";
  } else if (typeof data === "string" && contentType?.startsWith("text/")) {
    carried = data;
    attributes.datacontenttype = contentType;
  } else {
    carried = JSON.stringify(data) as string | undefined;
    if (carried === undefined && data !== undefined) {
      throw new TypeError(`Cannot send a ${typeof data}: JSON cannot carry it`);
    }
    attributes.datacontenttype = contentType ?? "application/json";
  }
  if (options.subject !== undefined) attributes.subject = options.subject;
  if (options.time !== undefined) attributes.time = options.time.toISOString();
  return {
    id: options.id ?? crypto.randomUUID(),
    source,
    type: options.type ?? `${channel}.message`,
    attributes,
    data: carried,
  };
}

/**
 * The data of an event.
 *
 * @throws {SyntaxError} When it is said to be JSON and is none.
 */
export function readData({ data, attributes }: WireEvent): unknown {
  if (data === undefined) return undefined;
  const contentType = contentTypeOf(data, attributes.datacontenttype);
  const json = contentType === "application/json" ||
    /^application\/([\w.-]+\+)?json\b|^text\/json\b/.test(contentType);
  if (!json && !contentType.startsWith("text/")) return data;
  const text = typeof data === "string" ? data : decoder.decode(data);
  if (!json) return text;
  // Publishers that send nothing as JSON mean nothing.
  return text === "" ? undefined : JSON.parse(text);
}

/** Makes a message of what was delivered; its data has to be read. */
export function readMessage({ id, channel, offset, event }: WireMessage): GatewayMessage {
  const { datacontenttype, time, subject, mlsource, mlchannel, mloffset, mlreplay, ...attributes } =
    event.attributes;
  return {
    id: event.id || id,
    channel: channel || String(mlchannel ?? ""),
    offset: offset || Number(mloffset ?? 0),
    type: event.type,
    source: String(mlsource ?? event.source),
    contentType: contentTypeOf(event.data, datacontenttype),
    time: readTime(time),
    subject: subject === undefined ? undefined : String(subject),
    attributes,
    data: readData(event),
    replayed: String(mlreplay) === "true",
  };
}

/** The time of an attribute; undefined when it is none. */
export function readTime(value: unknown): Date | undefined {
  const time = new Date(String(value));
  return isNaN(time.getTime()) ? undefined : time;
}

function contentTypeOf(data: unknown, said: AttributeValue | undefined): string {
  if (typeof said === "string" && said !== "") return said.toLowerCase();
  return typeof data === "string" ? "text/plain" : "application/octet-stream";
}

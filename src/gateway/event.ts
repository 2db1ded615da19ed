/** The value of one attribute of an event, with the kind that it has on the wire. */
export type AttributeValue =
  | { readonly kind: "boolean"; readonly value: boolean }
  /** A signed integer of 32 bits. */
  | { readonly kind: "integer"; readonly value: number }
  | { readonly kind: "bytes"; readonly value: Uint8Array }
  /** A timestamp is RFC 3339 with `Z`, with 0, 3, 6 or 9 digits of a second. */
  | { readonly kind: "string" | "uri" | "uri_ref" | "timestamp"; readonly value: string };

/** An event inside the gateway, whatever form it arrived in. */
export interface GatewayEvent {
  /** As its publisher named it; may be empty. */
  readonly id: string;
  /** As its publisher named it; may be empty. */
  readonly source: string;
  /** As its publisher named it; may be empty. */
  readonly type: string;
  /** Never empty. */
  readonly contentType: string;
  /** The data itself; empty when there is none. */
  readonly data: Uint8Array;
  /** Whether it arrived as text. */
  readonly isText: boolean;
  /** `subject`, `time`, `dataschema` and extensions; nothing that has a field of its own. */
  readonly attributes: ReadonlyMap<string, AttributeValue>;
}

/** Content type of text that names none. */
export const TEXT_CONTENT_TYPE = "text/plain";
/** Content type of bytes that name none. */
export const BYTES_CONTENT_TYPE = "application/octet-stream";
/** Content type of JSON. */
export const JSON_CONTENT_TYPE = "application/json";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const NO_ATTRIBUTES: ReadonlyMap<string, AttributeValue> = new Map();

/** Makes an event; what is left out is empty, and the content type that of bytes. */
export function makeEvent(fields: Partial<GatewayEvent>): GatewayEvent {
  return {
    id: fields.id ?? "",
    source: fields.source ?? "",
    type: fields.type ?? "",
    contentType: fields.contentType || (fields.isText ? TEXT_CONTENT_TYPE : BYTES_CONTENT_TYPE),
    data: fields.data ?? new Uint8Array(),
    isText: fields.isText ?? false,
    attributes: fields.attributes ?? NO_ATTRIBUTES,
  };
}

/** Makes an event whose data is JSON. */
export function makeJsonEvent(value: unknown, fields: Partial<GatewayEvent> = {}): GatewayEvent {
  return makeEvent({
    ...fields,
    contentType: JSON_CONTENT_TYPE,
    data: encoder.encode(JSON.stringify(value)),
    isText: true,
  });
}

/** The data as text; bytes that are no UTF-8 become U+FFFD. */
export function textOf(event: GatewayEvent): string {
  return decoder.decode(event.data);
}

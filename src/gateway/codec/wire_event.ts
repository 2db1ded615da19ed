import type { AttributeValue, GatewayEvent } from "../event.ts";

/** In which form data leaves: as bytes always, or as text when it arrived so. */
export type DataForm = "binary" | "preserve";

/** An event exactly as it goes out. */
export interface WireEvent {
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly attributes: readonly (readonly [name: string, value: AttributeValue])[];
  readonly data: Uint8Array;
  /** Whether the data goes out as text. */
  readonly asText: boolean;
}

/** What is delivered: the part of a broker's publication that goes to clients. */
export interface Deliverable {
  readonly id: string;
  readonly channel: string;
  /** 0 for one that is not kept. */
  readonly offset: number;
  readonly event: GatewayEvent;
}

/** Names of attributes that the gateway alone gives; a publisher's are dropped. */
export const OWN_ATTRIBUTES: ReadonlySet<string> = new Set([
  "mlsource",
  "mlchannel",
  "mloffset",
  "mlreplay",
  "mlreply",
  "mldirect",
]);

/** A publication's event as receivers see it. */
export function publicationEvent(
  { id, channel, offset, event }: Deliverable,
  form: DataForm,
  replay: boolean,
): WireEvent {
  const attributes = attributesOf(event);
  const source = channel === "" ? uriReference(event.source) || "/" : uriReference(channel);
  if (event.source !== "" && event.source !== source) {
    attributes.push(["mlsource", text(event.source)]);
  }
  // Some clients refuse an event that has no attribute of its own.
  if (channel === "") attributes.push(["mldirect", text("true")]);
  else attributes.push(["mlchannel", text(channel)]);
  if (offset !== 0) attributes.push(["mloffset", text(String(offset))]);
  if (replay) attributes.push(["mlreplay", text("true")]);
  return {
    id: event.id || id,
    source,
    type: event.type || (channel === "" ? "message" : `${channel}.message`),
    attributes,
    data: event.data,
    asText: form === "preserve" && event.isText,
  };
}

/** An event that answers a call: what its maker left out is filled in. */
export function replyEvent(
  event: GatewayEvent,
  form: DataForm,
  request: { readonly id: string; readonly channel: string; readonly method: string },
): WireEvent {
  const attributes = attributesOf(event);
  // Some clients refuse an event that has no attribute of its own.
  attributes.push(["mlreply", text(request.id)]);
  return {
    id: event.id || request.id || crypto.randomUUID(),
    source: uriReference(event.source || request.channel) || "/",
    type: event.type || `${request.method || "rpc"}.reply`,
    attributes,
    data: event.data,
    asText: form === "preserve" && event.isText,
  };
}

/** Any other event: as it is. */
export function plainEvent(event: GatewayEvent, form: DataForm): WireEvent {
  return {
    id: event.id,
    source: event.source,
    type: event.type,
    attributes: attributesOf(event),
    data: event.data,
    asText: form === "preserve" && event.isText,
  };
}

function attributesOf(event: GatewayEvent): [string, AttributeValue][] {
  const attributes: [string, AttributeValue][] = [["datacontenttype", text(event.contentType)]];
  for (const [name, value] of event.attributes) {
    // A broker may have what no client could send.
    const fits = value.kind !== "integer" || value.value === (value.value | 0);
    attributes.push([name, fits ? value : text(String(value.value))]);
  }
  return attributes;
}

function text(value: string): AttributeValue {
  return { kind: "string", value };
}

// A first segment with a colon would be read as a scheme, and "//" would begin a host.
const SAFE = /^(?!\/\/)(?:[A-Za-z0-9\-._~!$&'()*+,;=@/?]|%[0-9A-Fa-f]{2})*$/;
const WITH_SCHEME =
  /^[A-Za-z][A-Za-z0-9+.-]*:(?!\/\/)(?:[A-Za-z0-9\-._~!$&'()*+,;=@/?:]|%[0-9A-Fa-f]{2})+$/;
const ABSOLUTE =
  /^[A-Za-z][A-Za-z0-9+.-]*:\/\/[A-Za-z0-9\-._~]+(?::\d{1,5})?(?:[/?](?:[A-Za-z0-9\-._~!$&'()*+,;=@/?:]|%[0-9A-Fa-f]{2})*)?$/;

/** The text itself where it is a URI reference that every library takes, else percent-encoded. */
export function uriReference(channel: string): string {
  if (SAFE.test(channel) || WITH_SCHEME.test(channel) || ABSOLUTE.test(channel)) return channel;
  return encodeURIComponent(channel.toWellFormed());
}

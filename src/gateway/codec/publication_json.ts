import type { AttributeValue } from "../event.ts";
import type { FrameHead, PublicationForm } from "./codec.ts";
import { parseRfc3339 } from "./timestamp.ts";
import { type Deliverable, publicationEvent, type WireEvent } from "./wire_event.ts";

const decoder = new TextDecoder();

/** A frame of publications as protobuf JSON, without the detour over message objects. */
export function publicationsToJson(
  { id, timeMs }: FrameHead,
  publications: readonly Deliverable[],
  form: PublicationForm,
): string {
  let messages = "";
  for (const publication of publications) {
    if (messages !== "") messages += ",";
    messages += messageToJson(publication, form);
  }
  return `{"id":${JSON.stringify(id)},"time":"${timeMs}","publication":{"messages":[${messages}]}}`;
}

function messageToJson(publication: Deliverable, form: PublicationForm): string {
  const { id, channel, offset } = publication;
  const payload = eventToJson(publicationEvent(publication, form.data, form.replay));
  return `{"id":${JSON.stringify(id)}` +
    (channel === "" ? "" : `,"channel":${JSON.stringify(channel)}`) +
    (offset === 0 ? "" : `,"offset":"${offset}"`) +
    `,"payload":${payload}}`;
}

function eventToJson({ id, source, type, attributes, data, asText }: WireEvent): string {
  let entries = "";
  for (const [name, value] of attributes) {
    if (entries !== "") entries += ",";
    entries += `${JSON.stringify(name)}:${attributeToJson(value)}`;
  }
  return `{"id":${JSON.stringify(id)}` +
    (source === "" ? "" : `,"source":${JSON.stringify(source)}`) +
    `,"spec_version":"1.0","type":${JSON.stringify(type)},"attributes":{${entries}},` +
    (asText
      ? `"text_data":${JSON.stringify(decoder.decode(data))}}`
      : `"binary_data":"${data.toBase64()}"}`);
}

function attributeToJson({ kind, value }: AttributeValue): string {
  switch (kind) {
    case "boolean":
      return `{"ce_boolean":${value}}`;
    case "integer":
      return `{"ce_integer":${value}}`;
    case "bytes":
      return `{"ce_bytes":"${value.toBase64()}"}`;
    case "timestamp":
      return parseRfc3339(value) === undefined
        ? `{"ce_string":${JSON.stringify(value)}}`
        : `{"ce_timestamp":"${value}"}`;
    case "string":
      return `{"ce_string":${JSON.stringify(value)}}`;
    case "uri":
      return `{"ce_uri":${JSON.stringify(value)}}`;
    case "uri_ref":
      return `{"ce_uri_ref":${JSON.stringify(value)}}`;
  }
}

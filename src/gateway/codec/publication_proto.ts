import type { AttributeValue } from "../event.ts";
import { ByteWriter } from "./byte_writer.ts";
import type { FrameHead, PublicationForm } from "./codec.ts";
import { parseRfc3339 } from "./timestamp.ts";
import { type Deliverable, publicationEvent, type WireEvent } from "./wire_event.ts";

const STRING_FIELD = 3;
const TEXT_FIELDS = { string: STRING_FIELD, uri: 5, uri_ref: 6 } as const;

const writer = new ByteWriter();

/** A frame of publications in protobuf, without the detour over message objects. */
export function publicationsToProto(
  { id, timeMs }: FrameHead,
  publications: readonly Deliverable[],
  form: PublicationForm,
): Uint8Array {
  writer.begin();
  writer.text(1, id);
  writer.int(3, Math.max(0, Math.floor(timeMs)));
  const envelope = writer.open(18);
  for (const publication of publications) {
    const message = writer.open(3);
    writeText(1, publication.id);
    writeText(2, publication.channel);
    if (publication.offset !== 0) writer.int(3, publication.offset);
    const payload = writer.open(4);
    writeEvent(publicationEvent(publication, form.data, form.replay));
    writer.close(payload);
    writer.close(message);
  }
  writer.close(envelope);
  return writer.end();
}

function writeEvent(event: WireEvent): void {
  writeText(1, event.id);
  writeText(2, event.source);
  writer.text(3, "1.0");
  writeText(4, event.type);
  for (const [name, value] of event.attributes) {
    const entry = writer.open(5);
    writer.text(1, name);
    const attribute = writer.open(2);
    writeAttribute(value);
    writer.close(attribute);
    writer.close(entry);
  }
  // The bytes of a text are the same in both forms.
  writer.bytes(event.asText ? 7 : 6, event.data);
}

function writeAttribute({ kind, value }: AttributeValue): void {
  switch (kind) {
    case "boolean":
      return writer.int(1, value ? 1 : 0);
    case "integer":
      return writer.int(2, value);
    case "bytes":
      return writer.bytes(4, value);
    case "timestamp": {
      const at = parseRfc3339(value);
      if (at === undefined) return writer.text(STRING_FIELD, value);
      const timestamp = writer.open(7);
      if (at.seconds !== 0) writer.int(1, at.seconds);
      if (at.nanos !== 0) writer.int(2, at.nanos);
      return writer.close(timestamp);
    }
    default:
      return writer.text(TEXT_FIELDS[kind], value);
  }
}

function writeText(field: number, text: string): void {
  if (text !== "") writer.text(field, text);
}

import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import type { AttributeValue } from "../event.ts";
import type { FrameHead, PublicationForm } from "./codec.ts";
import { parseRfc3339 } from "./timestamp.ts";
import { type Deliverable, publicationEvent, type WireEvent } from "./wire_event.ts";

const ATTRIBUTE_FIELDS = { string: 3, uri: 5, uri_ref: 6 } as const;

/** A frame of publications in protobuf, without the detour over message objects. */
export function publicationsToProto(
  { id, timeMs }: FrameHead,
  publications: readonly Deliverable[],
  form: PublicationForm,
): Uint8Array {
  const writer = new BinaryWriter();
  writer.tag(1, WireType.LengthDelimited).string(id);
  writer.tag(3, WireType.Varint).uint64(timeMs);
  writer.tag(18, WireType.LengthDelimited).fork();
  for (const publication of publications) {
    writer.tag(3, WireType.LengthDelimited).fork();
    writeText(writer, 1, publication.id);
    writeText(writer, 2, publication.channel);
    if (publication.offset !== 0) writer.tag(3, WireType.Varint).uint64(publication.offset);
    writer.tag(4, WireType.LengthDelimited).fork();
    writeEvent(writer, publicationEvent(publication, form.data, form.replay));
    writer.join().join();
  }
  return writer.join().finish();
}

function writeEvent(writer: BinaryWriter, event: WireEvent): void {
  writeText(writer, 1, event.id);
  writeText(writer, 2, event.source);
  writer.tag(3, WireType.LengthDelimited).string("1.0");
  writeText(writer, 4, event.type);
  for (const [name, value] of event.attributes) {
    writer.tag(5, WireType.LengthDelimited).fork();
    writer.tag(1, WireType.LengthDelimited).string(name);
    writer.tag(2, WireType.LengthDelimited).fork();
    writeAttribute(writer, value);
    writer.join().join();
  }
  // The bytes of a text are the same in both forms.
  writer.tag(event.asText ? 7 : 6, WireType.LengthDelimited).bytes(event.data);
}

function writeAttribute(writer: BinaryWriter, { kind, value }: AttributeValue): void {
  switch (kind) {
    case "boolean":
      writer.tag(1, WireType.Varint).bool(value);
      return;
    case "integer":
      writer.tag(2, WireType.Varint).int32(value);
      return;
    case "bytes":
      writer.tag(4, WireType.LengthDelimited).bytes(value);
      return;
    case "timestamp": {
      const at = parseRfc3339(value);
      if (at === undefined) {
        writer.tag(ATTRIBUTE_FIELDS.string, WireType.LengthDelimited).string(value);
        return;
      }
      writer.tag(7, WireType.LengthDelimited).fork();
      if (at.seconds !== 0) writer.tag(1, WireType.Varint).int64(at.seconds);
      if (at.nanos !== 0) writer.tag(2, WireType.Varint).int32(at.nanos);
      writer.join();
      return;
    }
    default:
      writer.tag(ATTRIBUTE_FIELDS[kind], WireType.LengthDelimited).string(value);
  }
}

function writeText(writer: BinaryWriter, field: number, text: string): void {
  if (text !== "") writer.tag(field, WireType.LengthDelimited).string(text);
}

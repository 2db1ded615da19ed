import type { DecodedRecord } from "../envelope/mod.ts";
import { type Message, ReceivedMessage } from "../storage/mod.ts";
import type { Styles } from "./style.ts";
import { printable } from "./table.ts";

/** A message as a person reads it: time, origin, payload type, payload, on one line. */
export function messageLine(
  record: Pick<DecodedRecord, "ts" | "origin" | "payloadType" | "payload">,
  styles: Styles,
): string {
  const { ts, origin, payloadType, payload } = record;
  const head = printable(`${ts} ${origin} ${payloadType}`);
  return `${styles.dim(head)} ${printable(JSON.stringify(payload))}\n`;
}

/** When a message was published, as its record says. */
export function timeOf(message: Message): string {
  return message instanceof ReceivedMessage ? message.record.ts : message.timestamp.toISOString();
}

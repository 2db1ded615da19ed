import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { JsonObject } from "@bufbuild/protobuf";
import { type Codec, type Deliverable, plainEvent } from "../codec/mod.ts";
import { cloudEventOf } from "../codec/mod.ts";
import { client, shared } from "../proto/mod.ts";
import type { Disconnect } from "./disconnect.ts";
import type { Frame } from "./ports.ts";
import { type WireError, wireError } from "./wire_error.ts";

/** What an outbound frame carries. */
export type OutboundEnvelope = NonNullable<
  MessageInitShape<typeof client.OutboundMessageSchema>["envelope"]
>;

/** What is copied from a request into its answer. */
export interface RequestHead {
  readonly id: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * A frame of the gateway.
 *
 * @param request What it answers; undefined for one that the gateway begins by itself.
 * @param envelope What it carries.
 * @param nowMs Wall time in milliseconds since 1970.
 * @param metadata What is added to the request's.
 */
export function outbound(
  request: RequestHead | undefined,
  envelope: OutboundEnvelope,
  nowMs: number,
  metadata?: Readonly<Record<string, string>>,
): client.OutboundMessage {
  return create(client.OutboundMessageSchema, {
    id: request?.id ?? crypto.randomUUID(),
    metadata: { ...request?.metadata, ...metadata },
    time: BigInt(Math.max(0, Math.floor(nowMs))),
    envelope,
  });
}

/** The envelope of an error. */
export function errorEnvelope(error: WireError): OutboundEnvelope {
  return { case: "error", value: errorMessage(error) };
}

/** The message of an error. */
export function errorMessage({ code, type, message, metadata }: WireError): shared.Error {
  return create(shared.ErrorSchema, {
    code,
    type,
    message,
    ...(metadata === undefined ? {} : { metadata: metadata as JsonObject }),
  });
}

/** What an error message says. */
export function wireErrorOf({ code, type, message, metadata }: shared.Error): WireError {
  return { code, type, message, ...(metadata === undefined ? {} : { metadata }) };
}

/** The last frame of a transport that has no close codes of its own. */
export function disconnectFrame(codec: Codec, disconnect: Disconnect, nowMs: number): Frame {
  const error = wireError("DISCONNECT_ERROR", disconnect.reason);
  const envelope = errorEnvelope({ ...error, metadata: { disconnect_code: disconnect.code } });
  return { bytes: codec.encode(outbound(undefined, envelope, nowMs)) };
}

/** The frame that asks a subscriber of a channel. */
export function surveyFrame(
  codec: Codec,
  requestId: string,
  { event, channel }: Pick<Deliverable, "event" | "channel">,
  nowMs: number,
): Frame {
  const asked = { ...event, id: requestId, source: channel, type: "com.messageloop.survey" };
  const payload = cloudEventOf(plainEvent(asked, "binary"));
  const envelope = { case: "surveyRequest" as const, value: { requestId, payload } };
  return { bytes: codec.encode(outbound(undefined, envelope, nowMs)) };
}

import { fromBase64 } from "./base64.ts";
import type { AttributeValue } from "./frames.ts";
import { type GatewayMessage, readMessage } from "./message.ts";
import type { StreamPosition } from "./positions.ts";

/** Which part of a channel's history. */
export interface HistoryOptions {
  /** At most so many, up to 1,000. @default {100} */
  readonly limit?: number;
  /** Only what came after this; with `reverse`, before it. */
  readonly since?: StreamPosition;
  /** Newest first. @default {false} */
  readonly reverse?: boolean;
  /** Ends the wait. */
  readonly signal?: AbortSignal;
}

/** A part of a channel's history. */
export interface HistoryPage<T> {
  /** In the order that was asked for. */
  readonly messages: readonly GatewayMessage<T>[];
  /** Where the channel stands now. */
  readonly position: StreamPosition;
  /** Whether messages are missing between `since` and the first one. */
  readonly gap: boolean;
}

type Json = Readonly<Record<string, unknown>>;

/** What the gateway is asked. */
export function historyQuery({ limit = 100, since, reverse = false }: HistoryOptions): Json {
  return {
    limit,
    reverse,
    ...(since ? { since_offset: String(since.offset), since_epoch: since.epoch } : {}),
  };
}

/** Reads the gateway's answer. */
export function readHistory(channel: string, reply: unknown): HistoryPage<unknown> {
  const { epoch, top_offset, gap, publications } = (reply ?? {}) as Json;
  return {
    position: { epoch: String(epoch ?? ""), offset: Number(top_offset ?? 0) },
    gap: gap === true,
    messages: (Array.isArray(publications) ? publications : []).map((publication: Json) => {
      const { offset, id, type, source, time, content_type, data } = publication;
      const attributes = {
        ...(time === undefined ? {} : { time: timeText(time) }),
        ...(publication.attributes as Record<string, AttributeValue> | undefined),
        datacontenttype: String(content_type ?? ""),
      };
      return {
        ...readMessage({
          id: String(id),
          channel,
          offset: Number(offset),
          event: {
            id: String(id),
            source: String(source ?? channel),
            type: String(type),
            attributes,
            data: fromBase64(String(data ?? "")),
          },
        }),
        replayed: true,
      };
    }),
  };
}

/** Times come as RFC 3339 or in milliseconds. */
function timeText(time: unknown): string {
  const ms = Number(time);
  return Number.isFinite(ms) ? new Date(ms).toISOString() : String(time);
}

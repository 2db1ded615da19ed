import { fromJson } from "@bufbuild/protobuf";
import { assert, assertEquals } from "@std/assert";
import { ANY_TYPES } from "../../../src/gateway/codec/mod.ts";
import { client } from "../../../src/gateway/proto/mod.ts";
import type { Json } from "../helpers/client.ts";

let frames = 0;

/** An id as both SDKs of v0.1.1 make them: nanoseconds and a count. */
export function sdkId(): string {
  return `${BigInt(Date.now()) * 1_000_000n}-${++frames}`;
}

/** The first frame of an SDK. */
export function sdkConnect(token = "", autoSubscribe: readonly string[] = []): Json {
  return {
    id: sdkId(),
    connect: {
      client_id: crypto.randomUUID(),
      client_type: "sdk",
      token,
      version: "1.0.0",
      subscriptions: autoSubscribe.map((channel) => ({ channel })),
    },
  };
}

/** Fails when there is a key that v0.1.1 does not know: its Go SDK would stop to receive. */
export function assertStrict(frames: readonly Json[]): void {
  for (const frame of frames) {
    fromJson(client.OutboundMessageSchema, frame, {
      ignoreUnknownFields: false,
      registry: ANY_TYPES,
    });
  }
}

/** Attributes that the TypeScript SDK does not count. */
const UNCOUNTED = new Set(["id", "source", "type", "subject", "specversion", "datacontenttype"]);

/** Fails unless the TypeScript SDK can make an event of this: else its receive loop would end. */
export function assertEventForTypeScript(event: Json): void {
  assert(event !== undefined, "there is no event");
  assert(event.type, "the type is empty");
  assert(
    event.source && !/\s/.test(event.source),
    `the source is no URI reference: ${event.source}`,
  );
  new URL(event.source, "http://example.com/");
  const counted = Object.entries(event.attributes as Record<string, Json>)
    .filter(([name, value]) => {
      const [form] = Object.keys(value);
      return !UNCOUNTED.has(name) && ["ce_string", "ce_integer", "ce_boolean"].includes(form!);
    });
  assert(counted.length > 0, `no attribute counts: ${JSON.stringify(event.attributes)}`);
}

/** The one frame of a kind among frames. */
export function only(frames: readonly Json[], kind: string): Json {
  const found = frames.filter((frame) => kind in frame);
  assertEquals(found.length, 1, `${kind}: ${JSON.stringify(frames)}`);
  return found[0];
}

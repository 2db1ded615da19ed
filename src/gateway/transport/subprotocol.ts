import { type Codec, jsonCodec, protoCodec } from "../codec/mod.ts";

const CODECS: Readonly<Record<string, Codec>> = {
  messageloop: jsonCodec,
  "messageloop+json": jsonCodec,
  "messageloop+proto": protoCodec,
};

/** What a WebSocket speaks. */
export interface Negotiated {
  /** The name that is answered; undefined for none. */
  readonly subprotocol: string | undefined;
  readonly codec: Codec;
}

/**
 * The first offered subprotocol that is known, and its codec; JSON without a name when none is.
 *
 * @param offered Names in the client's order.
 */
export function negotiate(offered: Iterable<string>): Negotiated {
  for (const subprotocol of offered) {
    if (Object.hasOwn(CODECS, subprotocol)) return { subprotocol, codec: CODECS[subprotocol]! };
  }
  return { subprotocol: undefined, codec: jsonCodec };
}

/**
 * Frames as protobuf, for the client of the gateway; apart from it, because browsers that speak JSON
 * need not load it.
 *
 * ```ts
 * import { GatewayClient } from "@keyop/messenger/client";
 * import { protobufCodec } from "@keyop/messenger/client/protobuf";
 *
 * await using client = new GatewayClient("ws://127.0.0.1:9080/ws", { codec: protobufCodec });
 * console.log(client.state);
 * ```
 *
 * @module
 */
export { protobufCodec } from "./src/client/protobuf/mod.ts";
export type * from "./src/client/frames.ts";

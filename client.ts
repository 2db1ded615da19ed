/**
 * The client of the gateway, for browsers, Deno and Node: a connection that is made again whenever it
 * breaks, typed channels, recovery of what was missed, presence, history, calls and surveys.
 *
 * ```ts
 * import { GatewayClient } from "@keyop/messenger/client";
 *
 * await using client = new GatewayClient("ws://127.0.0.1:9080/ws");
 * client.on("disconnected", ({ reason, retryInMs }) => console.log(reason, retryInMs));
 * ```
 *
 * @module
 */
export * from "./src/client/mod.ts";

import { assert, assertEquals } from "@std/assert";
import {
  badRequest,
  Disconnect,
  DisconnectError,
  disconnectOf,
  DISCONNECTS,
  type ERROR_TYPES,
  undecodable,
  wireError,
} from "../../../src/gateway/session/mod.ts";

const CODES: readonly (readonly [keyof typeof DISCONNECTS, number, string])[] = [
  ["connectionClosed", 3000, "connection closed"],
  ["invalidToken", 3500, "invalid token"],
  ["badRequest", 3501, "bad request"],
  ["stale", 3502, "stale"],
  ["forceNoReconnect", 3503, "force disconnect"],
  ["connectionLimit", 3504, "connection limit"],
  ["channelLimit", 3505, "channel limit"],
  ["inappropriateProtocol", 3506, "inappropriate protocol"],
  ["permissionDenied", 3507, "permission denied"],
  ["notAvailable", 3508, "not available"],
  ["tooManyErrors", 3509, "too many errors"],
  ["idleTimeout", 3511, "idle timeout"],
  ["slowConsumer", 3512, "slow consumer"],
];

for (const [name, code, reason] of CODES) {
  Deno.test(`disconnect ${name} is ${code}`, () => {
    const disconnect = DISCONNECTS[name];
    assert(disconnect.equals(new Disconnect(code, reason)));
    assertEquals(disconnect.toString(), `code: ${code}, reason: ${reason}`);
  });
}

Deno.test("there are no other disconnects", () => {
  assertEquals(Object.keys(DISCONNECTS).length, CODES.length);
});

Deno.test("a disconnect is recognized inside wrapped errors", () => {
  const inner = new DisconnectError(DISCONNECTS.stale);
  const wrapped = new Error("outer", { cause: new Error("middle", { cause: inner }) });
  assertEquals(disconnectOf(wrapped), DISCONNECTS.stale);
  assertEquals(disconnectOf(inner), DISCONNECTS.stale);
  assertEquals(disconnectOf(new Error("none")), undefined);
  assertEquals(disconnectOf("text"), undefined);
  const circle = new Error("a");
  circle.cause = circle;
  assertEquals(disconnectOf(circle), undefined);
  assert(!DISCONNECTS.stale.equals(new Disconnect(3502, "other")));
});

const TYPES: readonly (readonly [keyof typeof ERROR_TYPES, string])[] = [
  ["INTERNAL_ERROR", "server_error"],
  ["AUTH_ERROR", "auth_error"],
  ["AUTH_REQUIRED", "auth_error"],
  ["ACL_ERROR", "acl_error"],
  ["PERMISSION_DENIED", "acl_error"],
  ["RPC_TIMEOUT", "timeout"],
  ["PROXY_ERROR", "proxy_error"],
  ["NO_PROXY", "request_error"],
  ["RATE_LIMITED", "rate_limit"],
  ["DISCONNECT_ERROR", "transport_error"],
];

for (const [code, type] of TYPES) {
  Deno.test(`error ${code} has type ${type}`, () => {
    assertEquals(wireError(code, "m"), { code, type, message: "m" });
  });
}

Deno.test("BAD_REQUEST says whether the frame or the request is wrong", () => {
  assertEquals([undecodable("m").code, undecodable("m").type], ["BAD_REQUEST", "client_error"]);
  assertEquals([badRequest("m").code, badRequest("m").type], ["BAD_REQUEST", "request_error"]);
});

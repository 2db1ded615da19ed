import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { formatHostPort, isLoopback, parseHostPort } from "../../src/config/mod.ts";

const VALID: readonly (readonly [addr: string, host: string, port: number])[] = [
  ["127.0.0.1:7740", "127.0.0.1", 7740],
  ["hub.example.org:1", "hub.example.org", 1],
  ["my_hub:65535", "my_hub", 65535],
  ["localhost:0", "localhost", 0],
  [":7740", "", 7740],
  ["[::1]:7740", "::1", 7740],
  ["[::]:0", "::", 0],
  ["[fe80::1%eth0]:7740", "fe80::1%eth0", 7740],
];

for (const [addr, host, port] of VALID) {
  Deno.test(`the address ${addr} has its host and port, and is joined again`, () => {
    assertEquals(parseHostPort(addr), { host, port });
    assertEquals(formatHostPort(host, port), addr);
  });
}

const INVALID: readonly (readonly [addr: string, why: string])[] = [
  ["", "has no port"],
  ["localhost", "has no port"],
  ["localhost:", "is not of the form host:port"],
  ["localhost:http", "is not of the form host:port"],
  ["localhost:65536", "the largest is 65535"],
  ["localhost:-1", "is not of the form host:port"],
  ["::1:7740", 'needs brackets around its IPv6 address, as in "[::1]:7740"'],
  ["::1", "needs brackets"],
  ["[localhost]:7740", "no IPv6 address in its brackets"],
  ["[]:7740", "no IPv6 address in its brackets"],
  ["[::1]", "is not of the form host:port"],
  ["wss://hub:7740", "is not of the form host:port"],
  ["hub/x:7740", "neither a name nor an IP address"],
  ["a b:7740", "neither a name nor an IP address"],
];

for (const [addr, why] of INVALID) {
  Deno.test(`the address ${JSON.stringify(addr)} is refused: ${why}`, () => {
    assertThrows(() => parseHostPort(addr), RangeError, why);
  });
}

for (const host of ["127.0.0.1", "127.9.8.7", "localhost", "LocalHost", "::1", "0:0:0:0:0:0:0:1"]) {
  Deno.test(`${host} is a loopback host`, () => assertEquals(isLoopback(host), true));
}

for (
  const host of ["", "0.0.0.0", "::", "10.0.0.1", "128.0.0.1", "127.example.org", "::2", "1::1"]
) {
  Deno.test(`${host || "every interface"} is no loopback host`, () => {
    assertEquals(isLoopback(host), false);
  });
}

Deno.test("parsing gives back whatever IP address and port were formatted", () => {
  const hosts = fc.oneof(fc.ipV4(), fc.ipV6());
  fc.assert(fc.property(hosts, fc.integer({ min: 0, max: 65535 }), (host, port) => {
    assertEquals(parseHostPort(formatHostPort(host, port)), { host, port });
  }));
});

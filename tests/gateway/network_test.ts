import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { networkOf } from "../../src/gateway/hub/network.ts";

const CASES: readonly (readonly [address: string, network: string])[] = [
  ["127.0.0.1", "127.0.0.1"],
  ["unknown", "unknown"],
  ["::1", "0:0:0:0::/64"],
  ["::", "0:0:0:0::/64"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
  ["2001:0DB8:0001:0002::9", "2001:db8:1:2::/64"],
  ["2001:db8::1:2:3:4:5", "2001:db8:0:1::/64"],
  ["2001:db8::", "2001:db8:0:0::/64"],
  ["fe80::1%eth0", "fe80:0:0:0::/64"],
  ["64:ff9b::192.0.2.1", "64:ff9b:0:0::/64"],
];

for (const [address, network] of CASES) {
  Deno.test(`${address} counts as ${network}`, () => assertEquals(networkOf(address), network));
}

Deno.test("addresses that share their first four groups are one network, others are not", () => {
  const group = fc.integer({ min: 1, max: 0xffff });
  const groups = fc.array(group, { minLength: 8, maxLength: 8 });
  fc.assert(fc.property(groups, groups, (one, other) => {
    const text = (parts: readonly number[]) => parts.map((part) => part.toString(16)).join(":");
    const sibling = [...one.slice(0, 4), ...other.slice(4)];
    assertEquals(networkOf(text(sibling)), networkOf(text(one)));
    const isSame = one.slice(0, 4).every((part, n) => part === other[n]);
    assertEquals(networkOf(text(other)) === networkOf(text(one)), isSame);
  }));
});

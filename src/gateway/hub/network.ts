import { isIPv6 } from "node:net";

const GROUPS = 8;
/** Groups that name a network of IPv6: a subscriber has at least all addresses below them. */
const NETWORK_GROUPS = 4;

/**
 * What counts as one address: an IPv4 address, or the network of an IPv6 one (/64), of which whoever has one address
 * has them all.
 */
export function networkOf(address: string): string {
  if (!isIPv6(address)) return address;
  const [head = "", tail] = address.split("%", 1)[0]!.split("::", 2);
  const before = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  // An IPv4 address at the end stands for two groups.
  const written = before.length + after.length + (address.includes(".") ? 1 : 0);
  const filled = tail === undefined ? [] : Array<string>(Math.max(0, GROUPS - written)).fill("0");
  const network = [...before, ...filled, ...after].slice(0, NETWORK_GROUPS);
  return `${network.map((group) => parseInt(group, 16).toString(16)).join(":")}::/64`;
}

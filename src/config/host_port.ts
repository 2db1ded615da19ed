import { isIPv6 } from "node:net";
import { quote } from "../base/mod.ts";

/** The two parts of an address. */
export interface HostPort {
  /** Host name or IP address, IPv6 without brackets; "" is every interface. */
  readonly host: string;
  /** Port, 0 to 65535. */
  readonly port: number;
}

const PARTS = /^(?:\[([^\[\]]*)\]|([^:\[\]]*)):(\d{1,5})$/;
const HOST = /^[a-zA-Z0-9_](?:[a-zA-Z0-9_.-]{0,252})$/;

/**
 * Splits `host:port`. An IPv6 address stands in brackets: `[::1]:7740`. The host may be empty (`:7740`), which
 * is every interface when it is listened on.
 *
 * @param addr The address.
 * @throws {RangeError} When it is no such address; the message says why.
 */
export function parseHostPort(addr: string): HostPort {
  const parts = PARTS.exec(addr);
  if (!parts) throw new RangeError(reasonFor(addr));
  const [, v6, name, digits] = parts;
  const port = Number(digits);
  if (port > 65535) throw new RangeError(`${quote(addr)} has port ${port}; the largest is 65535`);
  if (v6 !== undefined && !isIPv6(v6)) {
    throw new RangeError(`${quote(addr)} has no IPv6 address in its brackets`);
  }
  if (name !== undefined && name !== "" && !HOST.test(name)) {
    throw new RangeError(`${quote(addr)} has a host that is neither a name nor an IP address`);
  }
  return { host: v6 ?? name ?? "", port };
}

/**
 * Joins host and port; an IPv6 address gets its brackets.
 *
 * @param host Host name or IP address, IPv6 without brackets.
 * @param port The port.
 */
export function formatHostPort(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Whether only programs of this machine reach the host. */
export function isLoopback(host: string): boolean {
  if (host.toLowerCase() === "localhost") return true;
  if (isIPv6(host)) return /^(?:0{0,4}:){2,7}0{0,3}1$/.test(host);
  return /^127(?:\.\d{1,3}){3}$/.test(host);
}

function reasonFor(addr: string): string {
  if (isIPv6(addr) || (/^[0-9a-fA-F:]+$/.test(addr) && addr.split(":").length > 2)) {
    return `${quote(addr)} needs brackets around its IPv6 address, as in "[::1]:7740"`;
  }
  if (!addr.includes(":")) return `${quote(addr)} has no port: write it as in "127.0.0.1:7740"`;
  return `${quote(addr)} is not of the form host:port`;
}

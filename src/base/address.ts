/** A place to listen on or to dial. */
export interface Address {
  /** Host name or IP address, without brackets; empty for every address of this machine. */
  readonly host: string;
  /** From 0, which means any free one, to 65535. */
  readonly port: number;
}

/**
 * Reads `host:port`, `[IPv6]:port` or `:port`.
 *
 * @returns Undefined when it is none of these.
 */
export function parseAddress(text: string): Address | undefined {
  const match = /^(?:\[([0-9a-fA-F:.%]+)\]|([^:[\]/\s]*)):(\d{1,5})$/.exec(text);
  if (match === null) return undefined;
  const port = Number(match[3]);
  return port > 65_535 ? undefined : { host: match[1] ?? match[2]!, port };
}

/** Writes an address as `host:port`, an IPv6 host in brackets. */
export function formatAddress({ host, port }: Address): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Whether only this machine can reach the host. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}

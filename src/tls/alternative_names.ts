import { quote } from "../base/mod.ts";

/** A name or address under which a certificate's owner can be dialled. */
export interface AlternativeName {
  /** Whether it is a DNS name or an IP address. */
  readonly type: "dns" | "ip";
  /** The name, or the address written out in full. */
  readonly value: string;
}

/** Letters, digits, `-` and, for the sake of container networks, `_`. */
const LABEL = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/i;
/** A name with letters beyond ASCII, and of ASCII only what a host may hold. */
const FOREIGN = /^[\w.-]*[\u{80}-\u{10ffff}][\w.\u{80}-\u{10ffff}-]*$/u;
const IPV4 = /^(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})$/;

/**
 * The names and addresses that a certificate for an instance carries besides its common name:
 * the host part of its name where there is one, then the extra entries. The name `localhost` also
 * stands for the loopback addresses. A name that is no host at all adds nothing.
 *
 * @param instance The instance's name.
 * @param extra More DNS names and IP addresses.
 * @returns The names, each once.
 * @throws {RangeError} When an extra entry is neither a DNS name nor an IP address.
 */
export function alternativeNames(instance: string, extra: readonly string[]): AlternativeName[] {
  const names = new Map<string, AlternativeName>();
  const add = (name: AlternativeName | undefined) => {
    if (name !== undefined) names.set(`${name.type}:${name.value.toLowerCase()}`, name);
  };
  const host = hostPartOf(instance);
  add(parseAlternativeName(host));
  if (host.toLowerCase() === "localhost") {
    add(parseAlternativeName("127.0.0.1"));
    add(parseAlternativeName("::1"));
  }
  for (const entry of extra) {
    const name = parseAlternativeName(entry, { wildcard: true });
    if (name === undefined) {
      throw new RangeError(
        `Cannot use ${quote(entry)} as an alternative name: give a DNS name or an IP address, ` +
          "without a scheme or a port",
      );
    }
    add(name);
  }
  return [...names.values()];
}

/** The host of `host:port` or `[address]:port`; any other text is returned as it is. */
function hostPartOf(name: string): string {
  const bracketed = /^\[([^\]]*)\](?::\d{1,5})?$/.exec(name);
  if (bracketed !== null) return bracketed[1]!;
  return /^([^:]+):\d{1,5}$/.exec(name)?.[1] ?? name;
}

function parseAlternativeName(
  text: string,
  { wildcard = false }: { wildcard?: boolean } = {},
): AlternativeName | undefined {
  const address = parseIpv4(text) ?? parseIpv6(text);
  if (address !== undefined) return { type: "ip", value: address };
  const name = parseDnsName(text, wildcard);
  return name === undefined ? undefined : { type: "dns", value: name };
}

function parseDnsName(text: string, wildcard: boolean): string | undefined {
  // What a dialler does with a name in other letters: it looks up the name's ASCII form.
  const ascii = FOREIGN.test(text) ? URL.parse(`http://${text}/`)?.hostname : text;
  if (ascii === undefined || ascii.length > 253) return undefined;
  const labels = ascii.split(".");
  if (wildcard && labels[0] === "*" && labels.length > 1) labels.shift();
  // A name whose last label is a number would be taken for an IPv4 address.
  const valid = labels.every((label) => LABEL.test(label)) && !/^\d+$/.test(labels.at(-1)!);
  return valid ? ascii : undefined;
}

function parseIpv4(text: string): string | undefined {
  const octets = IPV4.exec(text)?.slice(1);
  return octets?.every((octet) => Number(octet) <= 255) ? text : undefined;
}

/** Eight groups: the certificate library misreads the shorter forms of mapped IPv4 addresses. */
function parseIpv6(text: string): string | undefined {
  if (!/^[0-9a-f:.]+$/i.test(text) || !text.includes(":")) return undefined;
  const short = URL.parse(`http://[${text}]/`)?.hostname.slice(1, -1);
  if (short === undefined) return undefined;
  const [head = "", tail] = short.split("::");
  const before = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = new Array<string>(8 - before.length - after.length).fill("0");
  return [...before, ...zeros, ...after].join(":");
}

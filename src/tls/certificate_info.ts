import { X509Certificate } from "node:crypto";
import { parsePem } from "./pem.ts";

/** What a certificate says about itself. */
export interface CertificateInfo {
  /** The whole subject, such as `CN=kitchen` or `O=Home, CN=kitchen`. */
  readonly subject: string;
  /** The common name, by which peers know an instance; undefined unless there is exactly one. */
  readonly commonName: string | undefined;
  /** From when it is valid. */
  readonly notBefore: Date;
  /** Until when it is valid. */
  readonly notAfter: Date;
  /** SHA-256 of the certificate: 64 hexadecimal digits in lower case. */
  readonly fingerprint: string;
  /** DNS names under which its owner may be dialled. */
  readonly dnsNames: readonly string[];
  /** IP addresses under which its owner may be dialled. */
  readonly ipAddresses: readonly string[];
  /** Whether it may sign other certificates. */
  readonly isCa: boolean;
}

/**
 * Reads what a certificate says. Nothing is verified. Needs no permission.
 *
 * @param certificate PEM text, of which the first certificate counts, or one certificate's DER bytes.
 * @returns What it says.
 * @throws {SyntaxError} When there is no certificate, or one that cannot be read.
 *
 * @example
 * ```ts
 * import { certificateInfo, generateCa } from "./mod.ts";
 *
 * const { certPem } = await generateCa({ days: 30 });
 * console.log(certificateInfo(certPem).notAfter);
 * ```
 */
export function certificateInfo(certificate: string | Uint8Array): CertificateInfo {
  const parsed = parseCertificate(
    typeof certificate === "string" ? firstCertificateOf(certificate) : certificate,
  );
  const names = (parsed.subjectAltName ?? "").split(", ");
  const valuesOf = (prefix: string) =>
    names.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
  return {
    subject: subjectOf(parsed),
    commonName: commonName(parsed),
    notBefore: new Date(parsed.validFrom),
    notAfter: new Date(parsed.validTo),
    fingerprint: parsed.fingerprint256.replaceAll(":", "").toLowerCase(),
    dnsNames: valuesOf("DNS:"),
    ipAddresses: valuesOf("IP Address:"),
    isCa: parsed.ca,
  };
}

/**
 * The name by which an instance is known to its peers: the common name of its certificate.
 *
 * @param der The certificate's bytes, as `getPeerCertificate().raw` of node:tls gives them.
 * @returns The name; undefined when the certificate has none, more than one, or one that is empty,
 * longer than 255 characters, holds control characters or is no proper text.
 */
export function commonNameOf(der: Uint8Array): string | undefined {
  return commonName(parseCertificate(der));
}

/** The subject on one line. */
export function subjectOf(certificate: X509Certificate): string {
  return (certificate.subject ?? "").replaceAll("\n", ", ").replace(/\p{Cc}/gu, "\ufffd");
}

/** The only common name of a certificate; undefined when there is none that can be trusted as a name. */
export function commonName(certificate: X509Certificate): string | undefined {
  const name: unknown = certificate.toLegacyObject().subject.CN;
  return typeof name === "string" && isCommonName(name) ? name : undefined;
}

/** Whether a text may be a common name: 1 to 255 characters of proper Unicode, none of them a control. */
export function isCommonName(name: string): boolean {
  return name.length >= 1 && name.length <= 255 && name.isWellFormed() &&
    !/[\p{Cc}\ufffd\u2028\u2029]/u.test(name);
}

/** Parses one certificate, given as a PEM block or as bytes. */
export function parseCertificate(certificate: string | Uint8Array): X509Certificate {
  try {
    return new X509Certificate(certificate);
  } catch (cause) {
    throw new SyntaxError("holds a certificate that cannot be read", { cause });
  }
}

function firstCertificateOf(pem: string): string {
  const block = parsePem(pem).find(({ label }) => label === "CERTIFICATE");
  if (block === undefined) throw new SyntaxError("holds no certificate");
  return block.pem;
}

import { createPrivateKey } from "node:crypto";
import { Buffer } from "node:buffer";
import type { Extension, Name } from "@peculiar/x509";
import { type Clock, quote, systemClock } from "../base/mod.ts";
import { alternativeNames } from "./alternative_names.ts";
import { type CertificateInfo, certificateInfo, isCommonName } from "./certificate_info.ts";
import { readIssuer } from "./issuer.ts";
import { loadX509, toBytes, type X509Library } from "./signature.ts";

const DAY_MS = 86_400_000;
/** How far a certificate's validity begins in the past, for peers whose clocks are behind. */
const CLOCK_SKEW_MS = 5 * 60_000;
const P384 = { name: "ECDSA", namedCurve: "P-384", hash: "SHA-384" } as const;
const SERVER_AUTH = "1.3.6.1.5.5.7.3.1";
const CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";

/** A new certificate with its key. */
export interface GeneratedCertificate {
  /** The certificate, as PEM. */
  readonly certPem: string;
  /** Its private key, as PEM with the label `EC PRIVATE KEY`. Keep it secret. */
  readonly keyPem: string;
  /** What the certificate says. */
  readonly info: CertificateInfo;
}

/** A new instance certificate with its key. */
export interface GeneratedInstance extends GeneratedCertificate {
  /** By how many whole days the certificate was cut short so that it does not outlive its CA. */
  readonly daysCut: number;
}

/** Options of {@linkcode generateCa}. */
export interface GenerateCaOptions {
  /** How long it is valid, in days. Integer of 1 to 36500. @default {730} */
  readonly days?: number;
  /** The CA's name. @default {"keyop-messenger CA"} */
  readonly commonName?: string;
  /** Replacement for the clock, for tests. */
  readonly clock?: Clock;
}

/** Options of {@linkcode generateInstance}. */
export interface GenerateInstanceOptions {
  /** The CA's certificate, as PEM; the first one of the text that fits the key counts. */
  readonly caCertPem: string;
  /** The CA's private key, as PEM: PKCS#8, `EC PRIVATE KEY` or `RSA PRIVATE KEY`, not encrypted. */
  readonly caKeyPem: string;
  /** The instance's name, by which its peers know it: 1 to 255 characters. */
  readonly name: string;
  /**
   * How long it is valid, in days. Integer of 1 to 36500. A certificate does not outlive its CA: it
   * ends with it, and `daysCut` says how much earlier that is. @default {730}
   */
  readonly days?: number;
  /** DNS names and IP addresses under which it can be dialled, besides its name. @default {[]} */
  readonly san?: readonly string[];
  /** What errors call the CA's certificate and key, such as their paths. */
  readonly labels?: { readonly caCert: string; readonly caKey: string };
  /** Replacement for the clock, for tests. */
  readonly clock?: Clock;
}

/**
 * Makes a certificate authority: a P-384 key and a certificate that it signs itself.
 *
 * The first call loads a certificate library, which takes about a quarter of a second and adds
 * metadata functions to the global `Reflect`. Needs no permission.
 *
 * @param options How long it is valid, and its name.
 * @returns Certificate and key.
 * @throws {RangeError} When an option is outside its limits.
 *
 * @example
 * ```ts
 * import { generateCa, generateInstance } from "./mod.ts";
 *
 * const ca = await generateCa();
 * const kitchen = await generateInstance({
 *   caCertPem: ca.certPem,
 *   caKeyPem: ca.keyPem,
 *   name: "kitchen",
 * });
 * console.log(kitchen.info.subject); // CN=kitchen
 * ```
 */
export async function generateCa(options: GenerateCaOptions = {}): Promise<GeneratedCertificate> {
  const { days = 730, commonName = "keyop-messenger CA", clock = systemClock } = options;
  checkDays(days);
  checkName(commonName);
  const x509 = await loadX509();
  const keys = await generateKeys();
  const now = clock.now();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: nameOf(x509, commonName),
    keys,
    signingAlgorithm: P384,
    notBefore: new Date(wholeSeconds(now - CLOCK_SKEW_MS)),
    notAfter: new Date(wholeSeconds(now + days * DAY_MS)),
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign,
        true,
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return await finish(certificate.toString("pem"), keys.privateKey);
}

/**
 * Makes the certificate of an instance, for use as a server and as a client: a P-384 key and a
 * certificate that the CA signs.
 *
 * The name becomes the common name. It is also an alternative name (the host that a client dials)
 * where it is a DNS name, an IP address, or one of these with a port, of which the host part is
 * taken; `localhost` brings the loopback addresses along. Any other name, such as one with a space,
 * adds none: give `san`, or name the instance in `client.hubs[].name`.
 *
 * The first call loads a certificate library, see {@linkcode generateCa}. Needs no permission.
 *
 * @param options The CA, the name, and how long it is valid.
 * @returns Certificate and key.
 * @throws {RangeError} When an option is outside its limits.
 * @throws {CertificateError} When the CA's certificate or key cannot be used.
 */
export async function generateInstance(
  options: GenerateInstanceOptions,
): Promise<GeneratedInstance> {
  const { name, days = 730, san = [], clock = systemClock } = options;
  checkDays(days);
  checkName(name);
  const names = alternativeNames(name, san);
  const now = clock.now();
  const issuer = await readIssuer(options.caCertPem, options.caKeyPem, now, options.labels);
  const x509 = await loadX509();
  const ca = new x509.X509Certificate(toBytes(issuer.certificate));
  const caKeyId = ca.getExtension(x509.SubjectKeyIdentifierExtension)?.keyId;
  const keys = await generateKeys();
  const caEnd = new Date(issuer.certificate.validTo).getTime();
  const wantedEnd = wholeSeconds(now + days * DAY_MS);
  const extensions: Extension[] = [
    new x509.BasicConstraintsExtension(false, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
    new x509.ExtendedKeyUsageExtension([SERVER_AUTH, CLIENT_AUTH]),
    await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    // The identifier as the CA states it: tools derive it from the key in different ways.
    caKeyId === undefined
      ? await x509.AuthorityKeyIdentifierExtension.create(ca.publicKey)
      : new x509.AuthorityKeyIdentifierExtension(caKeyId),
  ];
  if (names.length > 0) extensions.push(new x509.SubjectAlternativeNameExtension([...names]));
  const certificate = await x509.X509CertificateGenerator.create({
    subject: nameOf(x509, name),
    issuer: ca.subjectName,
    publicKey: keys.publicKey,
    signingKey: issuer.key,
    signingAlgorithm: issuer.algorithm,
    notBefore: new Date(wholeSeconds(now - CLOCK_SKEW_MS)),
    notAfter: new Date(Math.min(wantedEnd, caEnd)),
    extensions,
  });
  return {
    ...await finish(certificate.toString("pem"), keys.privateKey),
    daysCut: Math.floor(Math.max(0, wantedEnd - caEnd) / DAY_MS),
  };
}

function checkDays(days: number): void {
  if (!Number.isInteger(days) || days < 1 || days > 36_500) {
    throw new RangeError(
      `Cannot make a certificate for ${days} days: give an integer of 1 to 36500`,
    );
  }
}

function checkName(name: string): void {
  if (!isCommonName(name) || name.trim() !== name) {
    throw new RangeError(
      `Cannot use ${quote(name)} as a certificate's name: it takes 1 to 255 characters, ` +
        "without control characters and without spaces around them",
    );
  }
}

/** Always UTF-8: given a bare string, the library takes one that begins with `#` for hexadecimal. */
function nameOf(x509: X509Library, commonName: string): Name {
  return new x509.Name([{ CN: [{ utf8String: commonName }] }]);
}

async function generateKeys(): Promise<CryptoKeyPair> {
  return await crypto.subtle.generateKey(P384, true, ["sign", "verify"]);
}

/** Certificates count in seconds. */
function wholeSeconds(timeMs: number): number {
  return Math.floor(timeMs / 1000) * 1000;
}

async function finish(certPem: string, privateKey: CryptoKey): Promise<GeneratedCertificate> {
  const pkcs8 = Buffer.from(await crypto.subtle.exportKey("pkcs8", privateKey));
  // The form that the Go implementation's key generator reads, and that every TLS stack takes.
  const keyPem = createPrivateKey({ key: pkcs8, format: "der", type: "pkcs8" })
    .export({ format: "pem", type: "sec1" }).toString();
  return { certPem: `${certPem.trim()}\n`, keyPem, info: certificateInfo(certPem) };
}

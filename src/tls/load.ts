import type { X509Certificate } from "node:crypto";
import { CertificateError, type Clock, messageOf, systemClock } from "../base/mod.ts";
import { commonName, subjectOf } from "./certificate_info.ts";
import { findChain, readCertificates } from "./chain.ts";
import { encodePem, MAX_LENGTH } from "./pem.ts";
import { fits, readPrivateKey } from "./private_key.ts";
import { toBytes } from "./signature.ts";

/** The three files that prove who an instance is and whom it trusts. */
export interface CredentialPaths {
  /** The instance's certificate; intermediate certificates may follow it. */
  readonly cert: string;
  /** The certificate's private key. */
  readonly key: string;
  /** The certificate of the CA, or of several. */
  readonly ca: string;
}

/** An instance's certificate, key and CA, read and checked; `cert`, `key` and `ca` suit node:tls. */
export interface Credentials {
  /** The instance's certificate and intermediate ones, as PEM. */
  readonly cert: string;
  /** The private key, as PEM. */
  readonly key: string;
  /** The certificates of the CA file, as PEM. */
  readonly ca: string;
  /** The instance's name: the common name of its certificate. */
  readonly commonName: string;
  /** When the certificate expires, or an intermediate one if that is earlier. */
  readonly notAfter: Date;
  /** When the CA's certificate expires. */
  readonly caNotAfter: Date;
  /** Where all of this was read. */
  readonly paths: CredentialPaths;
}

/** Reads a file's text; the default takes at most 1 MiB. */
export type ReadFile = (path: string) => Promise<string>;

/** Options of {@linkcode loadCredentials}. */
export interface LoadCredentialsOptions {
  /** Replacement for the file system, for tests. */
  readonly readFile?: ReadFile;
  /** Replacement for the clock, for tests. */
  readonly clock?: Clock;
}

/**
 * Reads an instance's certificate, key and CA, and checks that they belong together: the key is the
 * certificate's, the CA signed the certificate, all of them are valid now, and the certificate
 * bears one common name. Certificates and keys may be of any kind that TLS takes here (ECDSA, RSA,
 * Ed25519), made by any tool.
 *
 * Requires `--allow-read` for the three files.
 *
 * @param paths The three files.
 * @param options How to read them, and what time it is.
 * @returns What was read.
 * @throws {CertificateError} When a file cannot be read or used; it names the file and says what to do.
 *
 * @example
 * ```ts ignore
 * import { loadCredentials } from "./mod.ts";
 *
 * const { commonName } = await loadCredentials({
 *   cert: "kitchen.crt",
 *   key: "kitchen.key",
 *   ca: "ca.crt",
 * });
 * ```
 */
export async function loadCredentials(
  paths: CredentialPaths,
  options: LoadCredentialsOptions = {},
): Promise<Credentials> {
  const { readFile, clock = systemClock } = options;
  const [certText, keyText, caText] = [
    await readPemFile(paths.cert, readFile),
    await readPemFile(paths.key, readFile),
    await readPemFile(paths.ca, readFile),
  ];
  const certificates = readCertificates(paths.cert, certText);
  const key = readPrivateKey(paths.key, keyText);
  const anchors = readCertificates(paths.ca, caText);
  const [certificate] = certificates as [X509Certificate];
  if (!fits(certificate, key.key)) {
    throw new CertificateError(
      paths.key,
      `does not belong to the certificate in ${paths.cert}; give the key that was made with it`,
    );
  }
  checkRoles(certificate, anchors, paths);
  const name = commonName(certificate);
  if (name === undefined) {
    throw new CertificateError(
      paths.cert,
      `the certificate (${subjectOf(certificate) || "without a subject"}) does not bear exactly ` +
        "one common name, by which peers would know this instance; " +
        'make one with "keyop-messenger keygen instance"',
    );
  }
  const chain = await findChain(certificates, anchors, paths, clock.now());
  return {
    cert: toPem(certificates),
    key: key.pem,
    ca: toPem(anchors),
    commonName: name,
    notAfter: new Date(Math.min(...chain.path.map(({ validTo }) => Date.parse(validTo)))),
    caNotAfter: new Date(chain.anchor.validTo),
    paths: { cert: paths.cert, key: paths.key, ca: paths.ca },
  };
}

/** A TLS stack trusts whatever the CA file holds to sign, so nothing but CAs may be in there. */
function checkRoles(
  certificate: X509Certificate,
  anchors: readonly X509Certificate[],
  paths: CredentialPaths,
): void {
  const stranger = anchors.find(({ ca }) => !ca);
  if (stranger !== undefined) {
    throw new CertificateError(
      paths.ca,
      `the certificate of ${subjectOf(stranger)} is not that of a CA; ` +
        "give the CA's certificate, and nothing else",
    );
  }
  if (certificate.ca) {
    throw new CertificateError(
      paths.cert,
      `the certificate of ${subjectOf(certificate)} is that of a CA, which peers refuse; ` +
        'make one for the instance with "keyop-messenger keygen instance"',
    );
  }
}

/**
 * Reads a file of a certificate or key.
 *
 * Requires `--allow-read` for the file.
 *
 * @param path The file.
 * @param readFile Replacement for the file system, for tests.
 * @returns Its text, unchecked.
 * @throws {CertificateError} When it cannot be read; it names the file and says what to do.
 */
export async function readPemFile(
  path: string,
  readFile: ReadFile = readBounded,
): Promise<string> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new CertificateError(path, describe(cause, path), { cause });
  }
}

/** Reads a file's text, or fails before it takes all memory: a path may lead to anything. */
export async function readBounded(path: string): Promise<string> {
  const file = await Deno.open(path);
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of file.readable) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > MAX_LENGTH) throw new Error("it is longer than 1 MiB");
  }
  return text + decoder.decode();
}

function describe(error: unknown, path: string): string {
  if (error instanceof Deno.errors.NotFound) {
    return "there is no such file; correct the path, or make certificates with " +
      '"keyop-messenger keygen"';
  }
  if (error instanceof Deno.errors.NotCapable) {
    return `this program may not read it; run it with --allow-read=${path}`;
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    return "permission denied; let the user that runs this program read it";
  }
  if (error instanceof Deno.errors.IsADirectory) return "is a folder, not a file";
  return `cannot be read: ${messageOf(error).split("\n", 1)[0]}`;
}

function toPem(certificates: readonly X509Certificate[]): string {
  return certificates.map((each) => encodePem("CERTIFICATE", toBytes(each))).join("");
}

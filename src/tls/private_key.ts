import { createPrivateKey, type KeyObject, type X509Certificate } from "node:crypto";
import { CertificateError } from "../base/mod.ts";
import { parsePem, type PemBlock } from "./pem.ts";

const LABELS = ["PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY", "ENCRYPTED PRIVATE KEY"];

/** A private key and the PEM block that it was read from. */
export interface PrivateKey {
  /** The key. */
  readonly key: KeyObject;
  /** Its PEM block alone, without what else the file holds. */
  readonly pem: string;
}

/**
 * Reads the first private key of a PEM text: PKCS#8, SEC1 or PKCS#1.
 *
 * @param path The file, for errors.
 * @throws {CertificateError} When there is none, or one that is encrypted or damaged.
 */
export function readPrivateKey(path: string, text: string): PrivateKey {
  const blocks = readBlocks(path, text);
  const block = blocks.find(({ label }) => LABELS.includes(label));
  if (block === undefined) {
    throw new CertificateError(path, `holds no private key, ${describeBlocks(blocks)}`);
  }
  if (block.encrypted) {
    throw new CertificateError(
      path,
      "the private key is encrypted, which is not supported; decrypt it with " +
        `"openssl pkey -in ${path} -out <file>" and keep that file readable to its user alone`,
    );
  }
  try {
    return { key: createPrivateKey(block.pem), pem: block.pem };
  } catch (cause) {
    throw new CertificateError(
      path,
      `the private key (${block.label}) is damaged or of a kind that is not supported; ` +
        "ECDSA, RSA and Ed25519 keys are",
      { cause },
    );
  }
}

/** Whether the key is the one that the certificate names. */
export function fits(certificate: X509Certificate, key: KeyObject): boolean {
  return certificate.checkPrivateKey(key);
}

/** The blocks of a PEM text, with the file's name on what is wrong with it. */
export function readBlocks(path: string, text: string): PemBlock[] {
  try {
    return parsePem(text);
  } catch (cause) {
    throw new CertificateError(path, (cause as SyntaxError).message, { cause });
  }
}

/** What a file holds instead of what was looked for. */
export function describeBlocks(blocks: readonly PemBlock[]): string {
  if (blocks.length === 0) return 'and no other PEM block ("-----BEGIN …") either';
  return `only ${[...new Set(blocks.map(({ label }) => label))].join(" and ")}`;
}

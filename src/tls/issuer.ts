import type { KeyObject, X509Certificate } from "node:crypto";
import { CertificateError } from "../base/mod.ts";
import { readCertificates } from "./chain.ts";
import { subjectOf } from "./certificate_info.ts";
import { fits, readPrivateKey } from "./private_key.ts";
import { formatTime } from "./time.ts";

/** A CA that can sign. */
export interface Issuer {
  /** Its certificate. */
  readonly certificate: X509Certificate;
  /** Its key, for Web Crypto. */
  readonly key: CryptoKey;
  /** How it signs. */
  readonly algorithm: SigningAlgorithm;
}

/** A signature algorithm with its hash, as Web Crypto names them. */
export interface SigningAlgorithm {
  readonly name: string;
  readonly namedCurve?: string;
  readonly hash?: string;
}

const CURVES: Readonly<Record<string, SigningAlgorithm>> = {
  prime256v1: { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" },
  secp384r1: { name: "ECDSA", namedCurve: "P-384", hash: "SHA-384" },
  secp521r1: { name: "ECDSA", namedCurve: "P-521", hash: "SHA-512" },
};

/**
 * Reads the certificate and the key of a CA, and checks that they can sign now.
 *
 * @param now Wall time in milliseconds since 1970.
 * @param labels What errors call the two.
 * @throws {CertificateError} When they cannot.
 */
export async function readIssuer(
  certPem: string,
  keyPem: string,
  now: number,
  labels: { readonly caCert: string; readonly caKey: string } = {
    caCert: "CA certificate",
    caKey: "CA key",
  },
): Promise<Issuer> {
  const certificates = readCertificates(labels.caCert, certPem);
  const { key } = readPrivateKey(labels.caKey, keyPem);
  const certificate = certificates.find((candidate) => fits(candidate, key));
  if (certificate === undefined) {
    throw new CertificateError(
      labels.caKey,
      `does not belong to the certificate in ${labels.caCert}; give the key that was made with it`,
    );
  }
  checkCanSign(certificate, labels.caCert, now);
  const algorithm = algorithmOf(key);
  if (algorithm === undefined) {
    throw new CertificateError(
      labels.caKey,
      'is of a kind that cannot sign here; make a CA with "keyop-messenger keygen ca"',
    );
  }
  const pkcs8 = new Uint8Array(key.export({ format: "der", type: "pkcs8" }));
  return {
    certificate,
    algorithm,
    key: await crypto.subtle.importKey("pkcs8", pkcs8, algorithm, false, ["sign"]),
  };
}

function checkCanSign(certificate: X509Certificate, path: string, now: number): void {
  if (!certificate.ca) {
    throw new CertificateError(
      path,
      `holds the certificate of ${subjectOf(certificate)}, which is no CA and cannot sign others`,
    );
  }
  const notAfter = new Date(certificate.validTo);
  if (notAfter.getTime() <= now) {
    throw new CertificateError(
      path,
      `the CA certificate expired on ${formatTime(notAfter)}; ` +
        'make a new one with "keyop-messenger keygen ca"',
    );
  }
}

function algorithmOf(key: KeyObject): SigningAlgorithm | undefined {
  switch (key.asymmetricKeyType) {
    case "ec":
      return CURVES[key.asymmetricKeyDetails?.namedCurve ?? ""];
    case "rsa":
      return { name: "RSASSA-PKCS1-v1_5", hash: "SHA-384" };
    case "ed25519":
      return { name: "Ed25519" };
    default:
      return undefined;
  }
}

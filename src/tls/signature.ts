import type { X509Certificate } from "node:crypto";

/**
 * Whether one certificate was issued by another: the names fit and the signature is right.
 *
 * @throws {TypeError} When the issuer's kind of key cannot be checked here.
 */
export async function isIssuedBy(
  certificate: X509Certificate,
  issuer: X509Certificate,
): Promise<boolean> {
  if (!certificate.checkIssued(issuer)) return false;
  // node:crypto is there anyway and checks most keys; it lacks P-521, which the library, slow to
  // load, can check.
  if (issuer.publicKey.asymmetricKeyDetails?.namedCurve !== "secp521r1") {
    return certificate.verify(issuer.publicKey);
  }
  const x509 = await loadX509();
  return await new x509.X509Certificate(toBytes(certificate)).verify({
    publicKey: new x509.X509Certificate(toBytes(issuer)).publicKey,
    signatureOnly: true,
  });
}

/** What the certificate library exports. */
export type X509Library = typeof import("@peculiar/x509");

/** The certificate library. It needs a metadata polyfill and a quarter of a second, so not before it is used. */
export async function loadX509(): Promise<X509Library> {
  await import("reflect-metadata");
  return await import("@peculiar/x509");
}

/** The certificate's DER bytes. */
export function toBytes(certificate: X509Certificate): Uint8Array<ArrayBuffer> {
  return new Uint8Array(certificate.raw);
}

import { CertificateError } from "../base/mod.ts";
import { readCertificates } from "./chain.ts";
import { readPemFile } from "./load.ts";
import { fits, readPrivateKey } from "./private_key.ts";

/** A certificate and its key as PEM, as a TLS server needs them. */
export interface ServerIdentity {
  /** The certificate, and those that lead to its authority. */
  readonly cert: string;
  /** The private key. */
  readonly key: string;
}

/**
 * Reads a server's certificate and key, and checks that they belong together. Requires `--allow-read` for the files.
 *
 * @param certPath PEM file of the certificate; those that lead to its authority may follow it.
 * @param keyPath PEM file of the private key.
 * @throws {CertificateError} When a file cannot be read or used.
 */
export async function loadServerIdentity(
  certPath: string,
  keyPath: string,
): Promise<ServerIdentity> {
  const cert = await readPemFile(certPath);
  const [certificate] = readCertificates(certPath, cert);
  const { key, pem } = readPrivateKey(keyPath, await readPemFile(keyPath));
  if (!fits(certificate!, key)) {
    throw new CertificateError(keyPath, `does not belong to the certificate in ${certPath}`);
  }
  return { cert, key: pem };
}

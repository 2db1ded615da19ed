import type { X509Certificate } from "node:crypto";
import { CertificateError } from "../base/mod.ts";
import { parseCertificate, subjectOf } from "./certificate_info.ts";
import { describeBlocks, readBlocks } from "./private_key.ts";
import { isIssuedBy } from "./signature.ts";
import { formatTime } from "./time.ts";

/** Most steps from a certificate to its CA. */
const MAX_DEPTH = 8;

/** The way from a certificate to the CA that it is trusted for. */
export interface Chain {
  /** The certificate, and the intermediate ones that lead to the CA. */
  readonly path: readonly X509Certificate[];
  /** The CA's certificate. */
  readonly anchor: X509Certificate;
}

/**
 * Reads every certificate of a PEM text.
 *
 * @param path The file, for errors.
 * @throws {CertificateError} When there is none, or one that is damaged.
 */
export function readCertificates(path: string, text: string): X509Certificate[] {
  const blocks = readBlocks(path, text);
  const certificates = blocks.filter(({ label }) => label === "CERTIFICATE");
  if (certificates.length === 0) {
    throw new CertificateError(path, `holds no certificate, ${describeBlocks(blocks)}`);
  }
  return certificates.map(({ pem }, index) => {
    try {
      return parseCertificate(pem);
    } catch (cause) {
      throw new CertificateError(
        path,
        `certificate ${index + 1} of ${certificates.length} is damaged and cannot be read`,
        { cause },
      );
    }
  });
}

/**
 * Finds the way from an instance's certificate to a CA, by names and signatures, through
 * certificates that are valid now.
 *
 * @param certificates The instance's certificate, then intermediate ones in any order.
 * @param anchors The certificates of the CA file.
 * @param paths The two files, for errors.
 * @param now Wall time in milliseconds since 1970.
 * @throws {CertificateError} When there is none, or none that is valid now.
 */
export async function findChain(
  certificates: readonly X509Certificate[],
  anchors: readonly X509Certificate[],
  paths: { readonly cert: string; readonly ca: string },
  now: number,
): Promise<Chain> {
  const intermediates = certificates.slice(1).filter(({ ca }) => ca);
  const path: X509Certificate[] = [];
  let current: X509Certificate | undefined = certificates[0];
  while (current !== undefined && path.length < MAX_DEPTH) {
    checkValidity(paths.cert, current, now, "certificate");
    path.push(current);
    const issuers = await issuersOf(current, anchors, paths);
    const anchor = issuers.find((issuer) => validityProblem(issuer, now) === undefined);
    if (anchor !== undefined) return { path, anchor };
    if (issuers.length > 0) checkValidity(paths.ca, issuers[0]!, now, "CA certificate");
    const others = intermediates.filter((candidate) => !path.includes(candidate));
    current = (await issuersOf(current, others, paths))[0];
  }
  throw notIssued(path.at(-1)!, anchors, paths);
}

async function issuersOf(
  certificate: X509Certificate,
  candidates: readonly X509Certificate[],
  paths: { readonly cert: string; readonly ca: string },
): Promise<X509Certificate[]> {
  const issuers: X509Certificate[] = [];
  for (const candidate of candidates) {
    try {
      if (await isIssuedBy(certificate, candidate)) issuers.push(candidate);
    } catch (cause) {
      throw new CertificateError(
        paths.ca,
        `the key of ${subjectOf(candidate)} is of a kind that is not supported; ` +
          "ECDSA, RSA and Ed25519 keys are",
        { cause },
      );
    }
  }
  return issuers;
}

function checkValidity(path: string, certificate: X509Certificate, now: number, what: string) {
  const problem = validityProblem(certificate, now);
  if (problem === undefined) return;
  const who = `the ${what} of ${subjectOf(certificate)}`;
  throw new CertificateError(path, `${who} ${problem}`);
}

function validityProblem(certificate: X509Certificate, now: number): string | undefined {
  const notBefore = new Date(certificate.validFrom);
  const notAfter = new Date(certificate.validTo);
  if (notAfter.getTime() <= now) {
    return `expired on ${formatTime(notAfter)}; make a new one with "keyop-messenger keygen"`;
  }
  if (notBefore.getTime() > now) {
    return `is not valid before ${formatTime(notBefore)}; ` +
      "wait until then, or set this computer's clock right";
  }
  return undefined;
}

function notIssued(
  certificate: X509Certificate,
  anchors: readonly X509Certificate[],
  paths: { readonly cert: string; readonly ca: string },
): CertificateError {
  const namesake = anchors.some(({ subject }) => subject === certificate.issuer);
  const found = namesake
    ? `the certificate of ${subjectOf(certificate)} names the CA in ${paths.ca} as its issuer, ` +
      "but that CA's key did not sign it; was the CA made anew?"
    : `the certificate of ${subjectOf(certificate)} was not issued by the CA in ${paths.ca}` +
      ` (${anchors.slice(0, 3).map(subjectOf).join("; ")}${anchors.length > 3 ? "; …" : ""})`;
  return new CertificateError(
    paths.cert,
    `${found}; sign a new one with "keyop-messenger keygen instance", or give the right CA file`,
  );
}

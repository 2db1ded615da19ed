import { generateCa, generateInstance } from "../../src/tls/mod.ts";

/** Paths of the files that one side shows and trusts. */
export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

/** The files of one side in a folder that {@linkcode writeCertificates} has filled. */
export function certificateFiles(dir: string, name: string): CertificateFiles {
  return { cert: `${dir}/${name}.crt`, key: `${dir}/${name}.key`, ca: `${dir}/ca.crt` };
}

/** What is in them. */
export function readCertificates(dir: string, name: string): CertificateFiles {
  const { cert, key, ca } = certificateFiles(dir, name);
  return {
    cert: Deno.readTextFileSync(cert),
    key: Deno.readTextFileSync(key),
    ca: Deno.readTextFileSync(ca),
  };
}

/** Makes an authority and the certificates of a hub and a client in a folder. */
export async function writeCertificates(dir: string): Promise<void> {
  const ca = await generateCa();
  await Deno.writeTextFile(`${dir}/ca.crt`, ca.certPem);
  for (const name of ["hub", "client"]) {
    const { certPem, keyPem } = await generateInstance({
      caCertPem: ca.certPem,
      caKeyPem: ca.keyPem,
      name,
      san: ["127.0.0.1"],
    });
    const files = certificateFiles(dir, name);
    await Deno.writeTextFile(files.cert, certPem);
    await Deno.writeTextFile(files.key, keyPem);
  }
}

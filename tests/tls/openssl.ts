import { join } from "node:path";

/** Whether openssl is on the PATH; its tests are skipped otherwise. Needs `--allow-run=openssl`. */
export const hasOpenssl = await isThere();

/** Runs openssl in a folder and returns what it printed; throws when it fails. */
export async function openssl(cwd: string, ...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command("openssl", { args, cwd }).output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`openssl ${args.join(" ")}: ${decoder.decode(stderr)}`);
  return decoder.decode(stdout);
}

/** What `openssl req -newkey` takes for a kind of key. */
export const KEY_KINDS: Readonly<Record<string, readonly string[]>> = {
  "P-256": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
  "P-384": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"],
  "P-521": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-521"],
  "RSA 2048": ["-newkey", "rsa:2048"],
  "Ed25519": ["-newkey", "ed25519"],
};

const CA_EXTENSIONS = [
  "basicConstraints=critical,CA:TRUE",
  "keyUsage=critical,keyCertSign,cRLSign",
];

/** Makes `<file>.crt` and `<file>.key` of a CA. */
export async function opensslCa(cwd: string, file: string, kind: string, days = 30) {
  const names = ["-subj", `/O=Test/CN=${file} CA`, "-keyout", `${file}.key`, "-out", `${file}.crt`];
  const extensions = CA_EXTENSIONS.flatMap((extension) => ["-addext", extension]);
  const key = [...KEY_KINDS[kind]!, "-nodes", "-days", `${days}`];
  await openssl(cwd, "req", "-x509", ...key, ...names, ...extensions);
}

/** Makes `<file>.crt` and `<file>.key`, signed by another; `subject` as openssl writes it. */
export async function opensslSign(
  cwd: string,
  file: string,
  issuer: string,
  options: { kind?: string; subject?: string; extensions?: readonly string[] } = {},
) {
  const { kind = "P-384", subject = `/CN=${file}`, extensions = ["subjectAltName=DNS:x"] } =
    options;
  const request = ["-nodes", "-subj", subject, "-keyout", `${file}.key`, "-out", `${file}.csr`];
  await openssl(cwd, "req", ...KEY_KINDS[kind]!, ...request);
  await Deno.writeTextFile(join(cwd, `${file}.ext`), extensions.join("\n"));
  const signer = ["-CA", `${issuer}.crt`, "-CAkey", `${issuer}.key`, "-CAcreateserial"];
  const output = ["-days", "20", "-extfile", `${file}.ext`, "-out", `${file}.crt`];
  await openssl(cwd, "x509", "-req", "-in", `${file}.csr`, ...signer, ...output);
}

/** The extensions of an intermediate CA. */
export const INTERMEDIATE: readonly string[] = CA_EXTENSIONS;

async function isThere(): Promise<boolean> {
  try {
    return (await new Deno.Command("openssl", { args: ["version"] }).output()).success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

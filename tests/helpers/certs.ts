import { tempDir } from "./temp.ts";

/** A certificate authority that signs for one test. */
export interface TestCa {
  /** Its certificate, PEM. */
  readonly cert: string;
  /** Signs a certificate for an instance. */
  issue(commonName: string, options?: IssueOptions): Promise<TestCredentials>;
}

/** What a certificate says beside its name. */
export interface IssueOptions {
  /** Subject alternative names. @default `["IP:127.0.0.1", "DNS:localhost"]` */
  readonly sans?: readonly string[];
}

/** Certificate, key and authority as PEM. */
export interface TestCredentials {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
  readonly commonName: string;
}

/** Makes a certificate authority on P-384 with the `openssl` of the system. */
export async function makeCa(commonName = "test-ca"): Promise<TestCa> {
  await using dir = await tempDir();
  const keyPath = `${dir.path}/ca.key`;
  const certPath = `${dir.path}/ca.crt`;
  await newKey(keyPath);
  // deno-fmt-ignore
  await openssl([
    "req", "-x509", "-new", "-key", keyPath, "-out", certPath, "-days", "2", "-sha384",
    "-subj", `/CN=${commonName}`,
    "-addext", "basicConstraints=critical,CA:TRUE",
    "-addext", "keyUsage=critical,keyCertSign,cRLSign",
  ]);
  const ca = { cert: await Deno.readTextFile(certPath), key: await Deno.readTextFile(keyPath) };
  return {
    cert: ca.cert,
    issue: (name, options) => issue(ca, name, options?.sans),
  };
}

async function issue(
  ca: { readonly cert: string; readonly key: string },
  commonName: string,
  sans: readonly string[] = ["IP:127.0.0.1", "DNS:localhost"],
): Promise<TestCredentials> {
  await using dir = await tempDir();
  const at = (name: string) => `${dir.path}/${name}`;
  await Deno.writeTextFile(at("ca.crt"), ca.cert);
  await Deno.writeTextFile(at("ca.key"), ca.key);
  const extensions = [
    "keyUsage=critical,digitalSignature",
    "extendedKeyUsage=serverAuth,clientAuth",
  ];
  if (sans.length > 0) extensions.push(`subjectAltName=${sans.join(",")}`);
  await Deno.writeTextFile(at("ext"), extensions.join("\n"));
  await newKey(at("key"));
  const subject = `/CN=${commonName.replaceAll("/", "\\/")}`;
  await openssl(["req", "-new", "-key", at("key"), "-out", at("csr"), "-subj", subject]);
  // deno-fmt-ignore
  await openssl([
    "x509", "-req", "-in", at("csr"), "-out", at("crt"), "-days", "2", "-sha384",
    "-CA", at("ca.crt"), "-CAkey", at("ca.key"), "-CAcreateserial", "-extfile", at("ext"),
  ]);
  return {
    cert: await Deno.readTextFile(at("crt")),
    key: await Deno.readTextFile(at("key")),
    ca: ca.cert,
    commonName,
  };
}

function newKey(path: string): Promise<void> {
  return openssl([
    "genpkey",
    "-algorithm",
    "EC",
    "-pkeyopt",
    "ec_paramgen_curve:P-384",
    "-out",
    path,
  ]);
}

async function openssl(args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command("openssl", { args, stdout: "null" }).output();
  if (!success) throw new Error(`openssl ${args[0]} failed: ${new TextDecoder().decode(stderr)}`);
}

import { assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { CertificateError } from "../../src/base/mod.ts";
import {
  type CredentialPaths,
  generateCa,
  generateInstance,
  loadCredentials,
} from "../../src/tls/mod.ts";
import { tempDir } from "../helpers/temp.ts";
import { DAY_MS, makePki, ManualClock } from "./helpers.ts";
import { hasOpenssl, INTERMEDIATE, KEY_KINDS, openssl, opensslCa, opensslSign } from "./openssl.ts";

const ignore = !hasOpenssl;
if (ignore) console.warn("openssl is not on the PATH: tests with it are skipped");

const pathsIn = (dir: string, cert: string, ca: string, key = `${cert}.key`): CredentialPaths => ({
  cert: join(dir, `${cert}.crt`),
  key: join(dir, key),
  ca: join(dir, `${ca}.crt`),
});

Deno.test("openssl finds in our certificates what they are to hold", { ignore }, async () => {
  await using dir = await tempDir();
  const { ca, instance } = await makePki("kitchen", { san: ["10.0.0.7", "::ffff:1.2.3.4"] });
  await Deno.writeTextFile(join(dir.path, "ca.crt"), ca.certPem);
  await Deno.writeTextFile(join(dir.path, "i.crt"), instance.certPem);
  const caText = await openssl(dir.path, "x509", "-in", "ca.crt", "-noout", "-text");
  for (
    const expected of [
      "Version: 3 (0x2)",
      "Signature Algorithm: ecdsa-with-SHA384",
      "Subject: CN = keyop-messenger CA",
      "NIST CURVE: P-384",
      "X509v3 Basic Constraints: critical\n                CA:TRUE\n",
      "X509v3 Key Usage: critical\n                Certificate Sign, CRL Sign\n",
      "X509v3 Subject Key Identifier",
    ]
  ) assertStringIncludes(caText, expected);
  const text = await openssl(dir.path, "x509", "-in", "i.crt", "-noout", "-text");
  for (
    const expected of [
      "Issuer: CN = keyop-messenger CA",
      "Subject: CN = kitchen",
      "NIST CURVE: P-384",
      "X509v3 Basic Constraints: critical\n                CA:FALSE\n",
      "X509v3 Key Usage: critical\n                Digital Signature\n",
      "TLS Web Server Authentication, TLS Web Client Authentication",
      "DNS:kitchen, IP Address:10.0.0.7, IP Address:0:0:0:0:0:FFFF:102:304",
    ]
  ) assertStringIncludes(text, expected);
  const identifier = (name: string, from: string) =>
    new RegExp(`${name} Key Identifier: \\s+([0-9A-F:]+)`).exec(from)![1];
  assertEquals(identifier("Authority", text), identifier("Subject", caText));
  const fingerprint = await openssl(
    dir.path,
    ...["x509", "-in", "i.crt", "-noout", "-fingerprint", "-sha256"],
  );
  assertEquals(
    fingerprint.trim().split("=")[1]!.replaceAll(":", "").toLowerCase(),
    instance.info.fingerprint,
  );
});

const names = ["kitchen", "host:7741", "kitchen pi", "[::1]:80", "größe", "#abc", "x".repeat(255)];
for (const name of names) {
  Deno.test(
    `openssl verifies our certificate for ${
      JSON.stringify(name.slice(0, 20))
    } as server and client`,
    {
      ignore,
    },
    async () => {
      await using dir = await tempDir();
      const { ca, instance } = await makePki(name, { days: 36_500, caDays: 36_500 });
      await Deno.writeTextFile(join(dir.path, "ca.crt"), ca.certPem);
      await Deno.writeTextFile(join(dir.path, "i.crt"), instance.certPem);
      await Deno.writeTextFile(join(dir.path, "i.key"), instance.keyPem);
      for (const purpose of ["sslserver", "sslclient"]) {
        assertEquals(
          await openssl(
            dir.path,
            ...["verify", "-x509_strict", "-purpose", purpose, "-CAfile", "ca.crt", "i.crt"],
          ),
          "i.crt: OK\n",
        );
      }
      await openssl(dir.path, "ec", "-in", "i.key", "-check", "-noout");
      const subject = await openssl(
        dir.path,
        ...["x509", "-in", "i.crt", "-noout", "-subject", "-nameopt", "utf8,sep_multiline"],
      );
      assertEquals(subject.trim().split("\n").at(-1)!.trim(), `CN=${name}`);
    },
  );
}

for (const kind of Object.keys(KEY_KINDS)) {
  Deno.test(
    `loadCredentials() takes ${kind} certificates that openssl made`,
    { ignore },
    async () => {
      await using dir = await tempDir();
      await opensslCa(dir.path, "ca", kind);
      await opensslSign(dir.path, "hub", "ca", { kind });
      const loaded = await loadCredentials(pathsIn(dir.path, "hub", "ca"));
      assertEquals(loaded.commonName, "hub");
    },
  );

  Deno.test(
    `generateInstance() signs with a ${kind} CA that openssl made`,
    { ignore },
    async () => {
      await using dir = await tempDir();
      await opensslCa(dir.path, "ca", kind);
      const instance = await generateInstance({
        caCertPem: await Deno.readTextFile(join(dir.path, "ca.crt")),
        caKeyPem: await Deno.readTextFile(join(dir.path, "ca.key")),
        name: "kitchen",
        days: 10,
      });
      await Deno.writeTextFile(join(dir.path, "i.crt"), instance.certPem);
      await Deno.writeTextFile(join(dir.path, "i.key"), instance.keyPem);
      assertEquals(
        await openssl(dir.path, "verify", "-x509_strict", "-CAfile", "ca.crt", "i.crt"),
        "i.crt: OK\n",
      );
      assertEquals((await loadCredentials(pathsIn(dir.path, "i", "ca"))).commonName, "kitchen");
    },
  );
}

const conversions: readonly [what: string, kind: string, args: readonly string[]][] = [
  ["EC PRIVATE KEY", "P-256", ["ec"]],
  ["EC PRIVATE KEY", "P-384", ["ec"]],
  ["RSA PRIVATE KEY", "RSA 2048", ["rsa", "-traditional"]],
  ["PRIVATE KEY", "RSA 2048", ["pkcs8", "-topk8", "-nocrypt"]],
];
for (const [label, kind, args] of conversions) {
  Deno.test(`loadCredentials() takes a ${kind} key as ${label}`, { ignore }, async () => {
    await using dir = await tempDir();
    await opensslCa(dir.path, "ca", "P-384");
    await opensslSign(dir.path, "hub", "ca", { kind });
    await openssl(dir.path, ...args, "-in", "hub.key", "-out", "other.key");
    const { key } = await loadCredentials(pathsIn(dir.path, "hub", "ca", "other.key"));
    assertMatch(key, new RegExp(`^-----BEGIN ${label}-----\n`));
  });
}

Deno.test(
  "loadCredentials() takes a key behind its EC PARAMETERS and certificates behind their text",
  {
    ignore,
  },
  async () => {
    await using dir = await tempDir();
    await opensslCa(dir.path, "ca", "P-384");
    await openssl(dir.path, "ecparam", "-name", "secp384r1", "-genkey", "-out", "hub.key");
    await openssl(
      dir.path,
      "req",
      "-new",
      "-key",
      "hub.key",
      "-subj",
      "/CN=hub",
      "-out",
      "hub.csr",
    );
    const signer = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "5"];
    await openssl(
      dir.path,
      "x509",
      "-req",
      "-in",
      "hub.csr",
      ...signer,
      "-text",
      "-out",
      "hub.crt",
    );
    assertMatch(
      await Deno.readTextFile(join(dir.path, "hub.key")),
      /^-----BEGIN EC PARAMETERS-----/,
    );
    assertMatch(await Deno.readTextFile(join(dir.path, "hub.crt")), /^Certificate:/);
    const loaded = await loadCredentials(pathsIn(dir.path, "hub", "ca"));
    assertMatch(loaded.key, /^-----BEGIN EC PRIVATE KEY-----\n/);
    assertMatch(loaded.cert, /^-----BEGIN CERTIFICATE-----\n/);
  },
);

for (const encryption of [["pkcs8", "-topk8"], ["ec", "-aes256"]]) {
  Deno.test(`loadCredentials() refuses a key that openssl ${encryption[0]} encrypted`, {
    ignore,
  }, async () => {
    await using dir = await tempDir();
    await opensslCa(dir.path, "ca", "P-384");
    await opensslSign(dir.path, "hub", "ca");
    const files = ["-in", "hub.key", "-passout", "pass:secret", "-out", "locked.key"];
    await openssl(dir.path, ...encryption, ...files);
    await assertRejects(
      () => loadCredentials(pathsIn(dir.path, "hub", "ca", "locked.key")),
      CertificateError,
      "the private key is encrypted",
    );
  });
}

Deno.test("loadCredentials() follows intermediate certificates and tells the earliest end", {
  ignore,
}, async () => {
  await using dir = await tempDir();
  await opensslCa(dir.path, "ca", "P-384", 365);
  await opensslSign(dir.path, "middle", "ca", { extensions: INTERMEDIATE });
  await opensslSign(dir.path, "lower", "middle", { extensions: INTERMEDIATE });
  await opensslSign(dir.path, "hub", "lower");
  const texts = await Promise.all(
    ["hub", "middle", "lower"].map((file) => Deno.readTextFile(join(dir.path, `${file}.crt`))),
  );
  const paths = pathsIn(dir.path, "hub", "ca");
  await assertRejects(
    () => loadCredentials(paths),
    CertificateError,
    "the certificate of CN=hub was not issued by the CA",
  );
  await Deno.writeTextFile(paths.cert, texts.join(""));
  const loaded = await loadCredentials(paths);
  assertEquals(loaded.commonName, "hub");
  assertEquals(loaded.cert.match(/BEGIN CERTIFICATE/g)!.length, 3);
  assertEquals(loaded.caNotAfter.getTime() > loaded.notAfter.getTime() + 300 * DAY_MS, true);
});

Deno.test(
  "loadCredentials() refuses a certificate that another instance signed",
  { ignore },
  async () => {
    await using dir = await tempDir();
    await opensslCa(dir.path, "ca", "P-384");
    await opensslSign(dir.path, "rogue", "ca");
    await opensslSign(dir.path, "hub", "rogue");
    const paths = pathsIn(dir.path, "hub", "ca");
    const chain = await Deno.readTextFile(paths.cert) +
      await Deno.readTextFile(join(dir.path, "rogue.crt"));
    await Deno.writeTextFile(paths.cert, chain);
    await assertRejects(() => loadCredentials(paths), CertificateError, "was not issued by the CA");
  },
);

Deno.test("loadCredentials() refuses an expired CA under a certificate that lives on", {
  ignore,
}, async () => {
  await using dir = await tempDir();
  await opensslCa(dir.path, "ca", "P-384", 1);
  await opensslSign(dir.path, "hub", "ca");
  const paths = pathsIn(dir.path, "hub", "ca");
  assertEquals((await loadCredentials(paths)).commonName, "hub");
  const error = await assertRejects(
    () => loadCredentials(paths, { clock: new ManualClock(Date.now() + 2 * DAY_MS) }),
    CertificateError,
    "the CA certificate of O=Test, CN=ca CA expired on",
  );
  assertEquals(error.path, paths.ca);
});

Deno.test(
  "loadCredentials() takes the renewed one of two CAs with one key",
  { ignore },
  async () => {
    await using dir = await tempDir();
    await opensslCa(dir.path, "ca", "P-384", 1);
    await opensslSign(dir.path, "hub", "ca");
    const renew = ["-in", "ca.crt", "-signkey", "ca.key", "-days", "9", "-out", "renewed.crt"];
    await openssl(dir.path, "x509", ...renew);
    const paths = pathsIn(dir.path, "hub", "ca");
    const renewed = await Deno.readTextFile(join(dir.path, "renewed.crt"));
    await Deno.writeTextFile(paths.ca, await Deno.readTextFile(paths.ca) + renewed);
    const clock = new ManualClock(Date.now() + 2 * DAY_MS);
    const { caNotAfter } = await loadCredentials(paths, { clock });
    assertEquals(caNotAfter.getTime() > clock.now(), true);
  },
);

for (
  const [what, subject] of [["two common names", "/CN=a/CN=b"], [
    "no common name",
    "/O=Home",
  ]] as const
) {
  Deno.test(`loadCredentials() refuses a certificate with ${what}`, { ignore }, async () => {
    await using dir = await tempDir();
    await opensslCa(dir.path, "ca", "P-384");
    await opensslSign(dir.path, "hub", "ca", { subject });
    await assertRejects(
      () => loadCredentials(pathsIn(dir.path, "hub", "ca")),
      CertificateError,
      "does not bear exactly one common name",
    );
  });
}

Deno.test(
  "loadCredentials() names a CA whose kind of key TLS does not take",
  { ignore },
  async () => {
    await using dir = await tempDir();
    const pss = ["-newkey", "rsa-pss", "-pkeyopt", "rsa_keygen_bits:2048", "-nodes"];
    const output = ["-subj", "/CN=pss", "-keyout", "ca.key", "-out", "ca.crt"];
    await openssl(dir.path, "req", "-x509", ...pss, ...output);
    await opensslSign(dir.path, "hub", "ca");
    await assertRejects(
      () => loadCredentials(pathsIn(dir.path, "hub", "ca")),
      CertificateError,
      "the key of CN=pss is of a kind that is not supported",
    );
  },
);

Deno.test("openssl signs with our CA, and the certificate loads", { ignore }, async () => {
  await using dir = await tempDir();
  const ca = await generateCa();
  await Deno.writeTextFile(join(dir.path, "ca.crt"), ca.certPem);
  await Deno.writeTextFile(join(dir.path, "ca.key"), ca.keyPem);
  await opensslSign(dir.path, "hub", "ca", { kind: "P-256" });
  assertEquals((await loadCredentials(pathsIn(dir.path, "hub", "ca"))).commonName, "hub");
});

Deno.test("generateInstance() names a CA by the key identifier that the CA states", {
  ignore,
}, async () => {
  await using dir = await tempDir();
  const files = ["-subj", "/CN=own", "-keyout", "ca.key", "-out", "ca.crt", "-days", "5", "-nodes"];
  const extensions = [...INTERMEDIATE, "subjectKeyIdentifier=01:02:03:04"];
  // The system's own configuration would add an authority key identifier of another kind.
  await Deno.writeTextFile(join(dir.path, "cnf"), "[req]\ndistinguished_name=dn\n[dn]\n");
  await openssl(
    dir.path,
    ...["req", "-x509", "-config", "cnf", ...KEY_KINDS["P-384"]!, ...files],
    ...extensions.flatMap((extension) => ["-addext", extension]),
  );
  const { certPem } = await generateInstance({
    caCertPem: await Deno.readTextFile(join(dir.path, "ca.crt")),
    caKeyPem: await Deno.readTextFile(join(dir.path, "ca.key")),
    name: "kitchen",
  });
  await Deno.writeTextFile(join(dir.path, "i.crt"), certPem);
  assertEquals(await openssl(dir.path, "verify", "-CAfile", "ca.crt", "i.crt"), "i.crt: OK\n");
});

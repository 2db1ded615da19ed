import { assertEquals, assertRejects } from "@std/assert";
import { createPrivateKey } from "node:crypto";
import { CertificateError } from "../../src/base/mod.ts";
import { generateCa, loadCredentials } from "../../src/tls/mod.ts";
import { filesOf, issue, makePki, ManualClock, MemoryFiles, PATHS } from "./helpers.ts";

const clock = new ManualClock();
const pki = await makePki("kitchen", { days: 30, caDays: 60, clock });
const { ca, instance } = pki;

/** Loads {@linkcode PATHS} with some files replaced, or missing when undefined. */
async function load(changes: Record<string, string | undefined> = {}, at = clock.now()) {
  const { contents } = filesOf(pki);
  for (const [path, text] of Object.entries(changes)) {
    if (text === undefined) contents.delete(path);
    else contents.set(path, text);
  }
  const { readFile } = new MemoryFiles(Object.fromEntries(contents));
  return await loadCredentials(PATHS, { readFile, clock: new ManualClock(at) });
}

/** Asserts that loading fails with one line that begins with the file. */
async function assertRefused(
  changes: Record<string, string | undefined>,
  expected: string,
  at?: number,
) {
  const error = await assertRejects(() => load(changes, at), CertificateError);
  assertEquals(error.message.includes("\n"), false, error.message);
  assertEquals(error.message.includes(expected), true, error.message);
  assertEquals(error.message.startsWith(`${error.path}: `), true);
  assertEquals(error.code, "certificate_invalid");
}

Deno.test("loadCredentials() gives what node:tls needs, and the name and the dates", async () => {
  assertEquals(await load(), {
    cert: instance.certPem,
    key: instance.keyPem,
    ca: ca.certPem,
    commonName: "kitchen",
    notAfter: instance.info.notAfter,
    caNotAfter: ca.info.notAfter,
    paths: PATHS,
  });
});

Deno.test("loadCredentials() drops what surrounds the PEM blocks", async () => {
  const pkcs8 = createPrivateKey(instance.keyPem).export({ type: "pkcs8", format: "pem" });
  const loaded = await load({
    [PATHS.cert]: `Certificate of the kitchen\r\n${instance.certPem.replaceAll("\n", "\r\n")}`,
    [PATHS.key]:
      `-----BEGIN EC PARAMETERS-----\nBgUrgQQAIg==\n-----END EC PARAMETERS-----\n${pkcs8}`,
    [PATHS.ca]: `\ufeff# ours\n${ca.certPem}${ca.keyPem}`,
  });
  assertEquals(loaded.cert, instance.certPem);
  assertEquals(loaded.key, pkcs8.toString());
  assertEquals(loaded.ca, ca.certPem);
});

Deno.test("loadCredentials() takes certificate and key from one file", async () => {
  const both = instance.keyPem + instance.certPem;
  assertEquals((await load({ [PATHS.cert]: both, [PATHS.key]: both })).commonName, "kitchen");
});

Deno.test("loadCredentials() takes several CAs in one file and tells the end of the one in use", async () => {
  const other = await generateCa({ days: 1, clock });
  const loaded = await load({ [PATHS.ca]: other.certPem + ca.certPem });
  assertEquals(loaded.ca, other.certPem + ca.certPem);
  assertEquals(loaded.caNotAfter, ca.info.notAfter);
});

for (const what of ["cert", "key", "ca"] as const) {
  Deno.test(`loadCredentials() names the ${what} file when it is missing, empty or no PEM`, async () => {
    await assertRefused({ [PATHS[what]]: undefined }, `${PATHS[what]}: there is no such file`);
    await assertRefused({ [PATHS[what]]: "" }, `${PATHS[what]}: holds no`);
    await assertRefused({ [PATHS[what]]: "words" }, "and no other PEM block");
  });

  Deno.test(`loadCredentials() names the ${what} file wherever it is cut`, async () => {
    const text = filesOf(pki).contents.get(PATHS[what])!;
    for (let cut = 0; cut < text.trimEnd().length; cut += 41) {
      await assertRefused({ [PATHS[what]]: text.slice(0, cut) }, `${PATHS[what]}: `);
    }
  });

  Deno.test(`loadCredentials() names the ${what} file when its content is damaged`, async () => {
    const lines = filesOf(pki).contents.get(PATHS[what])!.split("\n");
    lines.splice(2, 1);
    await assertRefused({ [PATHS[what]]: lines.join("\n") }, `${PATHS[what]}: `);
  });
}

Deno.test("loadCredentials() sees that certificate and key are swapped", async () => {
  await assertRefused(
    { [PATHS.cert]: instance.keyPem, [PATHS.key]: instance.certPem },
    "pki/i.crt: holds no certificate, only EC PRIVATE KEY",
  );
});

Deno.test("loadCredentials() refuses the key of another certificate", async () => {
  await assertRefused(
    { [PATHS.key]: ca.keyPem },
    "pki/i.key: does not belong to the certificate in pki/i.crt",
  );
});

Deno.test("loadCredentials() refuses an encrypted key and says how to decrypt it", async () => {
  const encrypted = createPrivateKey(instance.keyPem)
    .export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "secret" });
  await assertRefused({ [PATHS.key]: encrypted.toString() }, "openssl pkey -in pki/i.key");
});

Deno.test("loadCredentials() refuses a certificate that another CA issued", async () => {
  const other = await generateCa({ commonName: "Other CA", clock });
  await assertRefused(
    { [PATHS.ca]: other.certPem },
    "pki/i.crt: the certificate of CN=kitchen was not issued by the CA in pki/ca.crt (CN=Other CA)",
  );
});

Deno.test("loadCredentials() refuses the signature of a CA of the same name", async () => {
  const namesake = await generateCa({ clock });
  await assertRefused({ [PATHS.ca]: namesake.certPem }, "that CA's key did not sign it");
});

Deno.test("loadCredentials() refuses a certificate whose content was changed", async () => {
  const der = Uint8Array.fromBase64(instance.certPem.replace(/-----.*-----/g, ""));
  const at = new TextDecoder("latin1").decode(der).indexOf("kitchen");
  der[at] = "K".charCodeAt(0);
  const forged = `-----BEGIN CERTIFICATE-----\n${der.toBase64()}\n-----END CERTIFICATE-----\n`;
  await assertRefused({ [PATHS.cert]: forged }, "that CA's key did not sign it");
});

Deno.test("loadCredentials() refuses a CA file that holds anything but CAs", async () => {
  const other = await issue(ca, "cellar", { clock });
  await assertRefused(
    { [PATHS.ca]: ca.certPem + other.certPem },
    "pki/ca.crt: the certificate of CN=cellar is not that of a CA",
  );
});

Deno.test("loadCredentials() refuses a CA as an instance", async () => {
  await assertRefused(
    { [PATHS.cert]: ca.certPem, [PATHS.key]: ca.keyPem },
    "pki/i.crt: the certificate of CN=keyop-messenger CA is that of a CA",
  );
});

Deno.test("loadCredentials() refuses a certificate before its time and after it, to the second", async () => {
  const { notBefore, notAfter } = instance.info;
  await load({}, notBefore.getTime());
  await assertRefused({}, "is not valid before 2025-12-31T23:55:00Z", notBefore.getTime() - 1);
  await load({}, notAfter.getTime() - 1);
  await assertRefused(
    {},
    "pki/i.crt: the certificate of CN=kitchen expired on",
    notAfter.getTime(),
  );
});

const failures: readonly [error: Error, expected: string][] = [
  [new Deno.errors.PermissionDenied("os error 13"), "permission denied; let the user"],
  [new Deno.errors.NotCapable("no"), "run it with --allow-read=pki/i.key"],
  [new Deno.errors.IsADirectory("os error 21"), "is a folder"],
  [new Error("disk on fire\n  at line 2"), "cannot be read: disk on fire"],
];
for (const [failure, expected] of failures) {
  Deno.test(`loadCredentials() explains ${failure.name} of a file`, async () => {
    const files = filesOf(pki);
    const readFile = (path: string) =>
      path === PATHS.key ? Promise.reject(failure) : files.readFile(path);
    const error = await assertRejects(
      () => loadCredentials(PATHS, { readFile, clock }),
      CertificateError,
    );
    assertEquals(error.message.startsWith("pki/i.key: "), true, error.message);
    assertEquals(error.message.includes(expected), true, error.message);
    assertEquals(error.message.includes("\n"), false);
    assertEquals(error.cause, failure);
  });
}

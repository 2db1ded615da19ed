import { assert, assertEquals, assertMatch, assertNotEquals, assertRejects } from "@std/assert";
import { X509Certificate } from "node:crypto";
import fc from "fast-check";
import { CertificateError } from "../../src/base/mod.ts";
import {
  certificateInfo,
  commonNameOf,
  generateCa,
  generateInstance,
  loadCredentials,
} from "../../src/tls/mod.ts";
import { DAY_MS, filesOf, issue, makePki, ManualClock, PATHS } from "./helpers.ts";

Deno.test("generateCa() makes a self-signed CA that is valid from a little earlier on", async () => {
  const clock = new ManualClock(Date.UTC(2026, 0, 1, 12, 0, 0, 777));
  const { certPem, keyPem, info } = await generateCa({ days: 10, clock });
  assertEquals(info.subject, "CN=keyop-messenger CA");
  assertEquals(info.commonName, "keyop-messenger CA");
  assertEquals(info.isCa, true);
  assertEquals(info.notBefore.toISOString(), "2026-01-01T11:55:00.000Z");
  assertEquals(info.notAfter.toISOString(), "2026-01-11T12:00:00.000Z");
  assertMatch(info.fingerprint, /^[0-9a-f]{64}$/);
  assertMatch(keyPem, /^-----BEGIN EC PRIVATE KEY-----\n/);
  const certificate = new X509Certificate(certPem);
  assert(certificate.verify(certificate.publicKey));
  assertEquals(certificate.publicKey.asymmetricKeyDetails?.namedCurve, "secp384r1");
});

Deno.test("generateCa() makes certificates for 730 days unless told otherwise", async () => {
  const clock = new ManualClock();
  const { info } = await generateCa({ clock });
  assertEquals(info.notAfter.getTime() - clock.now(), 730 * DAY_MS);
});

Deno.test("generateCa() reaches a hundred years ahead", async () => {
  const clock = new ManualClock();
  const { info } = await generateCa({ days: 36_500, commonName: "Century", clock });
  assertEquals(info.commonName, "Century");
  assertEquals(info.notAfter.getTime(), clock.now() + 36_500 * DAY_MS);
});

Deno.test("generateInstance() makes a certificate that the CA signed for its name", async () => {
  const { ca, instance } = await makePki("kitchen", { san: ["10.0.0.7", "kitchen.home.example"] });
  assertEquals(instance.info.subject, "CN=kitchen");
  assertEquals(instance.info.dnsNames, ["kitchen", "kitchen.home.example"]);
  assertEquals(instance.info.ipAddresses, ["10.0.0.7"]);
  assertEquals(instance.info.isCa, false);
  const certificate = new X509Certificate(instance.certPem);
  assert(certificate.checkIssued(new X509Certificate(ca.certPem)));
  assert(certificate.verify(new X509Certificate(ca.certPem).publicKey));
});

Deno.test("two certificates have neither serial number nor key in common", async () => {
  const ca = await generateCa();
  const [a, b] = [await issue(ca, "a"), await issue(ca, "a")];
  const serial = (pem: string) => BigInt(`0x${new X509Certificate(pem).serialNumber}`);
  assertNotEquals(serial(a.certPem), serial(b.certPem));
  assert(serial(a.certPem) > 0n);
  assertNotEquals(a.keyPem, b.keyPem);
});

Deno.test("any name makes a certificate that loads and bears exactly that name", async () => {
  const ca = await generateCa();
  const names = fc.oneof(
    fc.constantFrom(
      "host:7741",
      "kitchen pi",
      "#abc",
      'a+b=c,"d" <e>;\\f',
      "größe",
      "x".repeat(255),
    ),
    fc.string({ unit: "grapheme", minLength: 1, maxLength: 40 }).filter((name) =>
      name.trim() === name && !/\p{Cc}/u.test(name)
    ),
  );
  await fc.assert(
    fc.asyncProperty(names, async (name) => {
      const instance = await issue(ca, name);
      const { commonName } = await loadCredentials(PATHS, filesOf({ ca, instance }));
      assertEquals(commonName, name);
      assertEquals(commonNameOf(new X509Certificate(instance.certPem).raw), name);
    }),
    { numRuns: 40 },
  );
});

for (const name of ["", " kitchen", "kitchen ", "a\nb", "a\0b", "\ud800", "x".repeat(256)]) {
  Deno.test(`generateInstance() refuses the name ${JSON.stringify(name.slice(0, 9))}`, async () => {
    const ca = await generateCa();
    await assertRejects(() => issue(ca, name), RangeError, "as a certificate's name");
    await assertRejects(() => generateCa({ commonName: name }), RangeError, "Cannot use");
  });
}

for (const days of [0, -1, 1.5, 36_501, Number.NaN, Infinity]) {
  Deno.test(`certificates for ${days} days are refused`, async () => {
    const ca = await generateCa();
    await assertRejects(() => generateCa({ days }), RangeError, `for ${days} days`);
    await assertRejects(() => issue(ca, "kitchen", { days }), RangeError, `for ${days} days`);
  });
}

Deno.test("an instance certificate ends with its CA and says how much was cut", async () => {
  const clock = new ManualClock();
  const ca = await generateCa({ days: 100, clock });
  clock.advance(40 * DAY_MS);
  const cut = await issue(ca, "kitchen", { days: 100, clock });
  assertEquals(cut.info.notAfter, ca.info.notAfter);
  assertEquals(cut.daysCut, 40);
  const whole = await issue(ca, "kitchen", { days: 60, clock });
  assertEquals(whole.info.notAfter, ca.info.notAfter);
  assertEquals(whole.daysCut, 0);
  assertEquals((await issue(ca, "kitchen", { days: 59, clock })).daysCut, 0);
});

Deno.test("generateInstance() refuses an expired CA", async () => {
  const clock = new ManualClock();
  const ca = await generateCa({ days: 1, clock });
  clock.advance(DAY_MS);
  await assertRejects(
    () => issue(ca, "kitchen", { clock }),
    CertificateError,
    "CA certificate: the CA certificate expired on 2026-01-02T00:00:00Z",
  );
});

Deno.test("generateInstance() refuses an instance certificate in the place of the CA", async () => {
  const { instance } = await makePki();
  await assertRejects(() => issue(instance, "x"), CertificateError, "is no CA");
});

Deno.test("generateInstance() refuses a key that is not the CA's, and calls files by their labels", async () => {
  const [ca, other] = [await generateCa(), await generateCa()];
  const options = { caCertPem: ca.certPem, name: "x", labels: { caCert: "a.crt", caKey: "a.key" } };
  await assertRejects(
    () => generateInstance({ ...options, caKeyPem: other.keyPem }),
    CertificateError,
    "a.key: does not belong to the certificate in a.crt",
  );
  await assertRejects(
    () => generateInstance({ ...options, caKeyPem: ca.certPem }),
    CertificateError,
    "a.key: holds no private key, only CERTIFICATE",
  );
});

Deno.test("generateInstance() finds the CA of the key in a bundle", async () => {
  const [old, current] = [await generateCa(), await generateCa()];
  const instance = await generateInstance({
    caCertPem: old.certPem + current.certPem,
    caKeyPem: current.keyPem,
    name: "kitchen",
  });
  const files = filesOf({ ca: current, instance });
  assertEquals((await loadCredentials(PATHS, files)).commonName, "kitchen");
});

Deno.test("certificateInfo() takes PEM with text around it as well as bytes", async () => {
  const { certPem, info } = await generateCa();
  assertEquals(certificateInfo(`Some words\n${certPem}`), info);
  assertEquals(certificateInfo(new X509Certificate(certPem).raw), info);
});

Deno.test("certificateInfo() and commonNameOf() refuse what is no certificate", () => {
  for (const input of ["", "words", new Uint8Array(0), new Uint8Array([0x30, 0x80, 1, 2])]) {
    let thrown: unknown;
    try {
      certificateInfo(input);
    } catch (error) {
      thrown = error;
    }
    assert(thrown instanceof SyntaxError, String(input));
  }
});

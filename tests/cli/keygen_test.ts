import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { main } from "../../src/cli/main.ts";
import { certificateInfo, loadCredentials } from "../../src/tls/mod.ts";
import { tempDir } from "../helpers/temp.ts";
import { memoryIo, type Outcome } from "./helpers.ts";

/** Runs `keygen` with words in which `@/` is the folder. */
async function keygen(dir: string, ...words: string[]): Promise<Outcome> {
  const io = memoryIo();
  const code = await main(["keygen", ...words.map((word) => word.replace("@/", `${dir}/`))], io);
  const hide = (text: string) => text.replaceAll(`${dir}/`, "@/");
  return { code, stdout: hide(io.stdout.text), stderr: hide(io.stderr.text) };
}

const makeCa = (dir: string, ...words: string[]) =>
  keygen(dir, "ca", "--out-cert", "@/ca.crt", "--out-key", "@/ca.key", ...words);

const makeInstance = (dir: string, name: string, ...words: string[]) =>
  keygen(
    dir,
    ...["instance", "--ca", "@/ca.crt", "--ca-key", "@/ca.key", "--name", name],
    ...["--out-cert", "@/i.crt", "--out-key", "@/i.key"],
    ...words,
  );

Deno.test("keygen ca prints subject, validity, fingerprint and files", async () => {
  await using dir = await tempDir();
  const { code, stdout, stderr } = await makeCa(dir.path, "--days", "10");
  assertEquals([code, stderr], [0, ""]);
  const info = certificateInfo(await Deno.readTextFile(join(dir.path, "ca.crt")));
  const seconds = (date: Date) => date.toISOString().replace(".000Z", "Z");
  assertEquals(
    stdout,
    `Subject:     CN=keyop-messenger CA
Valid from:  ${seconds(info.notBefore)}
Valid until: ${seconds(info.notAfter)}
Fingerprint: SHA-256:${info.fingerprint}
Certificate: @/ca.crt
Private key: @/ca.key
`,
  );
  const days = (info.notAfter.getTime() - info.notBefore.getTime()) / 86_400_000;
  assertEquals(Math.floor(days), 10);
});

Deno.test("keygen instance makes credentials that load", async () => {
  await using dir = await tempDir();
  await makeCa(dir.path);
  const { code, stdout, stderr } = await makeInstance(
    dir.path,
    ...["kitchen", "--days", "5", "--san", "10.0.0.7", "--san", "kitchen.example"],
  );
  assertEquals([code, stderr], [0, ""]);
  assertStringIncludes(stdout, "Subject:     CN=kitchen\n");
  assertStringIncludes(stdout, "Hosts:       kitchen, kitchen.example, 10.0.0.7\n");
  const at = (file: string) => join(dir.path, file);
  const paths = { cert: at("i.crt"), key: at("i.key"), ca: at("ca.crt") };
  assertEquals((await loadCredentials(paths)).commonName, "kitchen");
});

Deno.test("keygen with --json prints what a program needs", async () => {
  await using dir = await tempDir();
  const ca = JSON.parse((await makeCa(dir.path, "--json")).stdout);
  assertEquals(
    Object.keys(ca).join(" "),
    "subject common_name valid_from valid_until fingerprint hosts cert key",
  );
  const { stdout } = await makeInstance(dir.path, "localhost", "--json");
  const { valid_from, valid_until, fingerprint, ...rest } = JSON.parse(stdout);
  assertEquals(rest, {
    subject: "CN=localhost",
    common_name: "localhost",
    hosts: ["localhost", "127.0.0.1", "::1"],
    cert: "@/i.crt",
    key: "@/i.key",
  });
  assertMatch(fingerprint, /^SHA-256:[0-9a-f]{64}$/);
  for (const time of [valid_from, valid_until]) {
    assertMatch(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  }
});

Deno.test("keygen ca refuses to overwrite without --force", async () => {
  await using dir = await tempDir();
  await makeCa(dir.path);
  const before = await Deno.readTextFile(join(dir.path, "ca.key"));
  const { code, stdout, stderr } = await makeCa(dir.path);
  assertEquals([code, stdout], [1, ""]);
  assertEquals(
    stderr,
    "keyop-messenger: @/ca.key and @/ca.crt exist already; give other paths, or --force to overwrite\n",
  );
  assertEquals(await Deno.readTextFile(join(dir.path, "ca.key")), before);
  assertEquals((await makeCa(dir.path, "--force")).code, 0);
  assertEquals(await Deno.readTextFile(join(dir.path, "ca.key")) === before, false);
});

Deno.test("keygen refuses one path for two files, and the CA's files for the instance's", async () => {
  await using dir = await tempDir();
  await makeCa(dir.path);
  const before = await Deno.readTextFile(join(dir.path, "ca.key"));
  const ca = ["instance", "--ca", "@/ca.crt", "--ca-key", "@/ca.key", "--name", "x", "--force"];
  for (
    const [words, expected] of [
      [["--out-cert", "@/x", "--out-key", "@/./x"], "cannot both go to @/x"],
      [
        ["--out-cert", "@/x", "--out-key", "@/ca.key"],
        "the CA's file @/ca.key would be overwritten",
      ],
    ] as const
  ) {
    const { code, stderr } = await keygen(dir.path, ...ca, ...words);
    assertEquals(code, 2);
    assertStringIncludes(stderr, expected);
  }
  assertEquals(await Deno.readTextFile(join(dir.path, "ca.key")), before);
});

Deno.test("keygen instance says when the CA ends first and when nobody can dial the name", async () => {
  await using dir = await tempDir();
  await makeCa(dir.path, "--days", "100");
  const { code, stderr } = await makeInstance(dir.path, "kitchen pi", "--days", "130");
  assertEquals(code, 0);
  const notes = stderr.trimEnd().split("\n");
  assertEquals(notes.length, 2);
  assertMatch(notes[0]!, /^note: the name is no host, .* --san adds hosts$/);
  assertEquals(notes[1], "note: valid 30 days less than asked for, as the CA ends then");
});

for (
  const [words, expected] of [
    [["--days", "0"], "--days takes a whole number from 1 to 36500"],
    [["--days", "36501"], "--days takes a whole number from 1 to 36500"],
    [["--san", "http://x"], 'Cannot use "http://x" as an alternative name'],
    [["--nam", "x"], 'unknown option "--nam"; did you mean "--name"?'],
  ] as const
) {
  Deno.test(`keygen instance ${words.join(" ")} is wrong usage`, async () => {
    await using dir = await tempDir();
    await makeCa(dir.path);
    const { code, stderr } = await makeInstance(dir.path, "kitchen", ...words);
    assertEquals(code, 2);
    assertStringIncludes(stderr, expected);
    assertMatch(
      stderr,
      /^keyop-messenger: [^\n]*\(see "keyop-messenger keygen instance --help"\)\n$/,
    );
  });
}

Deno.test("keygen instance names each missing option", async () => {
  const { code, stderr } = await keygen("/nowhere", "instance", "--name", "x");
  assertEquals(code, 2);
  assertStringIncludes(stderr, "--ca FILE and --ca-key FILE are missing");
});

Deno.test("keygen instance names the CA's file that is at fault", async () => {
  await using dir = await tempDir();
  const missing = await makeInstance(dir.path, "kitchen");
  assertEquals(missing.code, 1);
  assertStringIncludes(missing.stderr, "keyop-messenger: @/ca.crt: there is no such file");
  await makeCa(dir.path);
  await Deno.writeTextFile(join(dir.path, "ca.key"), "words");
  const broken = await makeInstance(dir.path, "kitchen");
  assertStringIncludes(broken.stderr, "keyop-messenger: @/ca.key: holds no private key");
});

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { loadCredentials } from "../../src/tls/mod.ts";
import { tempDir } from "../helpers/temp.ts";
import { hasOpenssl, openssl } from "../tls/openssl.ts";
import type { Outcome } from "./helpers.ts";

const CLI = join(import.meta.dirname!, "..", "..", "cli.ts");
const WAITING = join(import.meta.dirname!, "waiting_program.ts");

/** Runs the command line as a user does, in a folder and with these permissions. */
async function run(cwd: string, permissions: string[], ...words: string[]): Promise<Outcome> {
  const command = new Deno.Command("deno", {
    args: ["run", "--no-prompt", ...permissions, CLI, ...words],
    cwd,
    stdin: "null",
  });
  const { code, stdout, stderr } = await command.output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

Deno.test("a user makes a CA and an instance with permissions for just these files", async () => {
  await using dir = await tempDir();
  const caFiles = "ca.crt,ca.key";
  const ca = await run(
    dir.path,
    [`--allow-read=${caFiles}`, `--allow-write=${caFiles}`],
    ...["keygen", "ca"],
  );
  assertEquals([ca.code, ca.stderr], [0, ""]);
  assertStringIncludes(ca.stdout, "Certificate: ca.crt\nPrivate key: ca.key\n");
  const files = "host_7741.crt,host_7741.key";
  const instance = await run(
    dir.path,
    [`--allow-read=${caFiles},${files}`, `--allow-write=${files}`],
    ...["keygen", "instance", "--ca", "ca.crt", "--ca-key", "ca.key"],
    ...["--name", "host:7741", "--san", "10.0.0.7", "--days", "30"],
  );
  assertEquals([instance.code, instance.stderr], [0, ""]);
  assertStringIncludes(instance.stdout, "Subject:     CN=host:7741\n");
  const written: string[] = [];
  for await (const { name } of Deno.readDir(dir.path)) {
    written.push(name);
    assertEquals((await Deno.stat(join(dir.path, name))).mode! & 0o777, 0o600, name);
  }
  assertEquals(written.sort(), ["ca.crt", "ca.key", "host_7741.crt", "host_7741.key"]);
  const at = (file: string) => join(dir.path, file);
  const loaded = await loadCredentials({
    cert: at("host_7741.crt"),
    key: at("host_7741.key"),
    ca: at("ca.crt"),
  });
  assertEquals(loaded.commonName, "host:7741");
});

Deno.test("openssl takes what the command line made", { ignore: !hasOpenssl }, async () => {
  await using dir = await tempDir();
  const here = ["--allow-read=.", "--allow-write=."];
  await run(dir.path, here, "keygen", "ca", "--days", "36500");
  const { stdout } = await run(
    dir.path,
    here,
    ...["keygen", "instance", "--ca", "ca.crt", "--ca-key", "ca.key", "--name", "kitchen pi"],
    ...["--san", "kitchen.example", "--out-cert", "i.crt", "--out-key", "i.key"],
  );
  for (const purpose of ["sslserver", "sslclient"]) {
    assertEquals(
      await openssl(
        dir.path,
        ...["verify", "-x509_strict", "-purpose", purpose, "-CAfile", "ca.crt", "i.crt"],
      ),
      "i.crt: OK\n",
    );
  }
  const text = await openssl(dir.path, "x509", "-in", "i.crt", "-noout", "-text");
  for (
    const expected of [
      "Signature Algorithm: ecdsa-with-SHA384",
      "Issuer: CN = keyop-messenger CA",
      "Subject: CN = kitchen pi",
      "TLS Web Server Authentication, TLS Web Client Authentication",
      "DNS:kitchen.example",
    ]
  ) assertStringIncludes(text, expected);
  const print = await openssl(
    dir.path,
    ...["x509", "-in", "i.crt", "-noout", "-fingerprint", "-sha256"],
  );
  assertStringIncludes(
    stdout,
    `SHA-256:${print.trim().split("=")[1]!.replaceAll(":", "").toLowerCase()}`,
  );
});

Deno.test("a missing permission is one line and writes nothing", async () => {
  await using dir = await tempDir();
  const { code, stdout, stderr } = await run(
    dir.path,
    ["--allow-read=.", "--allow-write=ca.key"],
    ...["keygen", "ca"],
  );
  assertEquals([code, stdout], [1, ""]);
  assertMatch(stderr, /^keyop-messenger: Cannot write ca.crt: Requires write access to [^\n]*\n$/);
  assertEquals([...Deno.readDirSync(dir.path)], []);
});

Deno.test("help and version need no permission", async () => {
  await using dir = await tempDir();
  for (const words of [["--help"], ["keygen", "--help"], ["keygen", "ca", "-h"], ["version"]]) {
    const { code, stdout, stderr } = await run(dir.path, [], ...words);
    assertEquals([code, stderr], [0, ""], words.join(" "));
    assertMatch(stdout, /^(keyop-messenger|version: \d)/);
  }
});

Deno.test("wrong usage ends with exit code 2 and one line", async () => {
  await using dir = await tempDir();
  const { code, stdout, stderr } = await run(dir.path, [], "kegyen");
  assertEquals([code, stdout], [2, ""]);
  assertEquals(
    stderr,
    'keyop-messenger: unknown command "kegyen"; did you mean "keygen"? (see "keyop-messenger --help")\n',
  );
});

/** Starts the waiting program and waits for its first line. */
async function start(command: string) {
  const child = new Deno.Command("deno", {
    args: ["run", "--no-prompt", WAITING, command],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const { value } = await lines.read();
  return { child, lines, first: value!.split("\n")[0]! };
}

for (const [signal, expected] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
  Deno.test(`${signal} ends a command quietly with ${expected}`, async () => {
    const { child, lines, first } = await start("polite");
    assertEquals(first, "ready");
    child.kill(signal);
    assertEquals((await child.status).code, expected);
    assertEquals(await new Response(child.stderr).text(), "");
    await lines.cancel();
  });
}

Deno.test("a second signal ends a command that does not listen at once", async () => {
  const { child, lines } = await start("stubborn");
  child.kill("SIGINT");
  assertEquals((await lines.read()).value, "asked\n");
  child.kill("SIGINT");
  assertEquals((await child.status).code, 130);
  await child.stderr.cancel();
  await lines.cancel();
});

Deno.test("a command ends quietly when nobody reads its output any more", async () => {
  const { child, lines, first } = await start("endless");
  assertEquals(first, "line 0");
  await lines.cancel();
  assertEquals((await child.status).code, 0);
  assertEquals(await new Response(child.stderr).text(), "");
});

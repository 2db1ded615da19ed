import { assertEquals, assertRejects } from "@std/assert";
import { join } from "node:path";
import { CertificateError } from "../../src/base/mod.ts";
import { loadCredentials, watchCredentials } from "../../src/tls/mod.ts";
import { tempDir } from "../helpers/temp.ts";
import { makePki } from "./helpers.ts";

// The files must be known before the tests are, whose permissions name them.
const dir = await tempDir();
const paths = {
  cert: join(dir.path, "i.crt"),
  key: join(dir.path, "i.key"),
  ca: join(dir.path, "ca.crt"),
};
const { ca, instance } = await makePki("kitchen");
await Deno.writeTextFile(paths.cert, instance.certPem);
await Deno.writeTextFile(paths.key, instance.keyPem);
await Deno.writeTextFile(paths.ca, ca.certPem);
Deno.test.afterAll(async () => await dir[Symbol.asyncDispose]());

const nothing: Deno.PermissionOptionsObject = {
  read: false,
  write: false,
  net: false,
  env: false,
  run: false,
  sys: false,
  ffi: false,
};
const threeFiles = { ...nothing, read: Object.values(paths) };

Deno.test("certificates are made without any permission", { permissions: nothing }, async () => {
  assertEquals((await makePki("cellar")).instance.info.commonName, "cellar");
});

Deno.test("loading reads the three files and needs no other permission", {
  permissions: threeFiles,
}, async () => {
  assertEquals((await loadCredentials(paths)).commonName, "kitchen");
  await assertRejects(() => Deno.readTextFile(join(dir.path, "other")), Deno.errors.NotCapable);
});

Deno.test("watching reads the three files and needs no other permission", {
  permissions: threeFiles,
}, async () => {
  const stop = new AbortController();
  const seen: string[] = [];
  const watch = watchCredentials(paths, {
    onChange: ({ commonName }) => void seen.push(commonName),
    onError: ({ message }) => void seen.push(message),
    signal: stop.signal,
  });
  await watch.check();
  stop.abort();
  assertEquals(seen, ["kitchen"]);
});

Deno.test("loading without permission for a file says which one to give", {
  permissions: { ...nothing, read: [paths.cert, paths.ca] },
}, async () => {
  const error = await assertRejects(() => loadCredentials(paths), CertificateError);
  assertEquals(error.path, paths.key);
  assertEquals(error.message.endsWith(`run it with --allow-read=${paths.key}`), true);
});

Deno.test("loading explains a missing file and a folder", async () => {
  const missing = join(dir.path, "missing.crt");
  await assertRejects(
    () => loadCredentials({ ...paths, cert: missing }),
    CertificateError,
    `${missing}: there is no such file`,
  );
  await assertRejects(
    () => loadCredentials({ ...paths, ca: dir.path }),
    CertificateError,
    `${dir.path}: is a folder`,
  );
});

Deno.test("loading gives up on a file that is too long for certificates", async () => {
  const long = join(dir.path, "long");
  await Deno.writeTextFile(long, `${instance.certPem}${"x".repeat(1024 * 1024)}`);
  await assertRejects(
    () => loadCredentials({ ...paths, cert: long }),
    CertificateError,
    `${long}: cannot be read: it is longer than 1 MiB`,
  );
});

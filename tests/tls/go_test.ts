import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { generateInstance, loadCredentials } from "../../src/tls/mod.ts";
import { tempDir } from "../helpers/temp.ts";
import { makePki } from "./helpers.ts";

const program = join(import.meta.dirname!, "go", "main.go");
const ignore = !await hasGo();
if (ignore) console.warn("go is not on the PATH: tests with it are skipped");

async function hasGo(): Promise<boolean> {
  try {
    return (await new Deno.Command("go", { args: ["version"] }).output()).success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Runs the Go program beside this file; nothing is downloaded for it. */
async function go(...args: string[]): Promise<string> {
  const command = new Deno.Command("go", {
    args: ["run", program, ...args],
    env: { GOPROXY: "off", GOTOOLCHAIN: "local", GOWORK: "off" },
  });
  const { success, stdout, stderr } = await command.output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`go ${args.join(" ")}: ${decoder.decode(stderr)}`);
  return decoder.decode(stdout);
}

Deno.test("certificates that Go made load, with both forms of key", { ignore }, async () => {
  await using dir = await tempDir();
  await go("make", dir.path);
  const at = (file: string) => join(dir.path, file);
  for (const form of ["sec1", "pkcs8"]) {
    const paths = { cert: at(`${form}.crt`), key: at(`${form}.key`), ca: at("ca.crt") };
    assertEquals((await loadCredentials(paths)).commonName, form);
  }
  const instance = await generateInstance({
    caCertPem: await Deno.readTextFile(at("ca.crt")),
    caKeyPem: await Deno.readTextFile(at("ca.key")),
    name: "kitchen",
  });
  await Deno.writeTextFile(at("i.crt"), instance.certPem);
  await Deno.writeTextFile(at("i.key"), instance.keyPem);
  assertEquals(await go("verify", at("ca.crt"), at("i.crt"), at("i.key"), "kitchen"), "kitchen");
});

const names: readonly [name: string, ...hosts: string[]][] = [
  ["kitchen", "kitchen", "10.0.0.7", "fd00::7", "a.home.example"],
  ["host:7741", "host"],
  ["kitchen pi"],
  ["größe"],
  ["#abc"],
  ["localhost", "127.0.0.1", "::1"],
  ["x".repeat(255)],
];
for (const [name, ...hosts] of names) {
  Deno.test(`Go accepts our certificate for ${JSON.stringify(name.slice(0, 20))}`, {
    ignore,
  }, async () => {
    await using dir = await tempDir();
    const at = (file: string) => join(dir.path, file);
    const san = name === "kitchen" ? ["10.0.0.7", "fd00::7", "*.home.example"] : [];
    const { ca, instance } = await makePki(name, { days: 36_500, caDays: 36_500, san });
    await Deno.writeTextFile(at("ca.crt"), ca.certPem);
    await Deno.writeTextFile(at("i.crt"), instance.certPem);
    await Deno.writeTextFile(at("i.key"), instance.keyPem);
    assertEquals(await go("verify", at("ca.crt"), at("i.crt"), at("i.key"), ...hosts), name);
  });
}

Deno.test(
  "Go signs with our CA's key as it is, and the certificate loads",
  { ignore },
  async () => {
    await using dir = await tempDir();
    const at = (file: string) => join(dir.path, file);
    const { ca } = await makePki();
    await Deno.writeTextFile(at("ca.crt"), ca.certPem);
    await Deno.writeTextFile(at("ca.key"), ca.keyPem);
    await go("sign", at("ca.crt"), at("ca.key"), dir.path);
    const paths = { cert: at("signed.crt"), key: at("signed.key"), ca: at("ca.crt") };
    assertEquals((await loadCredentials(paths)).commonName, "signed");
  },
);

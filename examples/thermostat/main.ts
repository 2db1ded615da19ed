/**
 * A thermostat over federated channels: a house (the hub), a room with a heating and a panel, each a
 * process of its own with its own data directory, linked by mutually authenticated connections. The
 * programs know nothing of that: each opens the bus that its URL names.
 *
 * It needs nothing but Deno: it makes certificates and configurations in a temporary folder, which it
 * removes at the end.
 *
 * ```sh
 * deno run -A examples/thermostat/main.ts
 * ```
 *
 * @module
 */
import { join } from "node:path";
import { freePort } from "../demo/free_port.ts";
import { quietly } from "../demo/quietly.ts";
import { Actor } from "./actor.ts";
import { configOf, type Role, ROLES } from "./configs.ts";

const CLI = new URL("../../cli.ts", import.meta.url).pathname;
const LIMIT_MS = 120_000;

const signal = AbortSignal.timeout(LIMIT_MS);
const folder = await Deno.realPath(await Deno.makeTempDir({ prefix: "keyop-thermostat-" }));
try {
  await prepare();
  await using house = start("house");
  await house.line(/^aiming at 18 /);
  await using room = start("room");
  await room.line(/^measuring$/);
  await house.line(/heating on$/);
  await house.line(/heating off$/);

  await using panel = start("panel", "21");
  await panel.ended;
  await house.line(/aim 21 .*heating on$/);
  await house.line(/aim 21 .*heating off$/);
  console.log("the room is as warm as the panel asked for");
} finally {
  await Deno.remove(folder, { recursive: true });
}

/** Makes a certificate, a configuration and a data directory for each program. */
async function prepare(): Promise<void> {
  const hubAddr = `127.0.0.1:${freePort()}`;
  await keygen("ca");
  for (const role of ROLES) {
    const hosts = role === "house" ? ["--san", "127.0.0.1"] : [];
    await keygen("instance", "--ca", "ca.crt", "--ca-key", "ca.key", "--name", role, ...hosts);
    await Deno.writeTextFile(join(folder, `${role}.yaml`), configOf(role, folder, hubAddr));
  }
}

async function keygen(...args: string[]): Promise<void> {
  await quietly(["run", "-A", "--no-prompt", "--quiet", CLI, "keygen", ...args], {
    cwd: folder,
    signal,
  });
}

function start(role: Role, ...args: string[]): Actor {
  const module = new URL(`./${role}.ts`, import.meta.url).pathname;
  const url = `messenger:${join(folder, `${role}.yaml`)}`;
  return new Actor({ name: role, module, folder, args: [url, ...args], signal });
}

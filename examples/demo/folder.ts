import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { list } from "./permissions.ts";
import { quietly } from "./quietly.ts";

/** A program of the demo, as its files and certificate name it. */
export type Role = "hub" | "one" | "two";

/** Path of the command line. */
export const CLI = fileURLToPath(import.meta.resolve("../../cli.ts"));

const ROLES: readonly Role[] = ["hub", "one", "two"];

/** The temporary folder with everything that the demo's programs read and write. */
export class Folder {
  /** Its path. */
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** Makes it, empty. Requires write of the folder for temporary files. */
  static async make(): Promise<Folder> {
    return new Folder(await Deno.realPath(await Deno.makeTempDir({ prefix: "keyop-demo-" })));
  }

  /**
   * Makes certificates and configuration of every program.
   *
   * @param hubAddr Where the hub listens.
   * @param signal Ends the making, with its reason.
   */
  async fill(hubAddr: string, signal: AbortSignal): Promise<void> {
    await this.#keygen(["ca"], signal);
    const filled = await Promise.allSettled(ROLES.map(async (role) => {
      const hosts = role === "hub" ? ["--san", "127.0.0.1"] : [];
      const ca = ["--ca", "ca.crt", "--ca-key", "ca.key"];
      await this.#keygen(["instance", ...ca, "--name", role, ...hosts], signal);
      await Deno.writeTextFile(this.config(role), this.#config(role) + LINKS[role](hubAddr));
      await Deno.mkdir(this.data(role));
    }));
    // Only now, when none of them writes into the folder any more.
    for (const each of filled) if (each.status === "rejected") throw each.reason;
  }

  /** What a program may read and write is all below here. */
  data(role: Role): string {
    return join(this.path, role);
  }

  /** The configuration file of a program. */
  config(role: Role): string {
    return join(this.path, `${role}.yaml`);
  }

  /** What a program needs to read besides its data: configuration, certificate, key and CA. */
  inputs(role: Role): string[] {
    return [`${role}.yaml`, `${role}.crt`, `${role}.key`, "ca.crt"].map((name) =>
      join(this.path, name)
    );
  }

  /** Where a program's log goes. */
  log(role: Role): string {
    return join(this.path, `${role}.log`);
  }

  /** Where client two keeps the ids of what it has handled. */
  get handledIds(): string {
    return join(this.data("two"), "handled.txt");
  }

  /** Removes it with everything in it. */
  async remove(): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }

  #config(role: Role): string {
    const file = (name: string) => JSON.stringify(join(this.path, name));
    return `
storage:
  data_dir: ${JSON.stringify(join(this.data(role), "messages"))}
tls:
  cert: ${file(`${role}.crt`)}
  key: ${file(`${role}.key`)}
  ca: ${file("ca.crt")}
federation: # Shorter waits than usual, since the demo is short.
  reconnect_base_ms: 100
  reconnect_max_ms: 500
`;
  }

  /** Makes certificates as a user would, with the command line. */
  async #keygen(args: readonly string[], signal: AbortSignal): Promise<void> {
    const permissions = [`--allow-read=${list([this.path])}`, `--allow-write=${list([this.path])}`];
    await quietly(
      ["run", "--no-prompt", "--quiet", ...permissions, CLI, "keygen", ...args],
      { cwd: this.path, signal },
    );
  }
}

/** The part of each configuration that says who is linked to whom, and for which channels. */
const LINKS: Record<Role, (hubAddr: string) => string> = {
  hub: (hubAddr) => `
hub:
  enabled: true
  listen_addr: ${hubAddr}
  allowed_peers:
    - name: one
      publish: [readings]
    - name: two
      publish: [arrivals]
      subscribe: [readings]
`,
  one: (hubAddr) => `
client:
  enabled: true
  hubs:
    - addr: ${hubAddr}
      publish: [readings]
`,
  two: (hubAddr) => `
client:
  enabled: true
  hubs:
    - addr: ${hubAddr}
      publish: [arrivals]
      subscribe: [readings]
`,
};

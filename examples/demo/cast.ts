import { fileURLToPath } from "node:url";
import type { Folder, Role } from "./folder.ts";
import { permissions } from "./permissions.ts";

/** How a program of the demo is run. */
export interface Part {
  /** What the demo calls it. */
  readonly name: string;
  /** Path of its module. */
  readonly module: string;
  /** Every permission that it has. */
  readonly permissions: readonly string[];
  readonly args: readonly string[];
}

/** Who takes part in the demo, each with no more permissions than it needs. */
export function cast(folder: Folder, hubAddr: string): Record<Role, Part> {
  return {
    hub: {
      name: "hub",
      module: moduleOf("hub.ts"),
      permissions: permissions(folder, "hub", hubAddr),
      args: [folder.config("hub")],
    },
    one: {
      name: "client one",
      module: moduleOf("publisher.ts"),
      permissions: [
        ...permissions(folder, "one", hubAddr),
        "--allow-sys=cpus,loadavg,systemMemoryInfo,networkInterfaces",
      ],
      args: [folder.config("one")],
    },
    two: {
      name: "client two",
      module: moduleOf("receiver.ts"),
      permissions: permissions(folder, "two", hubAddr),
      args: [folder.config("two"), folder.handledIds],
    },
  };
}

/** Path of a module of the demo. */
export function moduleOf(name: string): string {
  return fileURLToPath(import.meta.resolve(`./${name}`));
}

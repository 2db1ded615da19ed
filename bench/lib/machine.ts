import { statfsSync } from "node:fs";
import os from "node:os";

/** Where something was measured. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly os: string;
  readonly deno: string;
  readonly fileSystem: string;
}

/** What Linux calls a file system, by the number that it has there. */
const FILE_SYSTEMS: Readonly<Record<number, string>> = {
  0xef53: "ext4",
  0x58465342: "xfs",
  0x9123683e: "btrfs",
  0x2fc12fc1: "zfs",
  0x794c7630: "overlay",
  0x01021994: "tmpfs: in memory, syncs cost nothing here",
  0x6969: "nfs",
};

/** Describes this machine, and the file system of a folder. Needs sys and read permission. */
export function describeMachine(dir: string): Machine {
  const cpus = os.cpus();
  return {
    cpu: cpus[0]?.model ?? "unknown",
    cores: cpus.length,
    os: `${Deno.build.os} ${Deno.build.arch}`,
    deno: Deno.version.deno,
    fileSystem: fileSystemOf(dir),
  };
}

function fileSystemOf(dir: string): string {
  if (Deno.build.os !== "linux") return "unknown";
  const { type } = statfsSync(dir);
  return FILE_SYSTEMS[Number(type)] ?? `type 0x${Number(type).toString(16)}`;
}

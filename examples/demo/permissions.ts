import type { Folder, Role } from "./folder.ts";

/** What a program that is linked to others needs, and no more: the flags. */
export function permissions(folder: Folder, role: Role, hubAddr: string): string[] {
  const data = folder.data(role);
  return [
    `--allow-read=${list([...folder.inputs(role), data])}`,
    `--allow-write=${list([data])}`,
    `--allow-net=${hubAddr}`,
    "--allow-env=WS_NO_BUFFER_UTIL,WS_NO_UTF_8_VALIDATE",
  ];
}

/** Paths as a flag takes them: a comma within one is doubled, so that it separates nothing. */
export function list(paths: readonly string[]): string {
  return paths.map((path) => path.replaceAll(",", ",,")).join(",");
}

import { ensureDir } from "@std/fs";
import { messageOf, StorageError } from "../../base/mod.ts";

/**
 * Makes the folders `channels/`, `subscribers/` and `audit/` below the data directory, and the data directory
 * itself. What is there already stays as it is.
 *
 * Requires `--allow-read` and `--allow-write` on the data directory.
 *
 * @param config A {@linkcode Config} or {@linkcode ResolvedConfig}: only `storage.dataDir` is read.
 * @throws {StorageError} When a folder cannot be made.
 */
export async function ensureDirectories(
  config: { readonly storage: { readonly dataDir: string } },
): Promise<void> {
  for (const name of ["channels", "subscribers", "audit"]) {
    const path = `${config.storage.dataDir}/${name}`;
    try {
      await ensureDir(path);
    } catch (error) {
      throw new StorageError(`Cannot make folder ${path}: ${messageOf(error)}`, { cause: error });
    }
  }
}

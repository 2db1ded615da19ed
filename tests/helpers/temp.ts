import { resolve } from "node:path";

/**
 * Makes a temporary folder below `.tmp/` of the current folder, which disposal removes.
 *
 * @returns The folder's absolute path.
 */
export async function tempDir(): Promise<{ path: string } & AsyncDisposable> {
  const parent = resolve(".tmp");
  await Deno.mkdir(parent, { recursive: true });
  const path = await Deno.makeTempDir({ dir: parent });
  return {
    path,
    async [Symbol.asyncDispose]() {
      await Deno.remove(path, { recursive: true });
    },
  };
}

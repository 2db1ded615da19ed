// Stands in for jsr:@std/fs so that a checkout builds from the npm registry alone:
// the two functions that are used, on Deno's own file system.

/** Makes a folder and its parents; nothing happens when it is there already. */
export async function ensureDir(path: string | URL): Promise<void> {
  await Deno.mkdir(path, { recursive: true });
}

/** Whether something is at the path. */
export async function exists(path: string | URL): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Options of {@linkcode quietly}. */
export interface QuietlyOptions {
  /** The folder to run in. @default the current one */
  readonly cwd?: string;
  /** Ends it, with its reason. */
  readonly signal: AbortSignal;
}

/**
 * Runs Deno, and says nothing unless that fails.
 *
 * @param args Its arguments.
 * @param options Where, and how long.
 * @throws {Error} With what it had to say, when it failed.
 */
export async function quietly(args: readonly string[], options: QuietlyOptions): Promise<void> {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    ...options,
    args: [...args],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  options.signal.throwIfAborted();
  if (!success) throw new Error(new TextDecoder().decode(stderr).trim());
}

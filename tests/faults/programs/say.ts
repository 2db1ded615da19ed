const encoder = new TextEncoder();

/** Writes a line to standard output, handed over before this returns: a kill cannot take it back. */
export function say(line: string): void {
  let bytes = encoder.encode(`${line}\n`);
  while (bytes.length > 0) bytes = bytes.subarray(Deno.stdout.writeSync(bytes));
}

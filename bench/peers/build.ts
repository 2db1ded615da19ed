import { resolve } from "node:path";

const SOURCE = "bench/peers/go";
/** A fixed place, so that one permission covers the program that is built there. */
const WORKSHOP = ".tmp/bench-peer";

/** The program, or why there is none. */
export type Built = { readonly program: string } | { readonly unavailable: string };

/**
 * Builds the Go program in a copy of its folder, with the module that its go.mod names.
 *
 * @throws {Error} When it was there but did not compile.
 */
export async function buildPeer(): Promise<Built> {
  await Deno.mkdir(WORKSHOP, { recursive: true });
  for (const file of ["go.mod", "main.go"]) {
    await Deno.copyFile(`${SOURCE}/${file}`, `${WORKSHOP}/${file}`);
  }
  const tidied = await go("mod", "tidy");
  if (tidied !== undefined) return { unavailable: inOneLine(tidied) };
  const built = await go("build", "-o", "peer", ".");
  if (built !== undefined) throw new Error(`The Go program does not compile:\n${built}`);
  return { program: resolve(WORKSHOP, "peer") };
}

/** Runs Go in the workshop. @returns What it complained of; undefined when it succeeded. */
async function go(...args: string[]): Promise<string | undefined> {
  try {
    const { success, stderr } = await new Deno.Command("go", { args, cwd: WORKSHOP }).output();
    return success ? undefined : new TextDecoder().decode(stderr);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "go is not on the PATH";
    throw error;
  }
}

/** The last thing that Go says is the reason; what comes before is how it got there. */
export function inOneLine(complaint: string): string {
  const lines = complaint.split("\n").map((line) => line.trim()).filter((line) => line !== "");
  const version = /\S+@v\S+?(?=:)/.exec(complaint)?.[0];
  const reason = lines.at(-1) ?? "go said nothing";
  return version === undefined ? reason : `${version}: ${reason}`;
}

/** Below the ports that systems give to outgoing connections: none of those can take it meanwhile. */
const FIRST = 20_000;
const LAST = 29_999;
const ATTEMPTS = 100;

/**
 * Finds a port of this machine that nobody uses. A hub that is killed and started again needs the same
 * one each time, and a permission that names it.
 *
 * Requires `--allow-net=127.0.0.1`.
 *
 * @throws {Error} When there is none.
 */
export function freePort(): number {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST + 1));
    try {
      Deno.listen({ hostname: "127.0.0.1", port }).close();
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
  throw new Error(`no free port found from ${FIRST} to ${LAST} in ${ATTEMPTS} attempts`);
}

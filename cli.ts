/**
 * The command line: `deno run jsr:@keyop/messenger/cli --help`.
 *
 * @module
 */
import { main } from "./src/cli/main.ts";

if (import.meta.main) Deno.exit(await main(Deno.args));

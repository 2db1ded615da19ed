/**
 * Measures this messenger beside the Go implementation doing the same work in turn.
 *
 * `deno task bench:peers`, with the options of `deno task bench`. Needs Go and its module proxy.
 */
import { askAll } from "./lib/main.ts";
import { beside } from "./peers/beside.ts";

Deno.exit(await askAll(Deno.args, [beside]));

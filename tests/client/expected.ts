import { assertEquals } from "@std/assert";
import type { EverywhereResult } from "./everywhere.ts";

/** Checks what the client got, in whatever runtime. */
export function assertEverywhere(result: EverywhereResult, transport: string): void {
  assertEquals(result, {
    transport,
    numbers: Array.from({ length: 20 }, (_, n) => n + 1),
    echo: { text: "hé" },
    viewers: 1,
    recovered: true,
    gaps: 0,
  });
}

import type { BusBackend } from "../suite.ts";
import { memoryBackend } from "./memory.ts";
import { sqliteBackend } from "./sqlite.ts";

/** Every backend, in the order of the docs. */
export const BUS_BACKENDS: readonly BusBackend[] = [memoryBackend, sqliteBackend];

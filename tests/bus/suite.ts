import type { Bus, BusOptions } from "@keyop/messenger/bus";
import { BAD_INPUT_RULES } from "./rules/bad_input_rules.ts";
import { CANCEL_RULES } from "./rules/cancel_rules.ts";
import { CLOSE_RULES } from "./rules/close_rules.ts";
import { CONTEXT_RULES } from "./rules/context_rules.ts";
import { PROCESS_RULES } from "./rules/process_rules.ts";
import { REPLY_RULES } from "./rules/reply_rules.ts";
import { REQUEST_RULES } from "./rules/request_rules.ts";
import { STREAM_RULES } from "./rules/stream_rules.ts";
import { TYPED_RULES } from "./rules/typed_rules.ts";

/**
 * In what backends differ by their nature. A rule that needs what a backend has not is no gap: the
 * backend's note says what happens there.
 */
export interface BusAbilities {
  /** A request that nobody serves fails at once. */
  readonly knowsServers: boolean;
  /** A server that comes within the time limit of a request answers it. */
  readonly keepsRequests: boolean;
  /** A slow reader falls behind and loses nothing. */
  readonly keepsMessages: boolean;
  /** A slow reader has 1,024 messages, then some are dropped, counted and logged. */
  readonly dropsMessages: boolean;
  /** Other processes take part, each with the URL that `processUrl` gives. */
  readonly reachesProcesses: boolean;
}

/** Where one test has its buses. */
export interface BusPlace extends AsyncDisposable {
  /** Opens a bus; all buses of a place reach each other. */
  open(options?: BusOptions): Promise<Bus>;
  /** What `openBus` of another process takes to take part. */
  processUrl(): Promise<string>;
}

/** A backend under test. */
export interface BusBackend {
  readonly name: string;
  readonly abilities: BusAbilities;
  /** What the docs say of each ability that it has not. */
  readonly notes: Partial<Readonly<Record<keyof BusAbilities, string>>>;
  /** A new place, with servers running where there are any. */
  place(): Promise<BusPlace>;
}

/** Something that holds for a bus. */
export interface BusRule {
  readonly name: string;
  readonly needs?: keyof BusAbilities;
  run(place: BusPlace): Promise<void>;
}

/** Every rule. */
export const BUS_RULES: readonly BusRule[] = [
  ...STREAM_RULES,
  ...REQUEST_RULES,
  ...REPLY_RULES,
  ...CANCEL_RULES,
  ...CONTEXT_RULES,
  ...CLOSE_RULES,
  ...BAD_INPUT_RULES,
  ...TYPED_RULES,
  ...PROCESS_RULES,
];

const LIMIT_MS = 60_000;

/** Runs a rule in a place of its own, for a minute at most. */
export async function runRule(backend: BusBackend, rule: BusRule): Promise<void> {
  await using place = await backend.place();
  const { promise, reject } = Promise.withResolvers<never>();
  const limit = setTimeout(() => reject(new Error("it did not end within a minute")), LIMIT_MS);
  try {
    await Promise.race([rule.run(place), promise]);
  } finally {
    clearTimeout(limit);
  }
}

/** Registers one test for each rule; a rule that needs what the backend has not shows as ignored. */
export function testBus(backend: BusBackend): void {
  for (const rule of BUS_RULES) {
    const { name, needs } = rule;
    Deno.test({
      name: `${backend.name}: ${name}`,
      ignore: needs !== undefined && !backend.abilities[needs],
      fn: () => runRule(backend, rule),
    });
  }
}

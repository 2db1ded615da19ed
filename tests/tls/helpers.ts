import type { Clock, Timer } from "../../src/base/mod.ts";
import {
  type CredentialPaths,
  generateCa,
  type GeneratedCertificate,
  generateInstance,
} from "../../src/tls/mod.ts";

/** A day in milliseconds. */
export const DAY_MS = 86_400_000;

/** Where the tests' certificates pretend to lie. */
export const PATHS: CredentialPaths = { cert: "pki/i.crt", key: "pki/i.key", ca: "pki/ca.crt" };

/** A clock that moves when it is told to. */
export class ManualClock implements Clock {
  #now: number;
  readonly #timers = new Set<{ at: number; run: () => void; unref: boolean }>();

  constructor(now: number = Date.UTC(2026, 0, 1)) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#now;
  }

  after(delayMs: number, run: () => void, options?: { readonly unref?: boolean }): Timer {
    const timer = { at: this.#now + delayMs, run, unref: options?.unref ?? false };
    this.#timers.add(timer);
    return { cancel: () => void this.#timers.delete(timer) };
  }

  soon(run: () => void): void {
    queueMicrotask(run);
  }

  /** The timers that wait. */
  get timers(): readonly { readonly at: number; readonly unref: boolean }[] {
    return [...this.#timers].map(({ at, unref }) => ({ at, unref }));
  }

  /** Moves on and fires what is due. */
  advance(durationMs: number): void {
    this.#now += durationMs;
    for (const timer of this.#timers) {
      if (timer.at > this.#now) continue;
      this.#timers.delete(timer);
      timer.run();
    }
  }
}

/** Files in memory, to be read as if they were on the disk. */
export class MemoryFiles {
  readonly contents: Map<string, string>;

  constructor(contents: Readonly<Record<string, string>> = {}) {
    this.contents = new Map(Object.entries(contents));
  }

  /** Reads one; missing ones are missing as on the disk. */
  readonly readFile = (path: string): Promise<string> => {
    const text = this.contents.get(path);
    if (text === undefined) return Promise.reject(new Deno.errors.NotFound(path));
    return Promise.resolve(text);
  };
}

/** A CA, and an instance certificate of it. */
export interface Pki {
  readonly ca: GeneratedCertificate;
  readonly instance: GeneratedCertificate;
}

/** Makes a CA and an instance certificate. */
export async function makePki(
  name = "kitchen",
  options: { days?: number; caDays?: number; san?: string[]; clock?: Clock } = {},
): Promise<Pki> {
  const { days = 30, caDays = 60, san = [], clock } = options;
  const time = clock === undefined ? {} : { clock };
  const ca = await generateCa({ days: caDays, ...time });
  const instance = await issue(ca, name, { days, san, ...time });
  return { ca, instance };
}

/** Makes an instance certificate of a CA. */
export function issue(
  ca: GeneratedCertificate,
  name: string,
  options: { days?: number; san?: string[]; clock?: Clock } = {},
): Promise<GeneratedCertificate & { daysCut: number }> {
  return generateInstance({ caCertPem: ca.certPem, caKeyPem: ca.keyPem, name, ...options });
}

/** The three files of an instance at {@linkcode PATHS}. */
export function filesOf({ ca, instance }: Pki): MemoryFiles {
  return new MemoryFiles({
    [PATHS.cert]: instance.certPem,
    [PATHS.key]: instance.keyPem,
    [PATHS.ca]: ca.certPem,
  });
}

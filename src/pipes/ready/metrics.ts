import { type Clock, systemClock } from "../../base/mod.ts";
import type { PipeMessage } from "../pipe_message.ts";
import { AroundPipe, type Passing } from "./around_pipe.ts";
import { wholeInRange } from "./checks.ts";

/** Upper bounds of the histogram's steps, in milliseconds. */
const BOUNDS_MS = [1, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000] as const;
const OTHER = "other";
/** What peers call their types has no bound of its own. */
const NAME_LENGTH_MAX = 255;

/** Options of {@linkcode metrics}. */
export interface MetricsOptions {
  /**
   * How many pairs of type and channel are counted apart; further ones are counted together as
   * `other`. 1 to 100,000. @default {1_000}
   */
  readonly maxSeries?: number;
  /** Measures; for tests. @default the computer's */
  readonly clock?: Clock;
}

/** What a {@linkcode MetricsPipe} has counted of one type on one channel, one way. */
export interface MetricsSeries {
  /** Which way. */
  readonly way: "send" | "handle";
  /** Name of the messages' type. */
  readonly type: string;
  /** Their channel; empty in a broker. */
  readonly channel: string;
  /** Messages that everything behind the pipe is done with. */
  readonly passed: number;
  /** Messages for which it has failed. */
  readonly failed: number;
  /** Messages that it is busy with now. */
  readonly inFlight: number;
  /** Milliseconds that all of them took together. */
  readonly totalMs: number;
  /** Milliseconds that the longest took. */
  readonly maxMs: number;
  /** How many took at most so many milliseconds, by that number; the longer ones are in none. */
  readonly atMostMs: ReadonlyMap<number, number>;
}

interface Counts {
  readonly way: "send" | "handle";
  readonly type: string;
  readonly channel: string;
  passed: number;
  failed: number;
  inFlight: number;
  totalMs: number;
  maxMs: number;
  /** How many fall into each step; the last is for the longest. */
  readonly steps: number[];
}

/** Counts and measures what passes. Made by {@linkcode metrics}. */
export class MetricsPipe extends AroundPipe {
  readonly #series = new Map<string, Counts>();
  readonly #maxSeries: number;
  readonly #clock: Clock;

  /**
   * Makes the pipe.
   *
   * @param options How much is told apart.
   * @throws {InvalidConfigError} When the number is out of its range.
   */
  constructor({ maxSeries = 1_000, clock = systemClock }: MetricsOptions = {}) {
    super();
    this.#maxSeries = wholeInRange("metrics", "maxSeries", maxSeries, 1, 100_000);
    this.#clock = clock;
  }

  /** What has been counted. */
  stats(): readonly MetricsSeries[] {
    return Array.from(this.#series.values(), ({ steps, ...counts }) => {
      let sum = 0;
      return {
        ...counts,
        atMostMs: new Map(BOUNDS_MS.map((bound, step) => [bound, sum += steps[step]!])),
      };
    });
  }

  /**
   * The same in the text format that Prometheus reads.
   *
   * @param prefix What the metrics' names begin with.
   * @returns The text, with a line feed at its end.
   */
  prometheus(prefix = "keyop_pipe"): string {
    const series = this.stats();
    const metric = (
      name: string,
      kind: string,
      help: string,
      lines: (one: MetricsSeries, labels: string) => readonly string[],
    ) => [
      `# HELP ${prefix}_${name} ${help}`,
      `# TYPE ${prefix}_${name} ${kind}`,
      ...series.flatMap((one) => lines(one, labelsOf(one)).map((line) => `${prefix}_${line}`)),
    ];
    return [
      ...metric("failed_total", "counter", "Messages that failed.", ({ failed }, labels) => [
        `failed_total{${labels}} ${failed}`,
      ]),
      ...metric("in_flight", "gauge", "Messages that are on their way.", (one, labels) => [
        `in_flight{${labels}} ${one.inFlight}`,
      ]),
      ...metric("seconds", "histogram", "What everything behind the pipe took.", (one, labels) => {
        const count = one.passed + one.failed;
        return [
          ...Array.from(
            one.atMostMs,
            ([bound, within]) => `seconds_bucket{${labels},le="${bound / 1_000}"} ${within}`,
          ),
          `seconds_bucket{${labels},le="+Inf"} ${count}`,
          `seconds_sum{${labels}} ${one.totalMs / 1_000}`,
          `seconds_count{${labels}} ${count}`,
        ];
      }),
    ].join("\n") + "\n";
  }

  /** Counts one message. */
  protected override async around(message: PipeMessage, passing: Passing): Promise<void> {
    const { type, channel = "" } = message;
    const counts = this.#countsOf(passing.way, type.slice(0, NAME_LENGTH_MAX), channel);
    const began = this.#clock.monotonic();
    counts.inFlight++;
    try {
      await passing.pass(message);
      counts.passed++;
    } catch (error) {
      counts.failed++;
      throw error;
    } finally {
      counts.inFlight--;
      const ms = this.#clock.monotonic() - began;
      counts.totalMs += ms;
      counts.maxMs = Math.max(counts.maxMs, ms);
      const step = BOUNDS_MS.findIndex((bound) => ms <= bound);
      counts.steps[step === -1 ? BOUNDS_MS.length : step]!++;
    }
  }

  #countsOf(way: "send" | "handle", type: string, channel: string): Counts {
    const key = `${way}\n${channel}\n${type}`;
    const known = this.#series.get(key);
    if (known !== undefined) return known;
    if (this.#series.size >= this.#maxSeries && type !== OTHER) {
      return this.#countsOf(way, OTHER, OTHER);
    }
    const steps = new Array<number>(BOUNDS_MS.length + 1).fill(0);
    const counts = { way, type, channel, passed: 0, failed: 0, inFlight: 0, totalMs: 0, maxMs: 0 };
    const made: Counts = { ...counts, steps };
    this.#series.set(key, made);
    return made;
  }
}

/**
 * A pipe that counts and measures what passes, by type and channel.
 *
 * @param options How much is told apart.
 * @returns The pipe; ask its `stats()`, or give its `prometheus()` to who scrapes.
 * @throws {InvalidConfigError} When an option is out of its range.
 *
 * @example
 * ```ts
 * import { metrics } from "@keyop/messenger/pipes";
 * import { assertEquals } from "@std/assert";
 *
 * const counting = metrics();
 * assertEquals(counting.stats(), []);
 * ```
 */
export function metrics(options: MetricsOptions = {}): MetricsPipe {
  return new MetricsPipe(options);
}

function labelsOf({ way, type, channel }: MetricsSeries): string {
  return `way="${way}",type="${escaped(type)}",channel="${escaped(channel)}"`;
}

function escaped(label: string): string {
  return label.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

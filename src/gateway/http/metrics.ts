/** What a metric is. */
export type MetricKind = "counter" | "gauge" | "histogram";

/** Names with values that tell samples of one metric apart. */
export type Labels = Readonly<Record<string, string>>;

interface Sample {
  /** What stands behind the metric's name: `_bucket`, `_sum`. */
  readonly suffix?: string;
  readonly labels?: Labels;
  readonly value: number;
}

/** One metric, as it is now. */
export interface Metric {
  /** Its name, without the prefix that all share. */
  readonly name: string;
  readonly kind: MetricKind;
  /** One sentence. */
  readonly help: string;
  readonly samples: readonly Sample[];
}

const PREFIX = "keyop_gateway_";

/** Metrics in the text format of Prometheus, version 0.0.4. */
export function prometheusText(metrics: readonly Metric[]): string {
  let text = "";
  for (const { name, kind, help, samples } of metrics) {
    text += `# HELP ${PREFIX}${name} ${escapeHelp(help)}\n# TYPE ${PREFIX}${name} ${kind}\n`;
    for (const { suffix = "", labels = {}, value } of samples) {
      const pairs = Object.entries(labels).map(([key, label]) => `${key}="${escapeLabel(label)}"`);
      text += `${PREFIX}${name}${suffix}${pairs.length > 0 ? `{${pairs.join(",")}}` : ""} ${
        numberText(value)
      }\n`;
    }
  }
  return text;
}

/** Upper bounds in seconds. */
const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

interface Series {
  readonly labels: Labels;
  readonly counts: number[];
  sum: number;
  count: number;
}

/** How long something takes, by its labels; the number of these has to be bounded by their maker. */
export class DurationHistogram {
  readonly #series = new Map<string, Series>();

  /** Adds one. */
  observe(labels: Labels, elapsedMs: number): void {
    const key = JSON.stringify(labels);
    let series = this.#series.get(key);
    if (series === undefined) {
      series = { labels, counts: BUCKETS.map(() => 0), sum: 0, count: 0 };
      this.#series.set(key, series);
    }
    const seconds = elapsedMs / 1000;
    const bucket = BUCKETS.findIndex((bound) => seconds <= bound);
    if (bucket >= 0) series.counts[bucket]!++;
    series.sum += seconds;
    series.count++;
  }

  /** The samples of all series. */
  samples(): readonly Sample[] {
    return [...this.#series.values()].flatMap(({ labels, counts, sum, count }) => {
      let below = 0;
      const buckets = counts.map((inBucket, index) => ({
        suffix: "_bucket",
        labels: { ...labels, le: String(BUCKETS[index]) },
        value: below += inBucket,
      }));
      return [
        ...buckets,
        { suffix: "_bucket", labels: { ...labels, le: "+Inf" }, value: count },
        { suffix: "_sum", labels, value: sum },
        { suffix: "_count", labels, value: count },
      ];
    });
  }
}

function escapeHelp(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function escapeLabel(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"');
}

function numberText(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  return Number.isFinite(value) ? String(value) : value > 0 ? "+Inf" : "-Inf";
}

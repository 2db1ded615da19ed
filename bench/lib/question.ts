/** How large a run is. */
export interface Scale {
  /** Tiny sizes: shows that the measurement works, says nothing about speed. */
  readonly quick: boolean;
  /** Measured rounds. */
  readonly rounds: number;
}

/** What one party did, next to the limit that was measured in turn with it. */
export interface RatioFinding {
  readonly kind: "ratio";
  readonly what: string;
  /** Messages in one round. */
  readonly count: number;
  /** Microseconds per message in the quickest round. */
  readonly bestUs: number;
  /** Microseconds per message in the middle round. */
  readonly medianUs: number;
  /** What it is compared to; absent for a limit itself. */
  readonly limit?: string;
  /** Quickest round of the limit divided by the quickest round of this. */
  readonly ratio?: number;
  /** The same of the middle rounds. */
  readonly medianRatio?: number;
  /** The ratio that is asked for; absent where the row only explains another one. */
  readonly required?: number;
}

/** One number with a bound. */
export interface FigureFinding {
  readonly kind: "figure";
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  /** The largest value that is good enough; absent where the row only explains another one. */
  readonly atMost?: number;
  /** The smallest value that is good enough. */
  readonly atLeast?: number;
}

/** A question that could not be asked here. */
export interface SkippedFinding {
  readonly kind: "skipped";
  readonly what: string;
  readonly reason: string;
}

/** One row of the report. */
export type Finding = RatioFinding | FigureFinding | SkippedFinding;

/** Something that is measured. */
export interface Question {
  /** What `--only` takes. */
  readonly name: string;
  /** What is asked, in one line. */
  readonly asks: string;
  /** Measures. */
  run(scale: Scale): Promise<readonly Finding[]>;
}

/** Whether a row is good enough; undefined where nothing is asked of it. */
export function isGoodEnough(finding: Finding): boolean | undefined {
  if (finding.kind === "ratio") {
    return finding.required === undefined ? undefined : finding.ratio! >= finding.required;
  }
  if (finding.kind === "figure") {
    const { value, atMost, atLeast } = finding;
    if (atMost === undefined && atLeast === undefined) return undefined;
    return value <= (atMost ?? Infinity) && value >= (atLeast ?? -Infinity);
  }
  return undefined;
}

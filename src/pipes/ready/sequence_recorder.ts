import {
  type Context,
  type Span,
  type SpanOptions,
  trace as traces,
  TraceFlags,
  type Tracer,
} from "@opentelemetry/api";
import { type Random, systemRandom } from "../../base/mod.ts";
import { wholeInRange } from "./checks.ts";
import type { SpanMaker } from "./span_maker.ts";
import { RecordedSpan } from "./recorded_span.ts";
import { activeContext, withActiveContext } from "./trace.ts";

const LABEL_LENGTH_MAX = 80;
/** What is kept of a text: enough for the drawing. */
const ATTRIBUTE_LENGTH_MAX = 100;

/** Options of a {@linkcode SequenceRecorder}. */
export interface SequenceRecorderOptions {
  /** How many steps are kept; further ones are only counted. 1 to 100,000. @default {1_000} */
  readonly maxSteps?: number;
  /** Replaces randomness, for tests. @default the system's */
  readonly random?: Random;
}

/**
 * Records how messages flow through pipes, and draws it as a Mermaid sequence diagram. Give its `tracer`
 * to `trace` pipes, and let handlers run in a `step` of their own.
 *
 * @example
 * ```ts
 * import { SequenceRecorder, trace } from "@keyop/messenger/pipes";
 * import { assertEquals } from "@std/assert";
 *
 * const recorder = new SequenceRecorder();
 * trace({ name: "Trace0", tracer: recorder.tracer, about: ({ value }) => String(value) });
 * recorder.step("client", "send Hello", () => {
 *   recorder.step("server", "handle Hello");
 * });
 * assertEquals(
 *   recorder.toMermaid(),
 *   `sequenceDiagram
 *   participant p0 as client
 *   participant p1 as server
 *   Note over p0: send Hello
 *   p0->>p1: handle Hello
 * `,
 * );
 * ```
 */
export class SequenceRecorder {
  /** Makes the spans that are recorded: a `Tracer` of `@opentelemetry/api`. */
  readonly tracer: SpanMaker;
  readonly #maxSteps: number;
  readonly #random: Random;
  #steps: RecordedSpan[] = [];
  #omitted = 0;

  /**
   * Makes the recorder.
   *
   * @param options How much it keeps.
   * @throws {InvalidConfigError} When the number is out of its range.
   */
  constructor({ maxSteps = 1_000, random = systemRandom }: SequenceRecorderOptions = {}) {
    this.#maxSteps = wholeInRange("recorder", "maxSteps", maxSteps, 1, 100_000);
    this.#random = random;
    const startSpan = (name: string, options?: SpanOptions, context?: Context) =>
      this.#start(name, options, context);
    const startActiveSpan = <R>(name: string, ...rest: readonly unknown[]): R => {
      const call = rest.at(-1) as (span: Span) => R;
      const [options, context] = rest.slice(0, -1) as [SpanOptions?, Context?];
      const span = startSpan(name, options, context);
      const active = traces.setSpan(context ?? activeContext(), span);
      return withActiveContext(active, () => call(span));
    };
    const tracer: Tracer = { startSpan, startActiveSpan };
    this.tracer = tracer;
  }

  /** How many steps were not kept. */
  get omitted(): number {
    return this.#omitted;
  }

  /**
   * Records a step of the program, such as a handler's.
   *
   * @param participant Whose it is.
   * @param text What is done.
   * @param call Does it; what happens inside comes from the participant. @default nothing
   * @returns What the function returned.
   */
  step<R = void>(participant: string, text: string, call?: () => R): R {
    const span = this.#start(text, { attributes: { "keyop.pipe": participant } }, undefined);
    const active = traces.setSpan(activeContext(), span);
    return withActiveContext(active, call ?? (() => undefined as R));
  }

  /** Forgets every step. */
  clear(): void {
    this.#steps = [];
    this.#omitted = 0;
  }

  /**
   * Draws the steps in the order in which they began. An arrow comes from the step that another one
   * happened inside of; where that is not known, from the one before it.
   *
   * @returns A Mermaid `sequenceDiagram`, with a line feed at its end.
   */
  toMermaid(): string {
    const names = new Map<string, string>();
    const byId = new Map<string, RecordedSpan>();
    const lines: string[] = [];
    let before: string | undefined;
    for (const step of this.#steps) {
      byId.set(step.spanContext().spanId, step);
      const own = participantOf(step, names);
      const parent = byId.get(step.parentId);
      const from = parent === undefined ? before : participantOf(parent, names);
      const label = labelOf(step);
      lines.push(
        from === undefined ? `  Note over ${own}: ${label}` : `  ${from}->>${own}: ${label}`,
      );
      if (step.failure !== undefined) {
        lines.push(`  Note over ${own}: failed: ${escaped(step.failure)}`);
      }
      before = own;
    }
    const participants = Array.from(
      names,
      ([name, id]) => `  participant ${id} as ${escaped(name)}`,
    );
    return ["sequenceDiagram", ...participants, ...lines, ""].join("\n");
  }

  #start(
    name: string,
    options: SpanOptions = {},
    context: Context = activeContext(),
  ): RecordedSpan {
    const parent = options.root ? undefined : traces.getSpanContext(context);
    const span = new RecordedSpan(
      name,
      {
        traceId: parent?.traceId ?? this.#id(16),
        spanId: this.#id(8),
        traceFlags: TraceFlags.SAMPLED,
      },
      parent?.spanId ?? "",
      Object.fromEntries(
        Object.entries(options.attributes ?? {}).map(([key, value]) => [
          key,
          typeof value === "string" ? value.slice(0, ATTRIBUTE_LENGTH_MAX) : value,
        ]),
      ),
    );
    if (this.#steps.length < this.#maxSteps) this.#steps.push(span);
    else this.#omitted++;
    return span;
  }

  #id(length: number): string {
    const bytes = new Uint8Array(length);
    this.#random.fill(bytes);
    // An id of zeros is none.
    bytes[0]! |= 1;
    return bytes.toHex();
  }
}

/** The participant's id in the drawing; its name may have signs in it that mean something there. */
function participantOf({ attributes }: RecordedSpan, names: Map<string, string>): string {
  const name = String(attributes["keyop.pipe"] ?? "program");
  let id = names.get(name);
  if (id === undefined) names.set(name, id = `p${names.size}`);
  return id;
}

function labelOf({ name, attributes }: RecordedSpan): string {
  const about = attributes["keyop.about"];
  const [way = ""] = name.split(" ", 1);
  return escaped(about === undefined ? name : `${way} ${about}`);
}

function escaped(text: string): string {
  const cut = text.length > LABEL_LENGTH_MAX ? `${text.slice(0, LABEL_LENGTH_MAX - 1)}…` : text;
  return cut.replaceAll(/[#;<>\s]/g, (sign) => /\s/.test(sign) ? " " : `#${sign.charCodeAt(0)};`);
}

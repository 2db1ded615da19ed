import {
  type Attributes,
  type AttributeValue,
  type Exception,
  type Span,
  type SpanContext,
  type SpanStatus,
  SpanStatusCode,
} from "@opentelemetry/api";

/** What is kept of an error: enough for the drawing. */
const FAILURE_LENGTH_MAX = 100;

/** One step of a sequence: a span that is kept, not exported. */
export class RecordedSpan implements Span {
  readonly #context: SpanContext;
  /** What is known of it. */
  readonly attributes: Attributes = {};
  /** Why it has failed; undefined when it has not. */
  failure: string | undefined;

  /**
   * @param name What it is.
   * @param context Its ids.
   * @param parentId Id of the span that it belongs to; empty when there is none.
   * @param attributes What is known of it.
   */
  constructor(
    public name: string,
    context: SpanContext,
    readonly parentId: string,
    attributes: Attributes,
  ) {
    this.#context = context;
    Object.assign(this.attributes, attributes);
  }

  spanContext(): SpanContext {
    return this.#context;
  }

  setAttribute(key: string, value: AttributeValue): this {
    this.attributes[key] = value;
    return this;
  }

  setAttributes(attributes: Attributes): this {
    Object.assign(this.attributes, attributes);
    return this;
  }

  addEvent(): this {
    return this;
  }

  addLink(): this {
    return this;
  }

  addLinks(): this {
    return this;
  }

  setStatus({ code, message = "it failed" }: SpanStatus): this {
    if (code === SpanStatusCode.ERROR) this.failure = message.slice(0, FAILURE_LENGTH_MAX);
    return this;
  }

  updateName(name: string): this {
    this.name = name;
    return this;
  }

  end(): void {}

  isRecording(): boolean {
    return true;
  }

  recordException(exception: Exception): void {
    const message = typeof exception === "string" ? exception : exception.message ?? "it failed";
    this.failure ??= message.slice(0, FAILURE_LENGTH_MAX);
  }
}

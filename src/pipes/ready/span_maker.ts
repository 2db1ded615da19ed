/** What is used of an OpenTelemetry span. */
export interface StartedSpan {
  /** Its ids. */
  spanContext(): { readonly traceId: string; readonly spanId: string; readonly traceFlags: number };
  /** Says how it ended. */
  setStatus(status: { readonly code: number; readonly message?: string }): unknown;
  /** Adds what was thrown. */
  recordException(exception: Error | string): void;
  /** Ends it. */
  end(): void;
}

/** What is used of an OpenTelemetry tracer: any `Tracer` of `@opentelemetry/api` is one. */
export interface SpanMaker {
  /**
   * Begins a span.
   *
   * @param name What is done.
   * @param options Its kind, as in `SpanKind`, and attributes.
   * @param context A `Context` with the span that it belongs to.
   */
  startSpan(
    name: string,
    options?: { readonly kind?: number; readonly attributes?: Record<string, string> },
    context?: object,
  ): StartedSpan;
}

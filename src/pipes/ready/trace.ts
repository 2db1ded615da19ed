import { AsyncLocalStorage } from "node:async_hooks";
import {
  type Context,
  context as contexts,
  isSpanContextValid,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  trace as traces,
  TraceFlags,
} from "@opentelemetry/api";
import { messageOf } from "../../base/mod.ts";
import type { Pipe } from "../pipe.ts";
import type { PipeMessage } from "../pipe_message.ts";
import { AroundPipe, type Passing } from "./around_pipe.ts";
import { TamperedMessageError } from "./errors.ts";
import { layerOf, looksLikeLayer, wrap } from "./layer.ts";
import { textOf } from "./payload_text.ts";
import type { SpanMaker } from "./span_maker.ts";

const KIND = "trace";
const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

/** Options of {@linkcode trace}. */
export interface TraceOptions {
  /** Names this pipe among others: the attribute `keyop.pipe` of its spans. @default {"trace"} */
  readonly name?: string;
  /**
   * Makes the spans: a tracer of OpenTelemetry, or a {@linkcode SequenceRecorder}'s.
   * @default the tracer `@keyop/messenger` of the provider that is registered
   */
  readonly tracer?: SpanMaker;
  /**
   * Whether the context goes with each message, so that the receiver's spans belong to the sender's
   * trace. The value travels inside an object then: every receiver needs a trace pipe too, at the same
   * place. @default {false}
   */
  readonly propagate?: boolean;
  /** Says what a message is about: the attribute `keyop.about`. It leaves the program. @default nothing */
  readonly about?: (message: PipeMessage) => string;
}

/** The context for spans and pipes further in; also where no context manager is registered. */
const current = new AsyncLocalStorage<Context>();

/** The context that is active. */
export function activeContext(): Context {
  const active = contexts.active();
  return active === ROOT_CONTEXT ? current.getStore() ?? ROOT_CONTEXT : active;
}

/** Calls with a context as the active one. */
export function withActiveContext<R>(active: Context, call: () => R): R {
  return current.run(active, () => contexts.with(active, call));
}

/**
 * A pipe that makes an OpenTelemetry span of each message that passes: of kind producer around what
 * sending takes, of kind consumer around what handling takes. Spans that the handler makes belong to it.
 * With `OTEL_DENO=true` in the environment Deno exports them; else register a provider, or give a tracer.
 * What was received with a context is taken out of its object whether or not `propagate` is set.
 *
 * @param options The tracer, and what is said of a message.
 * @returns The pipe.
 *
 * @example
 * ```ts
 * import { trace } from "@keyop/messenger/pipes";
 *
 * trace({ propagate: true });
 * ```
 */
export function trace(options: TraceOptions = {}): Pipe {
  return new TracePipe(options);
}

class TracePipe extends AroundPipe {
  readonly #options: TraceOptions;

  constructor(options: TraceOptions) {
    super();
    this.#options = options;
  }

  protected override async around(message: PipeMessage, passing: Passing): Promise<void> {
    const { propagate = false } = this.#options;
    const tracer: SpanMaker = this.#options.tracer ?? traces.getTracer("@keyop/messenger");
    const { way } = passing;
    let parent = activeContext();
    let inner = message;
    if (way === "handle") {
      const layer = layerOf(KIND, message.value);
      const sender = spanContextOf(layer?.header.traceparent);
      if (sender !== undefined) parent = traces.setSpanContext(parent, sender);
      if (layer !== undefined) inner = message.with(parsed(message, layer.body));
    }
    const span = tracer.startSpan(`${way} ${message.type}`, {
      kind: way === "send" ? SpanKind.PRODUCER : SpanKind.CONSUMER,
      attributes: this.#attributes(inner, passing),
    }, parent);
    const active = traces.setSpan(parent, span as Span);
    try {
      if (way === "send" && (propagate || looksLikeLayer(KIND, message.value))) {
        const header = headerOf(span.spanContext());
        inner = message.with(wrap(KIND, header, textOf(message)));
      }
      await withActiveContext(active, () => passing.pass(inner));
    } catch (error) {
      span.recordException(error instanceof Error ? error : messageOf(error));
      span.setStatus({ code: SpanStatusCode.ERROR, message: messageOf(error) });
      throw error;
    } finally {
      span.end();
    }
  }

  #attributes(message: PipeMessage, { way, connection }: Passing): Record<string, string> {
    const { name = "trace", about } = this.#options;
    const { channel, headers } = message;
    return {
      "messaging.system": "keyop",
      "messaging.operation.type": way === "send" ? "send" : "process",
      ...(channel !== undefined && { "messaging.destination.name": channel }),
      ...(headers.id !== undefined && { "messaging.message.id": headers.id }),
      ...(connection !== undefined && { "keyop.connection": connection.id }),
      "keyop.type": message.type,
      "keyop.pipe": name,
      ...(about !== undefined && { "keyop.about": about(message) }),
    };
  }
}

function parsed(message: PipeMessage, body: string): unknown {
  try {
    return JSON.parse(body);
  } catch (error) {
    throw new TamperedMessageError(message, "what goes with its trace is no JSON", {
      cause: error,
    });
  }
}

/** A span's context as the W3C writes it; nothing when no provider is registered. */
function headerOf(context: SpanContext): Record<string, string> {
  if (!isSpanContextValid(context)) return {};
  const flags = context.traceFlags.toString(16).padStart(2, "0");
  return { traceparent: `00-${context.traceId}-${context.spanId}-${flags}` };
}

function spanContextOf(traceparent: string | undefined): SpanContext | undefined {
  const [, traceId, spanId, flags] = TRACEPARENT.exec(traceparent ?? "") ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  const traceFlags = Number.parseInt(flags, 16) & TraceFlags.SAMPLED;
  const context = { traceId, spanId, traceFlags, isRemote: true };
  return isSpanContextValid(context) ? context : undefined;
}

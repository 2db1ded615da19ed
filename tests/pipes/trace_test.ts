import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { type Context, SpanKind, type SpanOptions, trace as traces } from "@opentelemetry/api";
import {
  InvalidConfigError,
  SequenceRecorder,
  TamperedMessageError,
  trace,
} from "@keyop/messenger/pipes";
import { turn } from "../helpers/fake_clock.ts";
import { TestHost } from "../helpers/pipe_host.ts";

interface Noted {
  readonly name: string;
  readonly options: SpanOptions;
  readonly parentId: string | undefined;
  readonly spanId: string;
  readonly traceId: string;
  ended: boolean;
  status: unknown;
  exception: unknown;
}

/** A tracer that notes its spans. */
function notingTracer(spans: Noted[]) {
  return {
    startSpan(name: string, options: SpanOptions = {}, context?: object) {
      const parent = context && traces.getSpanContext(context as Context);
      const spanId = String(spans.length + 1).padStart(16, "0");
      const traceId = parent?.traceId ?? String(spans.length + 1).padStart(32, "0");
      const noted: Noted = {
        name,
        options,
        parentId: parent?.spanId,
        spanId,
        traceId,
        ended: false,
        status: undefined,
        exception: undefined,
      };
      spans.push(noted);
      return {
        spanContext: () => ({ traceId, spanId, traceFlags: 1 }),
        setStatus: (status: unknown) => void (noted.status = status),
        recordException: (exception: unknown) => void (noted.exception = exception),
        end: () => void (noted.ended = true),
      };
    },
  };
}

Deno.test("a span surrounds what sending and handling take, and says what is known", async () => {
  const spans: Noted[] = [];
  const end = new TestHost([trace({ name: "outer", tracer: notingTracer(spans) })], {
    channel: "words",
    headers: { id: "i1" },
  });
  end.onSend = async () => {
    await turn(1);
    assertEquals(spans.at(-1)!.ended, false);
  };
  await end.send(1);
  await end.receive({ value: 1 });
  assertEquals(spans.map(({ name, options, ended }) => [name, options.kind, ended]), [
    ["send Text", SpanKind.PRODUCER, true],
    ["handle Text", SpanKind.CONSUMER, true],
  ]);
  assertEquals(spans[1]!.options.attributes, {
    "messaging.system": "keyop",
    "messaging.operation.type": "process",
    "messaging.destination.name": "words",
    "messaging.message.id": "i1",
    "keyop.connection": "1",
    "keyop.type": "Text",
    "keyop.pipe": "outer",
  });
  assertEquals(end.sent[0]!.value, 1);
});

Deno.test("what fails is an exception of its span, and fails as before", async () => {
  const spans: Noted[] = [];
  const end = new TestHost([trace({ tracer: notingTracer(spans) })]);
  end.onHandle = () => Promise.reject(new Error("no use"));
  await assertRejects(() => end.receive({ value: 1 }), Error, "no use");
  assertEquals(spans[0]!.status, { code: 2, message: "no use" });
  assert(spans[0]!.exception instanceof Error && spans[0]!.ended);
});

Deno.test("spans of pipes further in, and of what the handler sends, belong to the outer one", async () => {
  const spans: Noted[] = [];
  const tracer = notingTracer(spans);
  const pipes = ["A", "B"].map((name) => trace({ name, tracer }));
  const end = new TestHost(pipes);
  end.onHandle = async () => {
    await turn(1);
    await end.send("answer");
  };
  await end.receive({ value: 1 });
  const pipeOf = ({ options }: Noted) => options.attributes!["keyop.pipe"];
  assertEquals(spans.map((span) => [span.name, pipeOf(span), span.parentId?.at(-1)]), [
    ["handle Text", "A", undefined],
    ["handle Text", "B", "1"],
    ["send Text", "B", "2"],
    ["send Text", "A", "3"],
  ]);
});

Deno.test("the context goes with a message where that was asked for, and is taken off", async () => {
  const sent: Noted[] = [];
  const handled: Noted[] = [];
  const sender = new TestHost([trace({ propagate: true, tracer: notingTracer(sent) })]);
  const receiver = new TestHost([trace({ tracer: notingTracer(handled) })]);
  const wire = await sender.send({ word: "Hello" });
  const { header } = wire.value as { header: { traceparent: string } };
  assertMatch(header.traceparent, /^00-0{31}1-0{15}1-01$/);
  assertEquals((await receiver.receive(wire)).value, { word: "Hello" });
  assertEquals([handled[0]!.parentId, handled[0]!.traceId], [sent[0]!.spanId, sent[0]!.traceId]);
});

Deno.test("a context that is none is not believed, and a value that looks like one comes through", async () => {
  const spans: Noted[] = [];
  const end = new TestHost([trace({ tracer: notingTracer(spans) })]);
  for (const traceparent of ["", "00-1-2-01", `00-${"0".repeat(32)}-${"1".repeat(16)}-01`]) {
    const value = { $pipe: "trace", header: { traceparent }, body: "1" };
    assertEquals((await end.receive({ value })).value, 1);
    assertEquals(spans.at(-1)!.parentId, undefined);
  }
  const lookalike = { $pipe: "trace", header: {}, body: "1" };
  assertEquals((await end.receive(await end.send(lookalike))).value, lookalike);
  const damaged = { $pipe: "trace", header: {}, body: "no JSON" };
  await assertRejects(() => end.receive({ value: damaged }), TamperedMessageError);
});

Deno.test("without a provider a trace pipe passes everything on", async () => {
  const end = new TestHost([trace({ propagate: true })]);
  assertEquals((await end.receive(await end.send({ a: 1 }))).value, { a: 1 });
});

Deno.test("the recorder draws who called whom, also where two run at a time", async () => {
  const recorder = new SequenceRecorder();
  const { tracer } = recorder;
  const about = ({ value }: { value: unknown }) => JSON.stringify(value);
  const end = new TestHost([
    trace({ name: "Trace0", tracer, about }),
    trace({ name: "Trace1", tracer, about }),
  ]);
  end.onHandle = ({ value }) =>
    recorder.step("server", `handle "${value}"`, async () => {
      await turn(1);
      await end.send(`${value}!`);
    });
  await recorder.step(
    "client",
    "two at a time",
    () => Promise.all([end.receive({ value: "a" }), end.receive({ value: "b" })]),
  );
  assertEquals(
    recorder.toMermaid(),
    `sequenceDiagram
  participant p0 as client
  participant p1 as Trace0
  participant p2 as Trace1
  participant p3 as server
  Note over p0: two at a time
  p0->>p1: handle "a"
  p1->>p2: handle "a"
  p2->>p3: handle "a"
  p0->>p1: handle "b"
  p1->>p2: handle "b"
  p2->>p3: handle "b"
  p3->>p2: send "a!"
  p2->>p1: send "a!"
  p3->>p2: send "b!"
  p2->>p1: send "b!"
`,
  );
});

Deno.test("the recorder shows what failed, escapes what Mermaid would take for its own, and is bounded", async () => {
  const recorder = new SequenceRecorder({ maxSteps: 3 });
  const end = new TestHost([trace({ tracer: recorder.tracer, name: "a;b" })]);
  end.onHandle = () => Promise.reject(new Error("no\nuse #1"));
  await assertRejects(() => end.receive({ value: 1, type: `<${"x".repeat(100)}>` }));
  recorder.step("two", "a -> b; c");
  recorder.step("two", "again");
  recorder.step("two", "too much");
  assertEquals(recorder.omitted, 1);
  assertEquals(
    recorder.toMermaid(),
    `sequenceDiagram
  participant p0 as a#59;b
  participant p1 as two
  Note over p0: handle #60;${"x".repeat(71)}…
  Note over p0: failed: no use #35;1
  p0->>p1: a -#62; b#59; c
  p1->>p1: again
`,
  );
  recorder.clear();
  assertEquals([recorder.toMermaid(), recorder.omitted], ["sequenceDiagram\n", 0]);
  assertThrows(() => new SequenceRecorder({ maxSteps: 0 }), InvalidConfigError);
});

import { assert, assertEquals, assertRejects } from "@std/assert";
import { silentLogger } from "../../src/base/mod.ts";
import {
  circuitBreaker,
  compress,
  dedupe,
  encrypt,
  filter,
  KeyRing,
  log,
  map,
  metrics,
  type Pipe,
  rateLimit,
  SequenceRecorder,
  sign,
  timeout,
  trace,
  verify,
} from "@keyop/messenger/pipes";
import { until } from "../helpers/until.ts";
import { connect, serve, Text, Word } from "./parts.ts";

const keys = await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"]) as CryptoKeyPair;
const SECRET = new Uint8Array(32).fill(7);

/** One end's pipes, from the wire to the program. */
function allPipes(recorder: SequenceRecorder): readonly Pipe[] {
  return [
    log({ logger: silentLogger }),
    metrics(),
    rateLimit({ perSecond: 1_000 }),
    verify({ signers: { k: { publicKey: keys.publicKey } } }),
    sign({ keyId: "k", privateKey: keys.privateKey }),
    encrypt({ keys: { keys: { k: SECRET }, current: "k" } }),
    compress({ minBytes: 100 }),
    trace({ tracer: recorder.tracer, propagate: true, name: "trace" }),
    filter(({ value }) => value !== "unwanted"),
    map({ handle: (message) => message.with(message.value) }),
    dedupe({ key: ({ value }) => JSON.stringify(value) }),
    timeout({ sendMs: 10_000, handleMs: 10_000 }),
    circuitBreaker(),
  ];
}

for (
  const encoding of ["application/json", "application/msgpack", "application/cbor"] as const
) {
  Deno.test(`all ready-made pipes together carry a broker's messages in ${encoding}`, async () => {
    const recorder = new SequenceRecorder();
    await using server = await serve({ pipes: allPipes(recorder) });
    await using client = await connect(server.url, { pipes: allPipes(recorder) }, { encoding });
    const long = "a word ".repeat(100);
    await client.broker.send(Word({ word: "Hello" }));
    await client.broker.send(Text(long));
    await client.broker.send(Text("unwanted"));
    await client.broker.send(Text(long));
    await client.broker.send(Text("end"));
    await until("the end", () => server.received.at(-1) === '1 "end"');
    assertEquals(server.received, ['1 {"word":"Hello"}', `1 "${long}"`, '1 "end"']);
    assertEquals([server.errors, client.errors], [[], []]);
    assert(recorder.toMermaid().includes("handle Word"));
  });
}

Deno.test("a broker with another key hears of it, and its handler of nothing", async () => {
  const wrong = new KeyRing({ keys: { k: new Uint8Array(32).fill(8) }, current: "k" });
  await using server = await serve({ pipes: [encrypt({ keys: wrong })] });
  await using client = await connect(server.url, {
    pipes: [encrypt({ keys: { keys: { k: SECRET }, current: "k" } })],
  });
  await client.broker.send(Word({ word: "Hello" }));
  await until("the error", () => server.errors.length === 1);
  assert(server.errors[0]!.startsWith('TamperedMessageError: Do not trust "Word": it was changed'));
  assertEquals(server.received, []);
});

Deno.test("what a pipe refuses on its way out rejects the broker's send", async () => {
  await using server = await serve();
  await using client = await connect(server.url, {
    pipes: [rateLimit({ perSecond: 0.001, burst: 1, beyond: "fail" })],
  });
  await client.broker.send(Text("one"));
  const error = await assertRejects(() => client.broker.send(Text("two")));
  assertEquals((error as { code?: string }).code, "rate_limited");
  await until("the first", () => server.received.length === 1);
});

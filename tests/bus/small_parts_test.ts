import { assert, assertEquals, assertGreater } from "@std/assert";
import { Buffer } from "node:buffer";
import { type Msg, MsgHdrsImpl } from "@nats-io/transport-node";
import fc from "fast-check";
import { ChannelTrim } from "../../src/bus/channel_trim.ts";
import { NO_HEADERS } from "../../src/bus/headers.ts";
import { replyFrameOf, replyRecord } from "../../src/bus/messenger_records.ts";
import {
  fromNats,
  fromNatsReply,
  natsSubject,
  timeoutOf,
  toNatsHeaders,
  toNatsReply,
} from "../../src/bus/nats_wire.ts";
import {
  decodeMessage,
  decodeReply,
  decodeRequest,
  encodeMessage,
  encodeReply,
  encodeRequest,
} from "../../src/bus/redis_wire.ts";
import { RequestSharing } from "../../src/bus/request_sharing.ts";
import { RunningRequests } from "../../src/bus/running_requests.ts";
import type { ReplyFrame } from "../../src/bus/transport.ts";

const bytes = () => fc.uint8Array({ maxLength: 200 });
const headers = () =>
  fc.dictionary(fc.stringMatching(/^[a-z0-9-]{1,20}$/), fc.string({ unit: "binary" })).map((
    entries,
  ) => Object.keys(entries).length === 0 ? NO_HEADERS : { ...entries });
const replies = (): fc.Arbitrary<ReplyFrame> =>
  fc.oneof(
    bytes().map((data) => ({ kind: "data" as const, data })),
    bytes().map((data) => ({ kind: "last" as const, data })),
    fc.constant({ kind: "end" as const }),
    fc.string().map((message) => ({ kind: "error" as const, message })),
  );

/** A message as NATS's client hands it over. */
function natsMessage(data: Uint8Array, natsHeaders?: MsgHdrsImpl): Msg {
  const decoded = natsHeaders && MsgHdrsImpl.decode(natsHeaders.encode());
  return { data, ...(decoded !== undefined && { headers: decoded }) } as unknown as Msg;
}

Deno.test("Redis carries any message, request and reply as it was", () => {
  fc.assert(fc.property(bytes(), headers(), replies(), (data, headers, frame) => {
    const message = decodeMessage(encodeMessage({ data, headers }));
    assertEquals([[...message.data], message.headers], [[...data], headers]);
    const entry = encodeRequest("id", "to", { data, headers });
    const request = decodeRequest(Buffer.concat([Buffer.from("1700000000000"), entry]))!;
    assertEquals([request.id, request.to, request.deadline], ["id", "to", 1700000000000]);
    assertEquals([[...request.data], request.headers], [[...data], headers]);
    assertEquals(decodeReply(encodeReply({ id: "id", asks: true, frame }))!.frame, frame);
  }));
});

Deno.test("what others put into Redis is taken as bytes, or as nothing", () => {
  fc.assert(fc.property(fc.uint8Array(), (data) => {
    const buffer = Buffer.from(data);
    assertEquals([...decodeMessage(buffer).data], [...data]);
    assertEquals(decodeRequest(buffer), undefined);
    assertEquals(decodeReply(buffer), undefined);
  }));
  for (const head of ["null", "[]", "{}", "1", '{"id":1}', '{"id":"1","kind":"other"}']) {
    assertEquals(decodeReply(Buffer.from(`${head}\nx`)), undefined);
    assertEquals(decodeRequest(Buffer.from(`1700000000000${head}\nx`)), undefined);
  }
});

Deno.test("NATS carries any headers and replies as they were", () => {
  fc.assert(fc.property(bytes(), headers(), (data, headers) => {
    const message = natsMessage(data, toNatsHeaders(headers, 1_500) as MsgHdrsImpl);
    assertEquals(fromNats(message).headers, headers);
    assertEquals(timeoutOf(message), 1_500);
  }));
  fc.assert(fc.property(replies(), (frame) => {
    const { data, headers } = toNatsReply(frame, true);
    const back = fromNatsReply(natsMessage(data, headers as MsgHdrsImpl | undefined));
    // NATS's own errors have a text; one without any takes the place of it.
    assertEquals(back.kind, frame.kind);
    if (frame.kind !== "error" || frame.message.trim() !== "") assertEquals(back, frame);
  }));
});

Deno.test("every subject has a NATS subject of its own, without empty tokens", () => {
  const subjects = fc.stringMatching(/^[a.-]{1,12}$/);
  fc.assert(fc.property(subjects, subjects, (one, other) => {
    assert(natsSubject(one).split(".").every((token) => token !== ""));
    assertEquals(natsSubject(one) === natsSubject(other), one === other);
  }));
});

Deno.test("a messenger carries any reply as it was", () => {
  fc.assert(fc.property(replies(), (frame) => {
    const record = JSON.parse(JSON.stringify(replyRecord("id", 0, 1, frame)));
    assertEquals(replyFrameOf(record), frame);
  }));
});

Deno.test("instances agree on who takes a request, share evenly, and move no other's share", () => {
  const names = ["attic", "cellar", "kitchen"];
  const views = names.map((self) => {
    const sharing = new RequestSharing(self);
    for (const name of names) sharing.add(name);
    return sharing;
  });
  const counts = new Map<string, number>();
  const owners: string[] = [];
  for (let n = 0; n < 3_000; n++) {
    const [owner, ...others] = views.map((view) => view.ownerOf(`request-${n}`));
    for (const other of others) assertEquals(other, owner);
    counts.set(owner!, (counts.get(owner!) ?? 0) + 1);
    owners.push(owner!);
  }
  for (const name of names) assertGreater(counts.get(name)!, 800, name);
  views[0]!.remove("kitchen");
  for (const [n, owner] of owners.entries()) {
    const now = views[0]!.ownerOf(`request-${n}`);
    assert(owner === "kitchen" ? now !== "kitchen" : now === owner);
  }
  views[0]!.remove("attic");
  assertEquals(new RequestSharing("attic").ownerOf("any"), "attic");
});

Deno.test("trimming never reaches a message that is needed", () => {
  const message = fc.record({
    size: fc.integer({ min: 1, max: 100_000 }),
    until: fc.integer({ min: 0, max: 100 }),
    settles: fc.boolean(),
  });
  fc.assert(fc.property(fc.array(message), fc.integer({ min: 0, max: 110 }), (messages, now) => {
    const trim = new ChannelTrim(0);
    let position = 0;
    let firstNeeded = Infinity;
    for (const { size, until, settles } of messages) {
      const slice = trim.note(position + size, until);
      if (settles) trim.settle(slice);
      else if (until > 0 && until >= now) firstNeeded = Math.min(firstNeeded, position);
      position += size;
    }
    const end = trim.trimmable(now);
    if (end !== undefined) assert(end <= firstNeeded && end <= position);
    // Once every time is over everything goes.
    if (position > 0) assertEquals(trim.trimmable(111), position);
  }));
});

Deno.test("handlers that never answer are forgotten, and callers that give up heard once", () => {
  const running = new RunningRequests();
  const signal = running.start("one", Date.now() + 1_000);
  running.cancel("one");
  running.cancel("one");
  running.cancel("unknown");
  running.answer("unknown");
  assert(signal.aborted);
  const other = running.start("two", Date.now() + 1_000);
  running.finish("two");
  running.cancel("two");
  assert(!other.aborted);
});

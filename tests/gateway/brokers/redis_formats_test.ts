import { assert, assertEquals, assertGreater, assertMatch } from "@std/assert";
import type { Redis } from "ioredis";
import { encodeBase64 } from "../../../src/gateway/broker/base64.ts";
import type { HistoryFilter, Publication } from "../../../src/gateway/broker/mod.ts";
import { makeEvent, makeJsonEvent, textOf } from "../../../src/gateway/event.ts";
import { hasRedisServer } from "../../helpers/redis_server.ts";
import { withSeed } from "../../helpers/seeded.ts";
import { until } from "../../helpers/until.ts";
import { RedisBed } from "./redis_bed.ts";

const ignore = !hasRedisServer;

/** What a node of the original writes for one publication: XADD, EXPIRE, PUBLISH. */
async function publishAsOriginal(
  client: Redis,
  channel: string,
  text: string,
  options: { isText?: boolean; eventType?: string } = {},
): Promise<void> {
  const payload = JSON.stringify({
    t: "pub",
    ch: channel,
    p: encodeBase64(new TextEncoder().encode(text)),
    ...options,
  });
  await client.xadd(
    `ml:stream:${channel}`,
    "MAXLEN",
    "~",
    10_000,
    "*",
    "data",
    payload, // deno-fmt-ignore
  );
  await client.expire(`ml:stream:${channel}`, 86_400);
  await client.publish(`ml:pubsub:${channel}`, payload);
}

async function entriesOf(client: Redis, channel: string): Promise<Record<string, unknown>[]> {
  const entries = await client.xrange(`ml:stream:${channel}`, "-", "+");
  return entries.map(([, fields]) => {
    assertEquals([fields.length, fields[0]], [2, "data"]);
    return JSON.parse(fields[1]!);
  });
}

Deno.test({
  name: "redis: a publication has the keys and the format of the original, and more",
  ignore,
  async fn() {
    await using bed = await RedisBed.start();
    const { broker } = await bed.open({ historyTtlMs: 60_000 });
    const client = bed.client();
    const listener = bed.client();
    const heard = Promise.withResolvers<string>();
    listener.on("message", (_, payload) => heard.resolve(payload));
    await listener.subscribe("ml:pubsub:chat.a");
    const event = makeJsonEvent({ n: 1 }, { id: "e1", source: "s", type: "com.example.Number" });
    const { id, position } = await broker.publish("chat.a", event);
    const [entry, ...rest] = await entriesOf(client, "chat.a");
    assertEquals(rest, []);
    const { ts, ...stable } = entry!;
    assertEquals(stable, {
      t: "pub",
      ch: "chat.a",
      p: encodeBase64(event.data),
      isText: true,
      eventType: "com.example.Number",
      id,
      ct: "application/json",
      eid: "e1",
      src: "s",
      seq: 1,
      ep: position.epoch,
    });
    assertEquals(typeof ts, "number");
    assertEquals(JSON.parse(await heard.promise), entry);
    assertEquals(
      (await client.keys("ml:*")).filter((key) => !key.startsWith("ml:node:")).sort(),
      ["ml:epoch:chat.a", "ml:seq:chat.a", "ml:stream:chat.a"],
    );
    assertEquals(await client.get("ml:seq:chat.a"), "1");
    assertEquals(await client.get("ml:epoch:chat.a"), position.epoch);
    for (const key of ["ml:epoch:chat.a", "ml:seq:chat.a", "ml:stream:chat.a"]) {
      const left = await client.pttl(key);
      assert(left > 0 && left <= 60_000, `${key} is kept for ${left} ms`);
    }
  },
});

Deno.test({
  name: "redis: without a time to live nothing expires, and a command may wait without a limit",
  ignore,
  async fn() {
    await using bed = await RedisBed.start();
    const { broker } = await bed.open({ historyTtlMs: 0, commandTimeoutMs: 0 });
    await broker.subscribe("a");
    await broker.publish("a", makeJsonEvent(1));
    const client = bed.client();
    for (const key of ["ml:epoch:a", "ml:seq:a", "ml:stream:a"]) {
      assertEquals(await client.pttl(key), -1, key);
    }
  },
});

Deno.test({
  name: "redis: false and empty values are left out, and text is marked as the original marks it",
  ignore,
  async fn() {
    await using bed = await RedisBed.start();
    const { broker } = await bed.open();
    await broker.publish("a", makeEvent({}));
    await broker.publish("a", makeEvent({ contentType: "text/html", data: new Uint8Array([60]) }));
    const [bare, html] = await entriesOf(bed.client(), "a");
    assertEquals(Object.keys(bare!), ["t", "ch", "p", "id", "ts", "ct", "seq", "ep"]);
    assertEquals([html!.isText, html!.bin], [true, true]);
    const { publications } = await broker.history("a", { limit: -1 });
    assertEquals(publications.map(({ event }) => event.isText), [false, false]);
  },
});

Deno.test({
  name: "redis: the stream keeps as many publications as it is told",
  ignore,
  async fn() {
    await using bed = await RedisBed.start();
    const { broker } = await bed.open({ streamMaxLength: 5, streamApproximate: false });
    for (let n = 1; n <= 20; n++) await broker.publish("a", makeJsonEvent(n));
    const { epoch } = await broker.position("a");
    const offsets = (publications: readonly Publication[]) => publications.map((p) => p.offset);
    const whole = await broker.history("a", { since: { offset: 15, epoch }, limit: -1 });
    assertEquals([whole.gap, offsets(whole.publications)], [false, [16, 17, 18, 19, 20]]);
    const lost = await broker.history("a", { since: { offset: 14, epoch }, limit: 2 });
    assertEquals([lost.gap, offsets(lost.publications), lost.more], [true, [16, 17], true]);
    const client = bed.client();
    await client.del("ml:stream:a");
    const gone = await broker.history("a", { since: { offset: 19, epoch }, limit: -1 });
    assertEquals([gone.gap, gone.publications, gone.top.offset], [true, [], 20]);
  },
});

Deno.test({
  name:
    "redis: what a node of the original publishes is delivered with offset 0 and kept in its place",
  ignore,
  async fn() {
    await using bed = await RedisBed.start();
    const { broker, events } = await bed.open();
    const client = bed.client();
    await broker.subscribe("a");
    await publishAsOriginal(client, "a", "first", { isText: true, eventType: "greeting" });
    await broker.publish("a", makeJsonEvent(1));
    await publishAsOriginal(client, "a", "\u0000raw");
    await client.publish("ml:pubsub:a", `{"t":"pub","ch":"a"}`);
    await broker.publish("a", makeJsonEvent(2));
    const live = await events.received("a", 5);
    assertEquals(live.map(({ offset }) => offset), [0, 1, 0, 0, 2]);
    const [first, , raw, empty] = live;
    assertEquals(
      [first!.event.type, first!.event.contentType, first!.event.isText, textOf(first!.event)],
      ["greeting", "text/plain", true, "first"],
    );
    assertEquals(
      [raw!.event.type, raw!.event.contentType, raw!.event.isText, textOf(raw!.event)],
      ["", "application/octet-stream", false, "\u0000raw"],
    );
    assertEquals([empty!.event.data.length, empty!.epoch], [0, ""]);
    assertEquals(new Set(live.map(({ id }) => id)).size, 5);

    const { publications, top } = await broker.history("a", { limit: -1 });
    assertEquals(publications.map(({ offset }) => offset), [0, 1, 0, 2]);
    assertEquals(top.offset, 2);
    assertMatch(publications[0]!.id, /^ml-\d+-\d+$/);
    assertGreater(publications[0]!.timeMs, Date.now() - 60_000);
    const { publications: behind, gap } = await broker.history("a", {
      since: { offset: 1, epoch: top.epoch },
      limit: -1,
    });
    assertEquals([gap, behind.map(({ offset }) => offset)], [false, [0, 2]]);
  },
});

Deno.test({
  name: "redis: a channel that only nodes of the original write has a history without positions",
  ignore,
  async fn() {
    await using bed = await RedisBed.start();
    const { broker } = await bed.open();
    for (const text of ["x", "y"]) await publishAsOriginal(bed.client(), "a", text);
    const { publications, gap, top } = await broker.history("a", { limit: -1 });
    assertEquals(publications.map(({ event }) => textOf(event)), ["x", "y"]);
    assertEquals([gap, top.offset], [false, 0]);
    assertEquals(await broker.channels(), ["a"]);
    await broker.publish("a", makeJsonEvent(3));
    assertEquals((await broker.history("a", { limit: -1 })).publications.length, 3);
  },
});

Deno.test({
  name: "redis: joins and leaves that the original left in a stream are not publications",
  ignore,
  async fn() {
    await using bed = await RedisBed.start();
    const { broker, events } = await bed.open();
    const client = bed.client();
    await broker.subscribe("a");
    const join = JSON.stringify({
      t: "join",
      ch: "a",
      i: { client_id: "c", session_id: "s", user_id: "u" },
    });
    await client.xadd("ml:stream:a", "*", "data", join);
    await client.publish("ml:pubsub:a", join);
    await until("the join", () => events.presences.length === 1);
    assertEquals(events.presences[0], { channel: "a", action: "join", sessionId: "s" });
    assertEquals((await broker.history("a", { limit: -1 })).publications, []);
  },
});

Deno.test({
  name: "redis: what cannot be read harms nobody, in pub/sub and in the stream",
  ignore,
  async fn() {
    await using bed = await RedisBed.start();
    const { broker, events } = await bed.open();
    const client = bed.client();
    await broker.subscribe("a");
    const deep = "[".repeat(100_000);
    for (
      const junk of [
        "",
        "junk",
        "null",
        "[]",
        '{"t":1}',
        '{"t":"pub","p":7}',
        '{"t":"pub","p":"?"}',
        '{"t":"join","i":null}',
        '{"t":"pub","p":"","seq":-1,"ep":"x"}',
        `{"t":"pub","p":"","id":5,"x":[{"a":1}],"seq":1e300,"ep":{},"ts":1e300}`,
        deep,
      ]
    ) {
      await client.publish("ml:pubsub:a", junk);
      await client.xadd("ml:stream:a", "*", "data", junk);
    }
    await client.xadd("ml:stream:a", "*", "payload", "of another field");
    await broker.publish("a", makeJsonEvent(1));
    await until("the publication", () => events.of("a").some(({ offset }) => offset === 1));
    const { publications } = await broker.history("a", { limit: -1 });
    assertEquals(publications.at(-1)!.offset, 1);
    assertEquals(publications.length, 3);
  },
});

Deno.test({
  name: "redis: no group is made and nothing is polled; each channel is subscribed to once",
  ignore,
  async fn() {
    await using bed = await RedisBed.start();
    const { broker, events } = await bed.open();
    const client = bed.client();
    const pubsub = async (): Promise<unknown[]> => [
      (await client.pubsub("CHANNELS") as string[]).sort(),
      await client.pubsub("NUMPAT"),
    ];
    assertEquals(await pubsub(), [[], 0]);
    for (const name of ["a", "a/__presence", "b.*", "b.*/__presence", "c.**"]) {
      await broker.subscribe(name);
    }
    assertEquals(await pubsub(), [["ml:pubsub:a"], 2]);
    for (let n = 0; n < 20; n++) await broker.publish("a", makeJsonEvent(n));
    await events.received("a", 20);
    const stats = await client.info("commandstats");
    assertEquals(/cmdstat_xread|cmdstat_xgroup/.test(stats), false, stats);
    assertMatch(stats, /cmdstat_xadd:calls=20,/);
    await broker.unsubscribe("a");
    assertEquals(await pubsub(), [["ml:pubsub:a"], 2]);
    for (const name of ["a/__presence", "b.*", "b.*/__presence", "c.**"]) {
      await broker.unsubscribe(name);
    }
    assertEquals(await pubsub(), [[], 0]);
    await broker.publish("a", makeJsonEvent(0));
    assertEquals(events.of("a").length, 20);
  },
});

Deno.test({
  name:
    "redis: history is what a plain walk over the stream gives, with nodes of the original among ours",
  ignore,
  async fn() {
    await using bed = await RedisBed.start();
    const { broker } = await bed.open();
    const client = bed.client();
    await withSeed("tests/gateway/brokers/redis_formats_test.ts", async (random) => {
      for (let round = 0; round < 15; round++) {
        const channel = `r${round}`;
        const count = random.between(0, 150);
        for (let n = 0; n < count; n++) {
          // Without waiting, so that many have the same millisecond.
          const isOurs = random.between(0, 3) > 0;
          const sent = isOurs
            ? broker.publish(channel, makeJsonEvent(n))
            : publishAsOriginal(client, channel, String(n));
          if (random.between(0, 2) === 0) await sent;
          else sent.catch(() => {});
        }
        await client.ping();
        const top = await broker.position(channel);
        await client.ping();
        const entries = await client.xrange(`ml:stream:${channel}`, "-", "+");
        const all = entries.map(([id, [, data]]) => {
          const { seq = 0, p } = JSON.parse(data!);
          return { id, offset: seq as number, text: atob(p) };
        });
        for (let tries = 0; tries < 40; tries++) {
          const offset = random.between(0, top.offset);
          const filter = {
            limit: random.between(0, 60),
            reverse: random.between(0, 1) === 1,
            ...(random.between(0, 4) > 0 && { since: { offset, epoch: top.epoch } }),
          };
          const page = await broker.history(channel, filter);
          const whole = plainHistory(all, filter);
          const more = whole.length > filter.limit;
          const expected = whole.slice(0, filter.limit);
          // A page behind which there is more ends with one that has a number, if it has any.
          const last = expected.findLastIndex((entry) => entry.offset > 0);
          if (more && filter.limit > 0 && last < 0) continue;
          assertEquals(
            page.publications.map(({ offset, event }) => [offset, textOf(event)]),
            expected.slice(0, more ? last + 1 : undefined).map((
              { offset, text },
            ) => [offset, text]),
            JSON.stringify(filter),
          );
          assertEquals([page.gap, page.top], [false, top]);
          if (filter.limit > 0) assertEquals(page.more, more);
        }
      }
    });
  },
});

Deno.test({
  name: "redis: many publications of the original in a row end no reader's way",
  ignore,
  async fn() {
    await using bed = await RedisBed.start();
    const { broker } = await bed.open();
    const client = bed.client();
    for (let n = 1; n <= 3; n++) {
      await broker.publish("a", makeJsonEvent(n));
      for (let m = 0; m < 12; m++) await publishAsOriginal(client, "a", `${n}.${m}`);
    }
    for (const reverse of [false, true]) {
      const read: string[] = [];
      for (let filter: HistoryFilter = { limit: 5, reverse };;) {
        const page = await broker.history("a", filter);
        read.push(...page.publications.map(({ event }) => textOf(event)));
        if (!page.more) break;
        const { offset, epoch } = page.publications.at(-1)!;
        filter = { limit: 5, reverse, since: { offset, epoch } };
        assert(read.length < 50, "it goes on for ever");
      }
      const numbered = read.filter((text) => !text.includes("."));
      assertEquals(numbered, reverse ? ["3", "2", "1"] : ["1", "2", "3"]);
    }
  },
});

/** Written apart from the script under test. */
function plainHistory<T extends { offset: number }>(
  all: readonly T[],
  { reverse, since }: HistoryFilter,
): readonly T[] {
  const at = since === undefined || since.offset === 0
    ? -1
    : all.findIndex(({ offset }) => offset === since.offset);
  if (!reverse) return all.slice(at + 1);
  return since === undefined ? all.toReversed() : all.slice(0, Math.max(at, 0)).toReversed();
}

import { assert, assertEquals, assertGreater, assertNotEquals, assertRejects } from "@std/assert";
import { systemClock } from "../../../src/base/mod.ts";
import {
  BEGINNING,
  type Broker,
  BrokerUnavailableError,
  type HistoryFilter,
  type Member,
  type Publication,
  type StreamPosition,
} from "../../../src/gateway/broker/mod.ts";
import {
  type AttributeValue,
  type GatewayEvent,
  makeEvent,
  makeJsonEvent,
  textOf,
} from "../../../src/gateway/event.ts";
import { ChannelRefusedError } from "../../../src/gateway/pattern/mod.ts";
import { until } from "../../helpers/until.ts";
import { RecordingEvents } from "./recording_events.ts";

/** What a broker can beside what all can. */
export interface BrokerAbilities {
  /** Offsets grow by exactly one. */
  readonly dense: boolean;
  /** Channels may have names of every script. */
  readonly anyName: boolean;
  /** Several brokers share what is behind them. */
  readonly shared: boolean;
  /** History outlives the broker. */
  readonly durable: boolean;
}

/** What stands behind the brokers of one test. */
export interface BrokerBed extends AsyncDisposable {
  /** Makes a broker, not started. Another one on the same bed is another gateway's. */
  make(): Broker | Promise<Broker>;
}

/** A kind of broker under test. */
export interface BrokerKind {
  readonly name: string;
  readonly can: BrokerAbilities;
  /** Whether what it stands on is not there, so that nothing can be tested. */
  readonly ignore?: boolean;
  bed(): Promise<BrokerBed>;
}

interface Started {
  readonly broker: Broker;
  readonly events: RecordingEvents;
  readonly bed: BrokerBed;
}

interface BrokerCase {
  readonly name: string;
  readonly needs?: keyof BrokerAbilities;
  run(started: Started, can: BrokerAbilities): Promise<void>;
}

const ALL: HistoryFilter = { limit: -1 };
const number = (n: number) => makeJsonEvent({ n }, { type: "com.example.Number" });
const numberOf = ({ event }: Publication) => JSON.parse(textOf(event)).n as number;
const numbersOf = (publications: readonly Publication[]) => publications.map(numberOf);
const positionOf = ({ offset, epoch }: Publication): StreamPosition => ({ offset, epoch });
const member = (sessionId: string, userId = "u"): Member => ({
  sessionId,
  clientId: `client-of-${sessionId}`,
  userId,
  connectedAtMs: 1_700_000_000_000,
});

async function publishNumbers(broker: Broker, channel: string, count: number, from = 1) {
  const positions: StreamPosition[] = [];
  for (let n = from; n < from + count; n++) {
    positions.push((await broker.publish(channel, number(n))).position);
  }
  return positions;
}

async function startAnother(bed: BrokerBed): Promise<{ broker: Broker; events: RecordingEvents }> {
  const broker = await bed.make();
  const events = new RecordingEvents();
  await broker.start(events);
  return { broker, events };
}

const EVENTS: Readonly<Record<string, GatewayEvent>> = {
  "JSON with an id, source and type": makeJsonEvent({ n: 1, "ä": ["\u2028", null] }, {
    id: "event-1",
    source: "urn:sensor:1",
    type: "com.example.Reading",
  }),
  "JSON with a UUID for an id": makeJsonEvent([1.5, "x"], {
    id: "0199b2a0-7b1c-7d3e-8f00-0123456789ab",
    source: "kitchen",
    type: "com.example.Reading",
  }),
  "JSON whose numbers are beyond a double": makeEvent({
    type: "t",
    source: "s",
    contentType: "application/json",
    data: new TextEncoder().encode('{"big":12345678901234567890.10,"big":1e400}'),
    isText: true,
  }),
  "what claims to be JSON": makeEvent({
    type: "t",
    source: "s",
    contentType: "application/json",
    data: new TextEncoder().encode('{"n":'),
    isText: true,
  }),
  "text without a type": makeEvent({
    source: "s",
    data: new TextEncoder().encode('hello "world"\n'),
    isText: true,
  }),
  "text of another type": makeEvent({
    source: "s",
    type: "page",
    contentType: "text/html; charset=utf-8",
    data: new TextEncoder().encode("<p>ü</p>"),
    isText: true,
  }),
  "bytes that are no text": makeEvent({
    source: "s",
    type: "image",
    contentType: "image/png",
    data: Uint8Array.from({ length: 256 }, (_, n) => n),
  }),
  "no data": makeEvent({ source: "s", type: "nothing" }),
  "every kind of attribute": makeJsonEvent({ n: 1 }, {
    source: "s",
    type: "t",
    attributes: new Map<string, AttributeValue>([
      ["subject", { kind: "string", value: "tür" }],
      ["time", { kind: "timestamp", value: "2026-11-25T20:00:00.500Z" }],
      ["dataschema", { kind: "uri", value: "https://example.com/schema" }],
      ["ref", { kind: "uri_ref", value: "/a/b" }],
      ["yes", { kind: "boolean", value: true }],
      ["no", { kind: "boolean", value: false }],
      ["count", { kind: "integer", value: -17 }],
      ["raw", { kind: "bytes", value: new Uint8Array([0, 255, 128]) }],
    ]),
  }),
};

const CASES: readonly BrokerCase[] = [
  ...Object.entries(EVENTS).map(([what, event]): BrokerCase => ({
    name: `an event arrives and is kept as it was published: ${what}`,
    async run({ broker, events }) {
      await broker.subscribe("a.b");
      const { id, position } = await broker.publish("a.b", event);
      const [live] = await events.received("a.b", 1);
      const { publications: [kept] } = await broker.history("a.b", ALL);
      for (const publication of [live!, kept!]) {
        assertEquals([publication.id, positionOf(publication)], [id, position]);
        assertEventEquals(publication.event, event, "a.b");
      }
      assertEquals(kept!.timeMs, live!.timeMs);
    },
  })),
  {
    name: "an event of a megabyte passes",
    async run({ broker, events }) {
      const data = Uint8Array.from({ length: 1024 * 1024 }, (_, n) => n % 251);
      await broker.subscribe("large");
      await broker.publish("large", makeEvent({ type: "blob", data }));
      assertEquals((await events.received("large", 1))[0]!.event.data, data);
    },
  },
  {
    name: "a publication is stamped with the time when it was published",
    async run({ broker, events }) {
      await broker.subscribe("a");
      const before = Date.now();
      await broker.publish("a", number(1));
      const after = Date.now();
      const [{ timeMs } = { timeMs: 0 }] = await events.received("a", 1);
      assert(before <= timeMs && timeMs <= after, `${before} <= ${timeMs} <= ${after}`);
    },
  },
  {
    name: "offsets grow, and what is acknowledged is what is delivered and kept",
    async run({ broker, events }, can) {
      await broker.subscribe("a");
      const positions = await publishNumbers(broker, "a", 20);
      const live = await events.received("a", 20);
      assertEquals(live.map(positionOf), positions);
      assertEquals((await broker.history("a", ALL)).publications.map(positionOf), positions);
      assertEquals(numbersOf(live), Array.from({ length: 20 }, (_, n) => n + 1));
      assertEquals(new Set(positions.map(({ epoch }) => epoch)).size, 1);
      assertEquals(new Set(live.map(({ id }) => id)).size, 20);
      for (let n = 1; n < 20; n++) assertGreater(positions[n]!.offset, positions[n - 1]!.offset);
      if (can.dense) assertEquals(positions.map(({ offset }) => offset), numbersOf(live));
      assertEquals(await broker.position("a"), positions.at(-1));
    },
  },
  {
    name: "a hundred publishers at a time: all are delivered once, in the order of offsets",
    async run({ broker, events }) {
      await broker.subscribe("a");
      const published = await Promise.all(
        Array.from({ length: 100 }, (_, n) => broker.publish("a", number(n))),
      );
      const live = await events.received("a", 100);
      const offsets = live.map(({ offset }) => offset);
      assertEquals(offsets, published.map(({ position }) => position.offset).sort((a, b) => a - b));
      assertEquals(new Set(offsets).size, 100);
      assertEquals(
        new Map(live.map((publication) => [publication.id, numberOf(publication)])),
        new Map(published.map(({ id }, n) => [id, n])),
      );
    },
  },
  {
    name: "channels do not disturb one another",
    async run({ broker, events }) {
      await broker.subscribe("a");
      await broker.subscribe("b");
      await Promise.all([publishNumbers(broker, "a", 5), publishNumbers(broker, "b", 5, 100)]);
      assertEquals(numbersOf(await events.received("a", 5)), [1, 2, 3, 4, 5]);
      assertEquals(numbersOf(await events.received("b", 5)), [100, 101, 102, 103, 104]);
      assertEquals(numbersOf((await broker.history("b", ALL)).publications)[0], 100);
    },
  },
  {
    name: "a transient publication is delivered with offset 0 and leaves no trace",
    async run({ broker, events }) {
      await broker.subscribe("a");
      const [before] = await publishNumbers(broker, "a", 1);
      const { id, position } = await broker.publish("a", number(2), { transient: true });
      const live = await events.received("a", 2);
      assertEquals([live[1]!.id, live[1]!.offset, live[1]!.epoch], [id, 0, ""]);
      assertEquals(position, BEGINNING);
      assertEquals(await broker.position("a"), before);
      assertEquals(numbersOf((await broker.history("a", ALL)).publications), [1]);
    },
  },
  {
    name: "transient publications alone make no channel",
    async run({ broker, events }) {
      await broker.subscribe("a");
      await broker.publish("a", number(1), { transient: true });
      await events.received("a", 1);
      await broker.publish("unheard", number(1), { transient: true });
      assertEquals(await broker.channels(), []);
      assertEquals((await broker.history("unheard", ALL)).publications, []);
    },
  },
  {
    name: "history: forward gives the first after a position, oldest first",
    async run({ broker }) {
      const positions = await publishNumbers(broker, "a", 10);
      const read = async (filter: HistoryFilter) => {
        const page = await broker.history("a", filter);
        assertEquals([page.gap, page.top], [false, positions[9]!]);
        return [numbersOf(page.publications), page.more] as const;
      };
      assertEquals(await read(ALL), [[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], false]);
      assertEquals(await read({ limit: 3 }), [[1, 2, 3], true]);
      assertEquals(await read({ limit: 3, since: positions[3]! }), [[5, 6, 7], true]);
      assertEquals(await read({ limit: 3, since: positions[7]! }), [[9, 10], false]);
      assertEquals(await read({ limit: -1, since: positions[9]! }), [[], false]);
      assertEquals(await read({ limit: 2, since: BEGINNING }), [[1, 2], true]);
      assertEquals(await read({ limit: 10 }), [[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], false]);
      assertEquals((await broker.history("a", { limit: 0 })).publications, []);
    },
  },
  {
    name: "history: reverse gives the newest before a position, newest first",
    async run({ broker }) {
      const positions = await publishNumbers(broker, "a", 10);
      const read = async (filter: Omit<HistoryFilter, "reverse">) => {
        const page = await broker.history("a", { ...filter, reverse: true });
        assertEquals([page.gap, page.top], [false, positions[9]!]);
        return [numbersOf(page.publications), page.more] as const;
      };
      assertEquals(await read({ limit: 3 }), [[10, 9, 8], true]);
      assertEquals(await read({ limit: 3, since: positions[4]! }), [[4, 3, 2], true]);
      assertEquals(await read({ limit: 5, since: positions[2]! }), [[2, 1], false]);
      assertEquals(await read({ limit: -1, since: positions[0]! }), [[], false]);
      assertEquals(await read({ limit: -1 }), [[10, 9, 8, 7, 6, 5, 4, 3, 2, 1], false]);
    },
  },
  {
    name: "history read in pages is the whole, in both directions",
    async run({ broker }) {
      await publishNumbers(broker, "a", 57);
      const pages = async (reverse: boolean) => {
        const all: number[] = [];
        let since: StreamPosition | undefined;
        for (;;) {
          const page = await broker.history("a", { limit: 10, reverse, ...(since && { since }) });
          assertEquals(page.gap, false);
          all.push(...numbersOf(page.publications));
          if (!page.more) return all;
          since = positionOf(page.publications.at(-1)!);
        }
      };
      const expected = Array.from({ length: 57 }, (_, n) => n + 1);
      assertEquals(await pages(false), expected);
      assertEquals(await pages(true), expected.toReversed());
    },
  },
  {
    name:
      "history: a position of another life, or beyond the end, is a gap and gives all that is kept",
    async run({ broker }) {
      const [, second] = await publishNumbers(broker, "a", 3);
      for (
        const since of [
          { offset: second!.offset, epoch: "another" },
          { offset: second!.offset, epoch: "" },
          { offset: 10_000_000, epoch: second!.epoch },
        ]
      ) {
        const page = await broker.history("a", { since, limit: -1 });
        assertEquals([page.gap, numbersOf(page.publications)], [true, [1, 2, 3]]);
      }
    },
  },
  {
    name: "history of a channel that was never published to is empty",
    async run({ broker }) {
      const page = await broker.history("never", ALL);
      assertEquals([page.publications, page.gap, page.more], [[], false, false]);
      assertEquals(page.top.offset, 0);
      assertEquals((await broker.position("never")).offset, 0);
      const lost = await broker.history("never", {
        since: { offset: 5, epoch: "gone" },
        limit: -1,
      });
      assertEquals([lost.publications, lost.gap], [[], true]);
      assertEquals((await broker.history("never", { since: BEGINNING, limit: -1 })).gap, false);
    },
  },
  {
    name: "a position read before the first publication leads to it without a gap",
    async run({ broker }) {
      await broker.subscribe("a");
      const since = await broker.position("a");
      await publishNumbers(broker, "a", 2);
      const page = await broker.history("a", { since, limit: -1 });
      assertEquals([page.gap, numbersOf(page.publications)], [false, [1, 2]]);
    },
  },
  {
    name: "removed history is gone, and its positions are recognised",
    async run({ broker, events }) {
      await broker.subscribe("a");
      const [, old] = await publishNumbers(broker, "a", 3);
      await broker.removeHistory("a");
      assertEquals((await broker.history("a", ALL)).publications, []);
      assertEquals((await broker.history("a", { since: old!, limit: -1 })).gap, true);
      const [fresh] = await publishNumbers(broker, "a", 1, 4);
      assertNotEquals(fresh!.epoch, old!.epoch);
      const page = await broker.history("a", { since: old!, limit: -1 });
      assertEquals([page.gap, numbersOf(page.publications)], [true, [4]]);
      assertEquals(positionOf((await events.received("a", 4))[3]!), fresh);
      await broker.removeHistory("never");
    },
  },
  {
    name: "a pattern delivers the channels that it matches, also those that come later",
    async run({ broker, events }) {
      await broker.publish("room.old", number(0));
      await broker.subscribe("room.*");
      await broker.subscribe("stop");
      for (const channel of ["room.old", "room.new", "other.x", "room.new", "stop"]) {
        await broker.publish(channel, number(1));
      }
      await events.received("stop", 1);
      assertEquals(numbersOf(await events.received("room.new", 2)), [1, 1]);
      await until("the old room", () => numbersOf(events.of("room.old")).includes(1));
      assertEquals(numbersOf(events.of("room.old")).filter((n) => n === 1), [1]);
    },
  },
  {
    name: "a channel under several subscriptions is delivered once",
    async run({ broker, events }) {
      for (const name of ["a.b", "a.*", "*.b", "a.**", "**", "stop"]) await broker.subscribe(name);
      await publishNumbers(broker, "a.b", 3);
      await broker.publish("a.b", number(4), { transient: true });
      await broker.publish("stop", number(1));
      await events.received("stop", 1);
      assertEquals(numbersOf(await events.received("a.b", 4)), [1, 2, 3, 4]);
      await broker.unsubscribe("a.b");
      await broker.unsubscribe("a.*");
      await publishNumbers(broker, "a.b", 1, 5);
      await broker.publish("stop", number(2));
      await events.received("stop", 2);
      assertEquals(numbersOf(await events.received("a.b", 5)), [1, 2, 3, 4, 5]);
    },
  },
  {
    name: "unsubscribing twice, or without having subscribed, does nothing",
    async run({ broker, events }) {
      await broker.subscribe("a");
      await broker.unsubscribe("a");
      await broker.unsubscribe("a");
      await broker.unsubscribe("never.*");
      await broker.subscribe("a");
      await publishNumbers(broker, "a", 1);
      assertEquals(numbersOf(await events.received("a", 1)), [1]);
    },
  },
  {
    name: "subscribe, read history, release what is newer: nothing is lost or doubled",
    async run({ broker, events }) {
      let last: StreamPosition = BEGINNING;
      const publishing = (async () => {
        for (let n = 1; n <= 200; n++) {
          last = (await broker.publish("a", number(n))).position;
          await new Promise<void>((resolve) => systemClock.soon(resolve));
        }
      })();
      await until("some publications", () => last.offset > 0);
      const since = last;
      const already = (await broker.history("a", { limit: -1 })).publications
        .filter(({ offset }) => offset <= since.offset);
      await broker.subscribe("a");
      const replayed: Publication[] = [];
      for (let from = since;;) {
        const page = await broker.history("a", { since: from, limit: 50 });
        assertEquals(page.gap, false);
        replayed.push(...page.publications);
        from = positionOf(page.publications.at(-1) ?? replayed.at(-1) ?? already.at(-1)!);
        if (!page.more) break;
      }
      await publishing;
      const top = replayed.at(-1)?.offset ?? since.offset;
      await until(
        "the last one",
        () => top === last.offset || events.of("a").at(-1)?.offset === last.offset,
      );
      const live = events.of("a").filter(({ offset }) => offset > top);
      assertEquals(
        numbersOf([...already, ...replayed, ...live]),
        Array.from({ length: 200 }, (_, n) => n + 1),
      );
    },
  },
  {
    name: "joins and leaves are told once each, and who is present is known",
    async run({ broker, events }) {
      await broker.subscribe("a");
      await broker.subscribe("a/__presence");
      await broker.join("a", member("s1", "anna"));
      await broker.join("a", member("s2"));
      await broker.join("a", member("s1", "anna"));
      await broker.join("b", member("s1"));
      assertEquals((await broker.members("a", 1)).occupancy, 2);
      assertEquals((await broker.members("a", 1)).members.length, 1);
      const { members } = await broker.members("a", 10);
      assertEquals(members.toSorted((x, y) => x.sessionId < y.sessionId ? -1 : 1), [
        member("s1", "anna"),
        member("s2"),
      ]);
      await broker.leave("a", member("s1", "anna"));
      await broker.leave("a", member("s1", "anna"));
      await broker.leave("a", member("never"));
      await broker.leave("a", member("s2"));
      const told = () => events.presences.filter(({ channel }) => channel === "a");
      await until("four changes", () => told().length >= 4);
      assertEquals(told().map(({ action, sessionId }) => `${action} ${sessionId}`), [
        "join s1",
        "join s2",
        "leave s1",
        "leave s2",
      ]);
      assertEquals(await broker.members("a", 10), { occupancy: 0, members: [] });
      assertEquals((await broker.members("b", 10)).occupancy, 1);
      assertEquals(events.publications, []);
      assertEquals((await broker.history("a", ALL)).publications, []);
    },
  },
  {
    name: "a companion alone, or a pattern of companions, is told of joins",
    async run({ broker, events }) {
      await broker.subscribe("room.x/__presence");
      await broker.subscribe("hall.*/__presence");
      await broker.join("room.x", member("s1"));
      await broker.join("hall.y", member("s2"));
      await until("two joins", () => events.presences.length >= 2);
      assertEquals(events.presences.map(({ channel }) => channel).sort(), ["hall.y", "room.x"]);
    },
  },
  {
    name: "names that are no channel are refused",
    async run({ broker }) {
      for (const name of ["", "a..b", "a\u0000b", "x".repeat(256)]) {
        await assertRejects(() => broker.subscribe(name), ChannelRefusedError);
        await assertRejects(() => broker.publish(name, number(1)), ChannelRefusedError);
        await assertRejects(() => broker.history(name, ALL), ChannelRefusedError);
      }
      await assertRejects(() => broker.publish("a.*", number(1)), ChannelRefusedError);
      await assertRejects(() => broker.history("**", ALL), ChannelRefusedError);
      await assertRejects(() => broker.position("*"), ChannelRefusedError);
      await assertRejects(() => broker.removeHistory("*"), ChannelRefusedError);
      assertEquals(await broker.channels(), []);
    },
  },
  {
    name: "channels have names of every script, with glob characters in them",
    needs: "anyName",
    async run({ broker, events }) {
      const names = ["räume.küche", "a[b]?c.x", "a b", "back\\slash.x", "{a}:b", "^a.$"];
      await broker.subscribe("a[b]?c.*");
      await broker.subscribe("back\\slash.**");
      for (const name of names) await broker.subscribe(name);
      for (const [n, name] of names.entries()) await broker.publish(name, number(n));
      for (const [n, name] of names.entries()) {
        assertEquals(numbersOf(await events.received(name, 1)), [n]);
        assertEquals(numbersOf((await broker.history(name, ALL)).publications), [n]);
      }
      assertEquals((await broker.channels()).toSorted(), names.toSorted());
      assertEquals(events.publications.length, names.length);
    },
  },
  {
    name: "the channels that are known are those with history or members, up to a limit",
    async run({ broker }) {
      for (const name of ["a", "b", "c"]) await broker.publish(name, number(1));
      await broker.join("d", member("s1"));
      assertEquals((await broker.channels()).toSorted(), ["a", "b", "c", "d"]);
      assertEquals((await broker.channels(2)).length, 2);
    },
  },
  {
    name: "a listener that throws harms nobody",
    async run({ broker, events }) {
      await broker.subscribe("a");
      let thrown = 0;
      events.onPublication = (publication) => {
        if (numberOf(publication) !== 1) return;
        thrown++;
        throw new Error("the listener's own fault");
      };
      await publishNumbers(broker, "a", 2);
      assertEquals(numbersOf(await events.received("a", 1)), [2]);
      assertEquals(thrown, 1);
    },
  },
  {
    name: "a broker that is not started or is closed serves nothing, and says so",
    async run({ bed, broker }) {
      const fresh = await bed.make();
      assertEquals([fresh.ready, broker.ready], [false, true]);
      await assertRejects(() => fresh.publish("a", number(1)), BrokerUnavailableError, "started");
      await fresh.close();
      await broker.close();
      await broker.close();
      assertEquals(broker.ready, false);
      await assertRejects(() => broker.publish("a", number(1)), BrokerUnavailableError, "closed");
      await assertRejects(() => broker.subscribe("a"), BrokerUnavailableError, "closed");
      await assertRejects(() => broker.history("a", ALL), BrokerUnavailableError, "closed");
      await broker.unsubscribe("a");
    },
  },
  {
    name: "another broker on the same bed goes on where the first ended",
    needs: "durable",
    async run({ bed, broker }) {
      const positions = await publishNumbers(broker, "a", 5);
      await broker.close();
      const { broker: second, events } = await startAnother(bed);
      try {
        assertEquals(await second.position("a"), positions[4]);
        const page = await second.history("a", { since: positions[1]!, limit: -1 });
        assertEquals([page.gap, numbersOf(page.publications)], [false, [3, 4, 5]]);
        await second.subscribe("a");
        const [next] = await publishNumbers(second, "a", 1, 6);
        assertEquals(next!.epoch, positions[0]!.epoch);
        assertGreater(next!.offset, positions[4]!.offset);
        assertEquals(numbersOf(await events.received("a", 1)), [6]);
      } finally {
        await second.close();
      }
    },
  },
  {
    name: "what one gateway publishes, the others deliver: the same ids and offsets",
    needs: "shared",
    async run({ bed, broker, events }) {
      const { broker: other, events: others } = await startAnother(bed);
      try {
        await broker.subscribe("a");
        await other.subscribe("*");
        await Promise.all([publishNumbers(broker, "a", 50), publishNumbers(other, "a", 50, 51)]);
        const here = await events.received("a", 100);
        const there = await others.received("a", 100);
        assertEquals(
          there.map(({ id, offset }) => [id, offset]),
          here.map((p) => [p.id, p.offset]),
        );
        const kept = (await other.history("a", ALL)).publications;
        assertEquals(kept.map(({ id }) => id), here.map(({ id }) => id));
      } finally {
        await other.close();
      }
    },
  },
  {
    name: "members of all gateways are seen, and those of one that closes leave",
    needs: "shared",
    async run({ bed, broker, events }) {
      const { broker: other } = await startAnother(bed);
      await broker.subscribe("a/__presence");
      await broker.join("a", member("here"));
      await other.join("a", member("there"));
      await until("both joins", () => events.presences.length === 2);
      assertEquals((await broker.members("a", 10)).occupancy, 2);
      assertEquals((await other.members("a", 10)).occupancy, 2);
      await other.close();
      await until("the leave", () => events.presences.length === 3);
      assertEquals(events.presences[2], { channel: "a", action: "leave", sessionId: "there" });
      assertEquals((await broker.members("a", 10)).members, [member("here")]);
    },
  },
];

/** Runs what every broker must do on one kind. */
export function testBroker(kind: BrokerKind): void {
  for (const { name, needs, run } of CASES) {
    Deno.test({
      name: `${kind.name}: ${name}`,
      ignore: (kind.ignore ?? false) || (needs !== undefined && !kind.can[needs]),
      async fn() {
        await using bed = await kind.bed();
        const started = await startAnother(bed);
        try {
          await run({ ...started, bed }, kind.can);
        } finally {
          await started.broker.close();
        }
      },
    });
  }
}

/** Equal but for what a broker that keeps readable records may add where nothing was said. */
function assertEventEquals(actual: GatewayEvent, expected: GatewayEvent, channel: string): void {
  assertEquals(actual.data, expected.data);
  assertEquals(actual.contentType, expected.contentType);
  assertEquals(actual.type || `${channel}.message`, expected.type || `${channel}.message`);
  assertEquals(actual.source, expected.source);
  assertEquals(actual.isText, expected.isText);
  if (expected.id !== "") assertEquals(actual.id, expected.id);
  for (const [name, value] of expected.attributes) assertEquals(actual.attributes.get(name), value);
  for (const name of actual.attributes.keys()) {
    assert(expected.attributes.has(name) || name === "time", `nobody gave it "${name}"`);
  }
}

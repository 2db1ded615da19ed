import {
  assert,
  assertEquals,
  assertLess,
  assertNotEquals,
  assertRejects,
  assertThrows,
} from "@std/assert";
import {
  BrokerUnavailableError,
  EventRefusedError,
  type Member,
  type Publication,
} from "../../../src/gateway/broker/mod.ts";
import { RedisBroker } from "../../../src/gateway/broker/redis/mod.ts";
import { makeEvent, makeJsonEvent, textOf } from "../../../src/gateway/event.ts";
import { makeCa } from "../../helpers/certs.ts";
import { eventually } from "../../helpers/eventually.ts";
import { FakeClock } from "../../helpers/fake_clock.ts";
import { hasRedisServer } from "../../helpers/redis_server.ts";
import { freePort } from "../../helpers/server_process.ts";
import { tempDir } from "../../helpers/temp.ts";
import { until } from "../../helpers/until.ts";
import { RecordingEvents } from "./recording_events.ts";
import { RedisBed } from "./redis_bed.ts";

const ignore = !hasRedisServer;
const numbersOf = (publications: readonly Publication[]) =>
  publications.map(({ event }) => JSON.parse(textOf(event)) as number);
const upTo = (count: number) => Array.from({ length: count }, (_, n) => n);
const member = (sessionId: string): Member => ({
  sessionId,
  clientId: "c",
  userId: "u",
  connectedAtMs: 1,
});

Deno.test({
  name:
    "redis: what is published while the subscriptions are cut is fetched: nothing lost or doubled",
  ignore,
  async fn() {
    await using bed = await RedisBed.start();
    const { broker, events } = await bed.open();
    const { broker: other } = await bed.open();
    const client = bed.client();
    for (const name of ["a", "p.*"]) await broker.subscribe(name);
    await client.xadd("ml:stream:unnumbered.x", "*", "data", "{}");
    await other.publish("p.idle", makeJsonEvent(0));
    await events.received("p.idle", 1);
    let published = 0;
    for (let round = 0; round < 15; round++) {
      const cut = events.interruptions.length;
      await client.call("CLIENT", "KILL", "TYPE", "pubsub");
      for (let n = 0; n < 20; n++, published++) {
        await other.publish("a", makeJsonEvent(published));
        // Channels of the pattern come to exist while nobody listens.
        await other.publish("p.x", makeJsonEvent(published));
        await other.publish(`p.round${round}`, makeJsonEvent(n));
      }
      await until(
        "the connection",
        () => events.interruptions.slice(cut).some(({ channel }) => channel === "p.*"),
      );
    }
    assertEquals(numbersOf(await events.received("a", published)), upTo(published));
    assertEquals(numbersOf(await events.received("p.x", published)), upTo(published));
    for (let round = 0; round < 15; round++) {
      assertEquals(numbersOf(await events.received(`p.round${round}`, 20)), upTo(20));
    }
    assert(events.interruptions.every(({ complete }) => complete));
    assertEquals(numbersOf(events.of("p.idle")), [0]);
  },
});

Deno.test({
  name: "redis: publications whose delivery is missing are fetched before those behind them",
  ignore,
  async fn() {
    await using bed = await RedisBed.start();
    const { broker, events } = await bed.open();
    const client = bed.client();
    await broker.subscribe("a");
    await broker.publish("a", makeJsonEvent(0));
    for (let n = 1; n < 5; n++) {
      const { epoch } = await broker.position("a");
      const seq = await client.incr("ml:seq:a");
      const payload = JSON.stringify({
        t: "pub",
        ch: "a",
        p: btoa(String(n)),
        id: `n${n}`,
        seq,
        ep: epoch,
      });
      await client.xadd("ml:stream:a", "*", "data", payload);
    }
    await broker.publish("a", makeJsonEvent(5));
    assertEquals(numbersOf(await events.received("a", 6)), upTo(6));
  },
});

Deno.test({
  name: "redis: a server that is killed and comes back with its data goes on in the same epoch",
  ignore,
  async fn() {
    await using bed = await RedisBed.start({ durable: true });
    const { broker, events } = await bed.open({ commandTimeoutMs: 300 });
    await broker.subscribe("a");
    const { position } = await broker.publish("a", makeJsonEvent(0));
    await events.received("a", 1);
    await bed.server.kill();
    await until("the loss", () => !broker.ready);
    await assertRejects(() => broker.publish("a", makeJsonEvent(-1)), BrokerUnavailableError);
    await assertRejects(() => broker.history("a", { limit: 1 }), BrokerUnavailableError);
    await assertRejects(() => broker.subscribe("b"), BrokerUnavailableError, bed.server.address);
    await bed.server.restart();
    await until("the connection", () => broker.ready && events.interruptions.length > 0);
    assertEquals(events.interruptions, [{ channel: "a", complete: true }]);
    const { position: next } = await broker.publish("a", makeJsonEvent(1));
    assertEquals(next, { offset: 2, epoch: position.epoch });
    assertEquals(numbersOf(await events.received("a", 2)), [0, 1]);
    await broker.subscribe("b");
    await broker.publish("b", makeJsonEvent(7));
    assertEquals(numbersOf(await events.received("b", 1)), [7]);
  },
});

Deno.test({
  name: "redis: a server that comes back empty begins another epoch, which is delivered and told",
  ignore,
  async fn() {
    await using bed = await RedisBed.start();
    const { broker, events } = await bed.open();
    const { broker: other } = await bed.open();
    await broker.subscribe("a");
    for (let n = 0; n < 3; n++) await other.publish("a", makeJsonEvent(n));
    const since = await broker.position("a");
    await broker.join("a", member("s1"));
    await events.received("a", 3);
    await bed.server.kill();
    await bed.server.restart();
    await until("the connection", () => other.ready);
    for (let n = 3; n < 6; n++) await other.publish("a", makeJsonEvent(n));
    assertEquals(numbersOf(await events.received("a", 6)), upTo(6));
    await until("the word of it", () => events.interruptions.length > 0);
    assertEquals(events.interruptions[0], { channel: "a", complete: false });
    const page = await broker.history("a", { since, limit: -1 });
    assertNotEquals(page.top.epoch, since.epoch);
    assertEquals([page.gap, numbersOf(page.publications)], [true, [3, 4, 5]]);
    await eventually("the member", async () => (await other.members("a", 9)).occupancy === 1);
  },
});

Deno.test({
  name:
    "redis: a server that does not answer fails a publication in time, and carries it out at most once",
  ignore,
  async fn() {
    await using bed = await RedisBed.start();
    const { broker } = await bed.open({ commandTimeoutMs: 200 });
    await broker.publish("a", makeJsonEvent(0));
    bed.server.pause();
    await assertRejects(() => broker.publish("a", makeJsonEvent(1)), BrokerUnavailableError);
    bed.server.resume();
    const succeeds = () => broker.publish("a", makeJsonEvent(2)).then(() => true, () => false);
    await eventually("the connection", succeeds);
    const numbers = numbersOf((await broker.history("a", { limit: -1 })).publications);
    assertLess(numbers.filter((n) => n === 1).length, 2);
    assertEquals([numbers[0], numbers.at(-1)], [0, 2]);
  },
});

Deno.test({
  name: "redis: the members of a gateway that died leave, whether or not somebody looks",
  ignore,
  async fn() {
    await using bed = await RedisBed.start();
    const { broker, events } = await bed.open({ leaseMs: 600 });
    // Its clock stands still: it shows life once and never again.
    const { broker: dead } = await bed.open({ leaseMs: 600, clock: new FakeClock(Date.now()) });
    const { broker: short } = await bed.open({ leaseMs: 1, clock: new FakeClock(Date.now()) });
    await broker.subscribe("a/__presence");
    await broker.join("a", member("alive"));
    await dead.join("a", member("dead"));
    await short.join("b", member("gone at once"));
    await eventually(
      "the leave",
      () =>
        events.presences.some(({ action, sessionId }) =>
          action === "leave" && sessionId === "dead"
        ),
    );
    assertEquals(events.presences.filter(({ action }) => action === "leave").length, 1);
    assertEquals((await broker.members("a", 9)).members, [member("alive")]);
    assertEquals((await broker.members("b", 9)).occupancy, 0);
  },
});

Deno.test({
  name: "redis: members that left while Redis was away are gone when it is back",
  ignore,
  async fn() {
    await using bed = await RedisBed.start({ durable: true });
    const { broker } = await bed.open({ commandTimeoutMs: 200 });
    for (const session of ["stays", "left", "comes back"]) await broker.join("a", member(session));
    await bed.server.kill();
    await until("the loss", () => !broker.ready);
    for (const session of ["left", "comes back"]) {
      await assertRejects(() => broker.leave("a", member(session)), BrokerUnavailableError);
    }
    await assertRejects(() => broker.join("a", member("comes back")), BrokerUnavailableError);
    await bed.server.restart();
    await eventually("the members", async () => {
      const { members } = await broker.members("a", 9);
      return members.map(({ sessionId }) => sessionId).sort().join() === "comes back,stays";
    });
  },
});

Deno.test({
  name: "redis: a password is asked for and given, and databases are apart",
  ignore,
  async fn() {
    await using bed = await RedisBed.start({ password: "se cret/:@" });
    const refused = bed.make();
    const error = await assertRejects(
      () => refused.start(new RecordingEvents()),
      BrokerUnavailableError,
      "user or password",
    );
    assertEquals(error.message.includes("se cret"), false);
    const { broker: zero } = await bed.open({ password: "se cret/:@" });
    const { broker: five } = await bed.open({ password: "se cret/:@", username: "default", db: 5 });
    await zero.publish("a", makeJsonEvent(0));
    await five.publish("b", makeJsonEvent(5));
    assertEquals(await zero.channels(), ["a"]);
    assertEquals(await five.channels(), ["b"]);
  },
});

Deno.test({
  name: "redis: over TLS, with an authority of one's own and none other",
  ignore,
  async fn() {
    const ca = await makeCa();
    const stranger = await makeCa("stranger");
    const server = await ca.issue("redis");
    const peer = await ca.issue("gateway");
    await using dir = await tempDir();
    const paths = { cert: `${dir.path}/cert`, key: `${dir.path}/key`, ca: `${dir.path}/ca` };
    for (const name of ["cert", "key", "ca"] as const) {
      await Deno.writeTextFile(paths[name], server[name]);
    }
    const port = freePort();
    await using bed = await RedisBed.start({
      // deno-fmt-ignore
      args: [
        "--tls-port", String(port), "--tls-cert-file", paths.cert, "--tls-key-file", paths.key,
        "--tls-ca-cert-file", paths.ca,
      ],
    });
    const addr = `localhost:${port}`;
    const { cert, key } = peer;
    const { broker, events } = await bed.open({ addr, tls: { ca: ca.cert, cert, key } });
    await broker.subscribe("a");
    await broker.publish("a", makeJsonEvent(1));
    await events.received("a", 1);
    for (const tls of [{ ca: stranger.cert, cert, key }, { ca: ca.cert }]) {
      const refused = bed.make({ addr, tls });
      await assertRejects(() => refused.start(new RecordingEvents()), BrokerUnavailableError, addr);
    }
    const misnamed = bed.make({ addr, tls: { ca: ca.cert, cert, key, serverName: "other.test" } });
    await assertRejects(() => misnamed.start(new RecordingEvents()), BrokerUnavailableError);
  },
});

Deno.test("redis: a server that is not there is named, with what to do", async () => {
  const addr = `127.0.0.1:${freePort()}`;
  const broker = new RedisBroker({ addr });
  await assertRejects(
    () => broker.start(new RecordingEvents()),
    BrokerUnavailableError,
    `Cannot connect to Redis at ${addr}: nobody listens there; start the server`,
  );
  assertEquals(broker.ready, false);
  await broker.close();
});

Deno.test("redis: addresses and bounds that are none are refused", () => {
  for (const addr of ["", "localhost", "localhost:0", "localhost:99999", "a:b:1", "[::1]"]) {
    assertThrows(() => new RedisBroker({ addr }), RangeError, "host:port");
  }
  const bounds = { streamMaxLength: 0 };
  assertThrows(() => new RedisBroker({ addr: "[::1]:6379", ...bounds }), RangeError, "streamMax");
});

Deno.test({
  name: "redis: an event that is too large is refused, and the next one passes",
  ignore,
  async fn() {
    await using bed = await RedisBed.start();
    const { broker } = await bed.open();
    const data = new Uint8Array(13 * 1024 * 1024);
    await assertRejects(
      () => broker.publish("a", makeEvent({ data })),
      EventRefusedError,
      "12 MiB",
    );
    assertLess((await broker.publish("a", makeJsonEvent(1))).position.offset, 2);
  },
});

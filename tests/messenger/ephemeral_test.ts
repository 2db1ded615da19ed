import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  CertificateError,
  correlationId,
  EphemeralClosedError,
  type EphemeralConfig,
  EphemeralConnectionLostError,
  EphemeralMessenger,
  HubRejectedError,
  InvalidChannelNameError,
  MessengerError,
  PayloadInvalidError,
  ReservedChannelNameError,
  serviceName,
  silentLogger,
  withCorrelationId,
  withServiceName,
} from "@keyop/messenger";
import { eventually } from "../helpers/eventually.ts";
import { turn } from "../helpers/fake_clock.ts";
import { Inbox } from "../helpers/inbox.ts";
import { QUICK, Site } from "../helpers/site.ts";
import { TestMessenger } from "../helpers/test_messenger.ts";

const TYPE = "com.example.Reading";

/** A hub without TLS that takes `sensor`. */
function openHub(listenAddr = "127.0.0.1:0"): Promise<TestMessenger> {
  const allowedPeers = [{ name: "sensor" }];
  return TestMessenger.open({ name: "hub", hub: { enabled: true, listenAddr, allowedPeers } });
}

function sensor(hubAddr: string, config: Partial<EphemeralConfig> = {}): EphemeralMessenger {
  return new EphemeralMessenger({ hubAddr, instanceName: "sensor", ...QUICK, ...config }, {
    logger: silentLogger,
  });
}

Deno.test("a message is on the hub's disk when publish settles, over mutual TLS", async () => {
  await using site = await Site.make();
  const hub = await site.openHub("hub", ["sensor"]);
  await using client = sensor(hub.messenger.hubAddr, { tls: await site.certificate("sensor") });
  assertEquals([client.instanceName, client.connected], ["sensor", false]);
  const { id } = await client.publish("readings", TYPE, { celsius: 21.5 }, {
    correlationId: "order-17",
    serviceName: "heating",
  });
  const [line] = hub.lines("readings");
  assertEquals({ ...line, ts: "" }, {
    v: 1,
    id,
    ts: "",
    channel: "readings",
    origin: "sensor",
    payload_type: TYPE,
    correlation_id: "order-17",
    service_name: "heating",
    route: ["sensor", "hub"],
    payload: { celsius: 21.5 },
  });
  assertEquals(client.connected, true);
});

Deno.test("messages are stored in the order of the calls, as they were then", async () => {
  await using hub = await openHub();
  await using client = sensor(hub.messenger.hubAddr);
  client.registerPayloadType("slow", async (value) => {
    await turn(3);
    return value;
  });
  const payload = { n: 0 };
  const published: Promise<unknown>[] = [];
  for (let n = 0; n < 100; n++) {
    payload.n = n;
    published.push(client.publish("readings", n % 7 === 0 ? "slow" : TYPE, payload));
    if (n === 50) await turn();
  }
  await Promise.all(published);
  assertEquals(hub.payloads("readings"), Array.from({ length: 100 }, (_, n) => ({ n })));
});

Deno.test("a subscriber hears what the hub stores while it is connected, and nothing earlier", async () => {
  await using hub = await openHub();
  await hub.messenger.publish("readings", TYPE, "earlier");
  await using client = sensor(hub.messenger.hubAddr, { subscribe: ["asked-for"] });
  const [readings, asked] = [new Inbox(), new Inbox()];
  client.subscribe("readings", readings.handler);
  await client.connect();
  client.subscribe("asked-for", asked.handler);
  await hub.messenger.publish("readings", TYPE, 1, { correlationId: "a", serviceName: "b" });
  await hub.messenger.publish("asked-for", TYPE, 2);
  await Promise.all([readings.until(1), asked.until(1)]);
  const [message] = readings.calls;
  assertEquals([message!.payload, message!.origin, message!.attempt], [1, "hub", 1]);
  assertEquals([message!.correlationId, message!.serviceName], ["a", "b"]);
  assertEquals(asked.payloads, [2]);
  const error = assertThrows(() => client.subscribe("another", () => {}), MessengerError);
  assertEquals(error.code, "subscribe_after_connect");
});

Deno.test("the one who ends a subscription hears nothing more; others do", async () => {
  await using hub = await openHub();
  await using client = sensor(hub.messenger.hubAddr);
  const [ended, other] = [new Inbox(), new Inbox()];
  const endings = [client.subscribe("readings", ended.handler)];
  client.subscribe("readings", other.handler);
  client.subscribe("readings", other.handler);
  await client.connect();
  endings.push(client.subscribe("readings", ended.handler));
  await hub.messenger.publish("readings", TYPE, 1);
  await Promise.all([ended.until(2), other.until(2)]);
  for (const end of endings) end();
  await hub.messenger.publish("readings", TYPE, 2);
  await other.until(4);
  assertEquals([ended.payloads, other.payloads], [[1, 1], [1, 1, 2, 2]]);
});

Deno.test("payloads are checked both ways", async () => {
  await using hub = await openHub();
  await using client = sensor(hub.messenger.hubAddr);
  client.registerPayloadType(TYPE, (value) => {
    if (typeof value !== "number") throw new Error("give a number");
    return { value };
  });
  const inbox = new Inbox();
  client.subscribe("readings", inbox.handler);
  await client.connect();
  await assertRejects(() => client.publish("readings", TYPE, "x"), PayloadInvalidError);
  await assertRejects(() => client.publish("readings", TYPE, undefined), PayloadInvalidError);
  await assertRejects(() => client.publish("readings", "", 1), PayloadInvalidError);
  await hub.messenger.publish("readings", TYPE, "x");
  await hub.messenger.publish("readings", TYPE, 2);
  await inbox.until(1);
  assertEquals(inbox.payloads, [{ value: 2 }]);
});

Deno.test("a handler that throws is logged, and the next message comes", async () => {
  await using hub = await openHub();
  await using client = sensor(hub.messenger.hubAddr);
  const inbox = new Inbox();
  inbox.react = () => {
    throw new Error("no use");
  };
  client.subscribe("readings", inbox.handler);
  await client.connect();
  for (const n of [1, 2]) await hub.messenger.publish("readings", TYPE, n);
  await inbox.until(2);
  assertEquals(inbox.payloads, [1, 2]);
});

Deno.test("a handler sees the message's correlation id, and nothing of whoever connected", async () => {
  await using hub = await openHub();
  await using client = sensor(hub.messenger.hubAddr);
  const inbox = new Inbox();
  const seen: unknown[] = [];
  inbox.react = async () => {
    await turn(1);
    seen.push([correlationId(), serviceName()]);
    await client.publish("answers", TYPE, 1);
  };
  client.subscribe("readings", inbox.handler);
  await withCorrelationId("connecting", () =>
    withServiceName("connector", async () => {
      await client.connect();
      await client.publish("others", TYPE, 1);
    }));
  for (const id of ["a", "", "b"]) {
    await hub.messenger.publish("readings", TYPE, 1, { correlationId: id });
  }
  await inbox.until(3);
  await eventually("the answers", () => hub.lines("answers").length === 3);
  assertEquals(seen, [["a", ""], ["", ""], ["b", ""]]);
  assertEquals(
    hub.lines("answers").map((line) => [line.correlation_id ?? "", line.service_name ?? ""]),
    [["a", ""], ["", ""], ["b", ""]],
  );
  assertEquals(hub.lines("others")[0]!.service_name, "connector");
});

Deno.test("after the hub's restart it connects again, publishes what waited and hears again", async () => {
  await using hub = await openHub();
  const { hubAddr } = hub.messenger;
  await using client = sensor(hubAddr);
  const inbox = new Inbox();
  client.subscribe("readings", inbox.handler);
  await client.publish("readings", TYPE, 1);
  await hub.messenger.close();
  await eventually("the connection to end", () => !client.connected);
  const waiting = client.publish("readings", TYPE, 2);
  await hub.reopen({
    hub: { enabled: true, listenAddr: hubAddr, allowedPeers: [{ name: "sensor" }] },
  });
  await waiting;
  await hub.messenger.publish("readings", TYPE, 3);
  await inbox.until(1);
  assertEquals([hub.payloads("readings"), inbox.payloads], [[1, 2, 3], [3]]);
});

Deno.test("a connection that breaks before the acknowledgement is told; the same id is stored once", async () => {
  await using site = await Site.make();
  const hub = await site.openHub("hub", ["sensor"]);
  const proxy = site.proxy(hub.messenger.hubAddr);
  await using client = sensor(proxy.address, { tls: await site.certificate("sensor") });
  await client.publish("readings", TYPE, 0);
  for (const [n, arrives] of [[1, true], [2, false]] as const) {
    const id = crypto.randomUUID();
    proxy.stall(arrives ? "down" : "up");
    const publishing = client.publish("readings", TYPE, n, { id });
    const lost = assertRejects(() => publishing, EphemeralConnectionLostError);
    if (arrives) await eventually("the record", () => hub.lines("readings").length === n + 1);
    else await turn(20);
    proxy.cut();
    proxy.heal();
    await lost;
    assertEquals((await client.publish("readings", TYPE, n, { id })).id, id);
  }
  assertEquals(hub.payloads("readings"), [0, 1, 2]);
});

Deno.test("what is published at once goes in one frame", async () => {
  await using hub = await openHub();
  await using client = sensor(hub.messenger.hubAddr);
  await client.connect();
  await client.publish("readings", TYPE, 0);
  await Promise.all(Array.from({ length: 50 }, (_, n) => client.publish("readings", TYPE, n)));
  await eventually("the audit", () => hub.messenger.stats().audit!.queued === 0);
  const audit = await Deno.readTextFile(`${hub.dataDir}/audit/audit.jsonl`);
  const forwards = audit.trimEnd().split("\n").map((line) => JSON.parse(line))
    .filter(({ event }) => event === "forward");
  assertEquals(forwards.map(({ detail }) => detail), ["1 records", "50 records"]);
});

Deno.test("without reconnecting it stays lost until it is connected again", async () => {
  await using site = await Site.make();
  const hub = await site.openHub("hub", ["sensor"]);
  const proxy = site.proxy(hub.messenger.hubAddr);
  const tls = await site.certificate("sensor");
  await using client = sensor(proxy.address, { tls, autoReconnect: false });
  await client.publish("readings", TYPE, 1);
  proxy.cut();
  await eventually("the connection to end", () => !client.connected);
  await assertRejects(() => client.publish("readings", TYPE, 0), EphemeralConnectionLostError);
  await client.connect();
  await client.publish("readings", TYPE, 2);
  assertEquals(hub.payloads("readings"), [1, 2]);
});

Deno.test("a hub that does not want the client says so, and stores nothing", async () => {
  await using site = await Site.make();
  const hub = await site.openHub("hub", ["somebody"]);
  await using client = sensor(hub.messenger.hubAddr, { tls: await site.certificate("sensor") });
  for (const call of [() => client.connect(), () => client.publish("readings", TYPE, 1)]) {
    const error = await assertRejects(call, HubRejectedError, "not in allowlist");
    assertEquals([error.hubAddr, error.closeCode], [hub.messenger.hubAddr, 4403]);
  }
  assertEquals(hub.messenger.stats().channels, []);
});

Deno.test("a hub that is not there is an error to try again after", async () => {
  const first = await openHub();
  const { hubAddr } = first.messenger;
  await first[Symbol.asyncDispose]();
  await using client = sensor(hubAddr);
  for (const call of [() => client.connect(), () => client.publish("readings", TYPE, 1)]) {
    const error = await assertRejects(call, MessengerError);
    assertEquals(error.code, "hub_unreachable");
  }
  await using hub = await openHub(hubAddr);
  await client.publish("readings", TYPE, 2);
  assertEquals(hub.payloads("readings"), [2]);
});

Deno.test("certificates that cannot be used are named, and may be mended", async () => {
  await using site = await Site.make();
  const hub = await site.openHub("hub", ["sensor"]);
  const tls = await site.certificate("sensor");
  const key = await Deno.readTextFile(tls.key);
  await Deno.remove(tls.key);
  await using client = sensor(hub.messenger.hubAddr, { tls });
  const error = await assertRejects(() => client.connect(), CertificateError);
  assertEquals(error.path, tls.key);
  await Deno.writeTextFile(tls.key, key);
  await client.connect();
});

Deno.test("a hub of another name or host is refused", async () => {
  await using site = await Site.make();
  const hub = await site.openHub("hub", ["sensor"]);
  const tls = await site.certificate("sensor");
  await using wrong = sensor(hub.messenger.hubAddr, { tls, hubName: "other" });
  await assertRejects(() => wrong.connect(), MessengerError, '"hub", not of "other"');
  await using right = sensor(hub.messenger.hubAddr, { tls, hubName: "hub" });
  await right.connect();
});

Deno.test("names that are none are refused at once", async () => {
  await using client = sensor("127.0.0.1:1");
  for (const name of ["", "..", "a/b", undefined] as string[]) {
    assertThrows(() => client.subscribe(name, () => {}), InvalidChannelNameError);
    await assertRejects(() => client.publish(name, TYPE, 1), InvalidChannelNameError);
  }
  await assertRejects(
    () => client.publish("readings.dead-letter", TYPE, 1),
    ReservedChannelNameError,
  );
});

Deno.test("a signal gives up one caller's waiting, and nobody else's", async () => {
  await using site = await Site.make();
  const hub = await site.openHub("hub", ["sensor"]);
  const proxy = site.proxy(hub.messenger.hubAddr);
  await using client = sensor(proxy.address, { tls: await site.certificate("sensor") });
  proxy.stall("down");
  const controllers = [new AbortController(), new AbortController()] as const;
  const impatient = client.publish("readings", TYPE, 1, { signal: controllers[0].signal });
  const connecting = client.connect({ signal: controllers[1].signal });
  const patient = client.publish("readings", TYPE, 2);
  await turn(20);
  controllers[0].abort(new Error("enough"));
  await assertRejects(() => impatient, Error, "enough");
  controllers[1].abort(new Error("me too"));
  await assertRejects(() => connecting, Error, "me too");
  await assertRejects(
    () => client.connect({ signal: AbortSignal.abort(new Error("too late")) }),
    Error,
    "too late",
  );
  proxy.heal();
  await patient;
  assertEquals(hub.payloads("readings"), [2]);
});

Deno.test("when everybody has given up, nothing goes on connecting", async () => {
  await using site = await Site.make();
  const hub = await site.openHub("hub", ["sensor"]);
  const proxy = site.proxy(hub.messenger.hubAddr);
  await using client = sensor(proxy.address, { tls: await site.certificate("sensor") });
  proxy.stall("down");
  const controller = new AbortController();
  const { signal } = controller;
  const waiting = [client.connect({ signal }), client.publish("readings", TYPE, 1, { signal })];
  await eventually("the dialling", () => proxy.connections === 1);
  controller.abort(new Error("enough"));
  for (const call of waiting) await assertRejects(() => call, Error, "enough");
  await eventually("the end of the dialling", () => proxy.connections === 0);
  proxy.heal();
  await client.publish("readings", TYPE, 2);
  assertEquals(hub.payloads("readings"), [2]);
});

Deno.test("closing fails what was not acknowledged and everything after, however often", async () => {
  await using site = await Site.make();
  const hub = await site.openHub("hub", ["sensor"]);
  const proxy = site.proxy(hub.messenger.hubAddr);
  await using client = sensor(proxy.address, { tls: await site.certificate("sensor") });
  await client.publish("readings", TYPE, 1);
  proxy.stall("up");
  const publishing = client.publish("readings", TYPE, 2);
  const outcome = assertRejects(() => publishing, EphemeralClosedError);
  await turn(5);
  proxy.down();
  await Promise.all([client.close(), client.close()]);
  await outcome;
  await client.close();
  assertEquals(client.connected, false);
  await assertRejects(() => client.publish("readings", TYPE, 3), EphemeralClosedError);
  await assertRejects(() => client.connect(), EphemeralClosedError);
  assertThrows(() => client.subscribe("readings", () => {}), EphemeralClosedError);
});

Deno.test("closing while connecting fails the connecting", async () => {
  await using site = await Site.make();
  const hub = await site.openHub("hub", ["sensor"]);
  const proxy = site.proxy(hub.messenger.hubAddr);
  const tls = await site.certificate("sensor");
  for (const turns of [0, 1, 20]) {
    const client = sensor(proxy.address, { tls });
    proxy.stall("down");
    const connecting = client.connect();
    const publishing = client.publish("readings", TYPE, 1);
    const outcomes = Promise.allSettled([connecting, publishing]);
    await turn(turns);
    await client.close();
    for (const outcome of await outcomes) {
      assert(outcome.status === "rejected" && outcome.reason instanceof EphemeralClosedError);
    }
    proxy.heal();
  }
  assertEquals(hub.lines("readings"), []);
});

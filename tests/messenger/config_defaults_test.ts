import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { ConfigError } from "../../src/base/mod.ts";
import {
  applyDefaults,
  type Config,
  type ResolvedConfig,
  type Surroundings,
} from "../../src/messenger/config/mod.ts";

const HOST: Surroundings = { hostname: () => "kitchen" };
const LEAST: Config = { storage: { dataDir: "data" } };

const DEFAULTS: ResolvedConfig = {
  name: "kitchen",
  storage: {
    dataDir: "data",
    syncPolicy: "periodic",
    syncIntervalMs: 200,
    maxSubscriberLagMb: 512,
    compactionThresholdMb: 256,
    offsetFlushIntervalMs: 0,
    maxFiles: 0,
    retentionMs: 0,
  },
  subscribers: { maxRetries: 5, retryBackoffBaseMs: 100, retryBackoffMaxMs: 5000 },
  hub: {
    enabled: false,
    listenAddr: "",
    allowedPeers: [],
    fedClientOffsetTtlMs: 604_800_000,
    insecure: false,
  },
  client: { enabled: false, hubs: [] },
  tls: { cert: "", key: "", ca: "", minVersion: "1.3", expiryWarnDays: 30 },
  federation: {
    reconnectBaseMs: 500,
    reconnectMaxMs: 60_000,
    reconnectJitter: 0.2,
    sendBufferMessages: 10_000,
    maxBatchBytes: 65_536,
  },
  dedup: { seenIdLruSize: 100_000 },
  audit: { maxSizeMb: 100, maxFiles: 10 },
};

Deno.test("a configuration with only a data folder gets every documented default", () => {
  assertEquals(applyDefaults(LEAST, HOST), DEFAULTS);
});

Deno.test("a zero is the default where the original's files have it so", () => {
  const zeros: Config = {
    storage: {
      dataDir: "data",
      syncIntervalMs: 0,
      maxSubscriberLagMb: 0,
      compactionThresholdMb: 0,
      retention: 0,
    },
    tls: { expiryWarnDays: 0 },
    federation: { reconnectBaseMs: 0, reconnectMaxMs: 0, sendBufferMessages: 0, maxBatchBytes: 0 },
    dedup: { seenIdLruSize: 0 },
    audit: { maxSizeMb: 0, maxFiles: 0 },
  };
  assertEquals(applyDefaults(zeros, HOST), DEFAULTS);
});

Deno.test("a zero is a zero where it means something of its own", () => {
  const { storage, subscribers, hub, federation } = applyDefaults({
    storage: { dataDir: "data", offsetFlushIntervalMs: 0, maxFiles: 0, retention: "0" },
    subscribers: { maxRetries: 0, retryBackoffBaseMs: 0, retryBackoffMaxMs: 0 },
    hub: { fedClientOffsetTtl: 0 },
    federation: { reconnectJitter: 0 },
  }, HOST);
  assertEquals([storage.offsetFlushIntervalMs, storage.maxFiles, storage.retentionMs], [0, 0, 0]);
  assertEquals(subscribers, { maxRetries: 0, retryBackoffBaseMs: 0, retryBackoffMaxMs: 0 });
  assertEquals([hub.fedClientOffsetTtlMs, federation.reconnectJitter], [0, 0]);
});

Deno.test("durations are milliseconds as numbers and have units as texts", () => {
  const resolved = applyDefaults({
    storage: { dataDir: "data", retention: 1500 },
    hub: { fedClientOffsetTtl: "30m" },
  }, HOST);
  assertEquals(resolved.storage.retentionMs, 1500);
  assertEquals(resolved.hub.fedClientOffsetTtlMs, 1_800_000);
});

Deno.test("a part of a millisecond never turns into off", () => {
  const { storage } = applyDefaults({ storage: { dataDir: "data", retention: 0.2 } }, HOST);
  assertEquals(storage.retentionMs, 1);
});

Deno.test("lists are filled in, and a channel named twice is listed once", () => {
  const { hub, client } = applyDefaults({
    ...LEAST,
    hub: { allowedPeers: [{ name: "attic", publish: ["a", "b", "a"] }] },
    client: { hubs: [{ addr: "hub:7740" }, { addr: "[::1]:7740", name: "cellar" }] },
  }, HOST);
  assertEquals(hub.allowedPeers, [{ name: "attic", subscribe: [], publish: ["a", "b"] }]);
  assertEquals(client.hubs, [
    { addr: "hub:7740", name: undefined, subscribe: [], publish: [] },
    { addr: "[::1]:7740", name: "cellar", subscribe: [], publish: [] },
  ]);
});

Deno.test("what is resolved is frozen all the way down and shares nothing with what was given", () => {
  const publish = ["a"];
  const config: Config = { ...LEAST, hub: { allowedPeers: [{ name: "attic", publish }] } };
  const { hub } = applyDefaults(config, HOST);
  publish.push("b");
  assertEquals(hub.allowedPeers[0]!.publish, ["a"]);
  for (const part of [hub, hub.allowedPeers, hub.allowedPeers[0], hub.allowedPeers[0]!.publish]) {
    assertStrictEquals(Object.isFrozen(part), true);
  }
});

Deno.test("with a certificate the name is left to its Common Name", () => {
  const tls = { cert: "cert.pem", key: "key.pem", ca: "ca.pem" };
  const never: Surroundings = {
    hostname: () => {
      throw new Error("not to be asked");
    },
  };
  assertEquals(applyDefaults({ ...LEAST, tls }, never).name, "");
  assertEquals(applyDefaults({ ...LEAST, tls, name: "attic" }, never).name, "attic");
});

Deno.test("a host without a name asks for one in the configuration", () => {
  const error = assertThrows(() => applyDefaults(LEAST, { hostname: () => "" }), ConfigError);
  assertEquals(error.problems, [
    { path: "name", message: "is required: the host has no name to take" },
  ]);
});

Deno.test({
  name: "without permission to read the host name the problem says to set a name",
  permissions: { sys: false },
  fn() {
    const error = assertThrows(() => applyDefaults(LEAST), ConfigError, "--allow-sys=hostname");
    assertEquals(error.problems.map(({ path }) => path), ["name"]);
    assertEquals(applyDefaults({ ...LEAST, name: "attic" }).name, "attic");
  },
});

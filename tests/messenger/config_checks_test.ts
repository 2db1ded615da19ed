import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { ConfigError, type ConfigProblem } from "../../src/base/mod.ts";
import { applyDefaults, type Config, validateConfig } from "../../src/messenger/config/mod.ts";

const storage = { dataDir: "data" };
const tls = { cert: "cert.pem", key: "key.pem", ca: "ca.pem" };

/** The problems of a configuration, which may be anything: programs in JavaScript give anything. */
function problemsOf(config: unknown): readonly ConfigProblem[] {
  return assertThrows(
    () => validateConfig({ name: "kitchen", ...(config as object) } as Config),
    ConfigError,
  ).problems;
}

interface Wrong {
  readonly config: unknown;
  readonly path: string;
  readonly says: string;
}

const WRONG: readonly Wrong[] = [
  { config: {}, path: "storage.dataDir", says: "is required: the folder that holds" },
  { config: { storage: { dataDir: "" } }, path: "storage.dataDir", says: "is required" },
  { config: { storage: { dataDir: 7 } }, path: "storage.dataDir", says: "found 7" },
  { config: { storage: { dataDir: "a\0b" } }, path: "storage.dataDir", says: "control character" },
  { config: { storage: null }, path: "storage", says: "a group of keys, found nothing" },
  { config: { storage: [] }, path: "storage", says: "a group of keys, found a list" },
  { config: { storage, hub: "x" }, path: "hub", says: 'a group of keys, found "x"' },
  { config: { storage, name: "a\nb" }, path: "name", says: "control character" },
  { config: { storage, name: "n".repeat(256) }, path: "name", says: "256 characters" },
  {
    config: { storage: { ...storage, syncPolicy: 7 } },
    path: "storage.syncPolicy",
    says: 'expected "none", "periodic" or "always", found 7',
  },
  {
    config: { storage, tls: { minVersion: "1.1" } },
    path: "tls.minVersion",
    says: 'expected "1.2" or "1.3", found "1.1"',
  },
  {
    config: { storage: { ...storage, syncIntervalMs: -1 } },
    path: "storage.syncIntervalMs",
    says: "a whole number from 1 to 2147483647, found -1",
  },
  {
    config: { storage: { ...storage, maxFiles: 1.5 } },
    path: "storage.maxFiles",
    says: "found 1.5",
  },
  { config: { storage, audit: { maxFiles: "3" } }, path: "audit.maxFiles", says: 'found "3"' },
  {
    config: { storage, dedup: { seenIdLruSize: NaN } },
    path: "dedup.seenIdLruSize",
    says: "found NaN",
  },
  {
    config: { storage, federation: { reconnectJitter: 1.1 } },
    path: "federation.reconnectJitter",
    says: "a number from 0 to 1, found 1.1",
  },
  {
    config: { storage: { ...storage, retention: -1 } },
    path: "storage.retention",
    says: "milliseconds, found -1",
  },
  {
    config: { storage: { ...storage, retention: "7" } },
    path: "storage.retention",
    says: '"7" is no duration',
  },
  {
    config: { storage: { ...storage, retention: true } },
    path: "storage.retention",
    says: 'milliseconds or a duration such as "168h" or "7d", found true',
  },
  { config: { storage, hub: { enabled: "yes" } }, path: "hub.enabled", says: "true or false" },
  {
    config: { storage, hub: { enabled: true } },
    path: "hub.listenAddr",
    says: "is required when hub.enabled is true",
  },
  { config: { storage, hub: { listenAddr: "here" } }, path: "hub.listenAddr", says: "no port" },
  {
    config: { storage, hub: { enabled: true, listenAddr: "0.0.0.0:7740" } },
    path: "hub.listenAddr",
    says: "there is no TLS: set tls.cert, tls.key and tls.ca, or listen on 127.0.0.1, or set " +
      "hub.insecure to true",
  },
  {
    config: { storage, hub: { enabled: true, listenAddr: ":0" } },
    path: "hub.listenAddr",
    says: "there is no TLS",
  },
  {
    config: { storage, hub: { allowedPeers: { name: "a" } } },
    path: "hub.allowedPeers",
    says: "a list of entries, found a group of keys",
  },
  {
    config: { storage, hub: { allowedPeers: [{}] } },
    path: "hub.allowedPeers[0].name",
    says: "is required",
  },
  {
    config: { storage, hub: { allowedPeers: [{ name: "a" }, { name: "b" }, { name: "a" }] } },
    path: "hub.allowedPeers[2].name",
    says: '"a" is at hub.allowedPeers[0].name already',
  },
  {
    config: { storage, hub: { allowedPeers: [{ name: "a", subscribe: ["ok", "a/b"] }] } },
    path: "hub.allowedPeers[0].subscribe[1]",
    says: '"a/b" is no channel name',
  },
  {
    config: { storage, hub: { allowedPeers: [{ name: "a", publish: "all" }] } },
    path: "hub.allowedPeers[0].publish",
    says: 'a list of channel names, found "all"',
  },
  {
    config: { storage, hub: { allowedPeers: [{ name: "a", publish: [7] }] } },
    path: "hub.allowedPeers[0].publish[0]",
    says: "a channel name, found 7",
  },
  {
    config: {
      storage,
      hub: { allowedPeers: [{ name: "a", publish: new Array(10_001).fill("c") }] },
    },
    path: "hub.allowedPeers[0].publish",
    says: "has 10001 entries; the most are 10000",
  },
  {
    config: { storage, client: { enabled: true } },
    path: "client.hubs",
    says: "at least one hub when client.enabled is true",
  },
  {
    config: { storage, client: { hubs: [{}] } },
    path: "client.hubs[0].addr",
    says: "is required",
  },
  {
    config: { storage, client: { hubs: [{ addr: "::1:7740" }] } },
    path: "client.hubs[0].addr",
    says: "needs brackets",
  },
  {
    config: { storage, client: { hubs: [{ addr: "hub:0" }] } },
    path: "client.hubs[0].addr",
    says: "port 0",
  },
  {
    config: { storage, client: { hubs: [{ addr: ":7740" }] } },
    path: "client.hubs[0].addr",
    says: "no host to connect to",
  },
  {
    config: { storage, client: { hubs: [{ addr: "hub:1" }, { addr: "HUB:1" }] } },
    path: "client.hubs[1].addr",
    says: '"hub:1" is at client.hubs[0].addr already',
  },
  {
    config: { storage, tls: { cert: "c", ca: "a" } },
    path: "tls.key",
    says: "is required together with tls.cert and tls.ca",
  },
  {
    config: { storage, subscribers: { retryBackoffBaseMs: 6000 } },
    path: "subscribers.retryBackoffBaseMs",
    says: "is 6000, more than subscribers.retryBackoffMaxMs, which is 5000",
  },
  {
    config: { storage, federation: { reconnectBaseMs: 20, reconnectMaxMs: 10 } },
    path: "federation.reconnectBaseMs",
    says: "is 20, more than federation.reconnectMaxMs, which is 10",
  },
  {
    config: { storage: { ...storage, syncPolcy: "none" } },
    path: "storage.syncPolcy",
    says: "unknown key; the nearest known one is storage.syncPolicy",
  },
  {
    config: { storage: { ...storage, sync_policy: "none" } },
    path: "storage.sync_policy",
    says: "the nearest known one is storage.syncPolicy",
  },
  {
    config: { storage, maxRetries: 3 },
    path: "maxRetries",
    says: "the nearest known one is subscribers.maxRetries",
  },
  {
    config: { storage, client: { hubs: [{ addr: "hub:1", pubilsh: [] }] } },
    path: "client.hubs[0].pubilsh",
    says: "the nearest known one is client.hubs[0].publish",
  },
  { config: { storage, constructor: 1 }, path: "constructor", says: "unknown key" },
];

for (const { config, path, says } of WRONG) {
  Deno.test(`the one problem of ${shown(config)} is at ${path}: ${says}`, () => {
    const problems = problemsOf(config);
    assertEquals(problems.map((problem) => problem.path), [path]);
    assertStringIncludes(problems[0]!.message, says);
  });
}

const FINE: readonly Omit<Config, "storage">[] = [
  { hub: { enabled: true, listenAddr: "127.0.0.1:0" } },
  { hub: { enabled: true, listenAddr: "[::1]:7740" } },
  { hub: { enabled: true, listenAddr: "localhost:7740" } },
  { hub: { enabled: true, listenAddr: "0.0.0.0:7740", insecure: true } },
  { hub: { enabled: true, listenAddr: ":7740" }, tls },
  { hub: { enabled: false, listenAddr: "0.0.0.0:7740" } },
  { client: { enabled: true, hubs: [{ addr: "hub:7740" }, { addr: "hub:7741" }] } },
  { subscribers: { retryBackoffBaseMs: 5000, retryBackoffMaxMs: 5000 } },
  { federation: { reconnectJitter: 1 } },
];

for (const config of FINE) {
  Deno.test(`nothing is wrong with ${shown(config)}`, () => {
    validateConfig({ name: "kitchen", storage, ...config });
  });
}

Deno.test("a configuration with three mistakes lists three, in one error", () => {
  const config = {
    name: "kitchen",
    storage: { dataDir: "data", syncPolicy: "sometimes", maxFile: 3 },
    client: { enabled: true },
  } as unknown as Config;
  const expected = [
    "storage.syncPolicy",
    "storage.maxFile",
    "client.hubs",
  ];
  for (const check of [validateConfig, applyDefaults]) {
    const error = assertThrows(
      () => void check(config),
      ConfigError,
      "configuration has 3 problems",
    );
    assertEquals(error.problems.map(({ path }) => path), expected);
  }
});

Deno.test("something that is no configuration at all is one problem", () => {
  for (const config of [undefined, null, 7, "data", []]) {
    const error = assertThrows(() => validateConfig(config as unknown as Config), ConfigError);
    assertEquals(error.problems.length, 1, String(config));
  }
});

Deno.test("a wrong TLS key is not reported once more as missing TLS", () => {
  const problems = problemsOf({
    storage,
    hub: { enabled: true, listenAddr: "0.0.0.0:1" },
    tls: { cert: 7, key: "k", ca: "c" },
  });
  assertEquals(problems.map(({ path }) => path), ["tls.cert"]);
});

function shown(config: unknown): string {
  const text = JSON.stringify(config);
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}

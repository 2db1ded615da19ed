import { assertEquals, assertRejects } from "@std/assert";
import { stringify } from "@std/yaml";
import fc from "fast-check";
import { ConfigError } from "../../src/base/mod.ts";
import {
  applyDefaults,
  type Config,
  loadConfig,
  type ResolvedConfig,
  type Surroundings,
} from "../../src/messenger/config/mod.ts";
import { anyConfig } from "../helpers/any_config.ts";
import { tempDir } from "../helpers/temp.ts";

const HOST: Surroundings = { hostname: () => "kitchen" };

async function load(text: string | Uint8Array): Promise<ResolvedConfig> {
  await using dir = await tempDir();
  const path = `${dir.path}/messenger.yaml`;
  await Deno.writeFile(path, typeof text === "string" ? new TextEncoder().encode(text) : text);
  return await loadConfig(path, HOST);
}

async function problemsOf(text: string | Uint8Array): Promise<string[]> {
  const error = await assertRejects(() => load(text), ConfigError, "messenger.yaml has ");
  return error.problems.map(({ path, message }) => path === "" ? message : `${path}: ${message}`);
}

Deno.test("a file in the original's keys gives what the same configuration gives in code", async () => {
  const loaded = await load(`
name: attic
storage:
  data_dir: /var/lib/keyop
  sync_policy: always
  sync_interval_ms: 0
subscribers:
  max_retries: 0
hub:
  enabled: true
  listen_addr: 0.0.0.0:7740
  allowed_peers:
    - name: cellar
      subscribe: [temperature]
      publish:
        - alarms
  fed_client_offset_ttl: 30m
client:
  enabled: yes
  hubs:
    - addr: hub.example.org:7740
      subscribe: [news]
tls:
  cert: attic.crt
  key: attic.key
  ca: ca.crt
  min_version: 1.2
federation:
  max_batch_bytes: 4194304
`);
  const config: Config = {
    name: "attic",
    storage: { dataDir: "/var/lib/keyop", syncPolicy: "always" },
    subscribers: { maxRetries: 0 },
    hub: {
      enabled: true,
      listenAddr: "0.0.0.0:7740",
      allowedPeers: [{ name: "cellar", subscribe: ["temperature"], publish: ["alarms"] }],
      fedClientOffsetTtl: "30m",
    },
    client: { enabled: true, hubs: [{ addr: "hub.example.org:7740", subscribe: ["news"] }] },
    tls: { cert: "attic.crt", key: "attic.key", ca: "ca.crt", minVersion: "1.2" },
    federation: { maxBatchBytes: 4_194_304 },
  };
  assertEquals(loaded, applyDefaults(config, HOST));
});

Deno.test("texts stay as written, even where YAML sees a number, a boolean or a date", async () => {
  const loaded = await load(`
name: 007
storage: { data_dir: 2024-01-31 }
hub:
  allowed_peers:
    - { name: 1.0, subscribe: [1e3, true, 2024], publish: ["0x10"] }
`);
  assertEquals(loaded.name, "007");
  assertEquals(loaded.storage.dataDir, "2024-01-31");
  assertEquals(loaded.hub.allowedPeers, [
    { name: "1.0", subscribe: ["1e3", "true", "2024"], publish: ["0x10"] },
  ]);
});

Deno.test("keys without a value keep their defaults", async () => {
  const loaded = await load(
    "storage:\n  data_dir: data\n  sync_policy:\n  retention: ~\nhub:\nclient:\n  hubs:\n",
  );
  assertEquals(loaded, applyDefaults({ storage: { dataDir: "data" } }, HOST));
});

Deno.test("anchors, merges and a byte order mark are fine", async () => {
  const loaded = await load(`\uFEFF
storage: { data_dir: data }
hub:
  allowed_peers:
    - &both { name: attic, publish: &channels [a, b] }
    - { <<: *both, name: cellar, subscribe: *channels }
`);
  assertEquals(loaded.hub.allowedPeers, [
    { name: "attic", subscribe: [], publish: ["a", "b"] },
    { name: "cellar", subscribe: ["a", "b"], publish: ["a", "b"] },
  ]);
});

Deno.test("a file with three mistakes lists three, each under its key as the file spells it", async () => {
  const text = `
storage:
  data_dir: data
  sync_policy: 7
  sync_polcy: none
hub:
  enabled: true
`;
  assertEquals(await problemsOf(text), [
    'storage.sync_policy: expected "none", "periodic" or "always", found 7',
    "storage.sync_polcy: unknown key; the nearest known one is storage.sync_policy",
    'hub.listen_addr: is required when hub.enabled is true, as in "0.0.0.0:7740"',
  ]);
});

interface Refused {
  readonly what: string;
  readonly text: string | Uint8Array;
  readonly problems: readonly string[];
}

const EMPTY = "the file is empty: it needs at least storage.data_dir, the data folder";

const REFUSED: readonly Refused[] = [
  { what: "an empty file", text: "", problems: [EMPTY] },
  { what: "a file of comments", text: "# later\n---\n", problems: [EMPTY] },
  {
    what: "a file without the data folder",
    text: "name: attic\n",
    problems: [
      "storage.data_dir: is required: the folder that holds channels, cursors and the audit log",
    ],
  },
  {
    what: "a list",
    text: "- storage\n",
    problems: ["expected a group of keys, found a list"],
  },
  {
    what: "a key that is there twice",
    text: "storage:\n  data_dir: a\n  data_dir: b\n",
    problems: [
      "line 3, column 3: this is no YAML: Cannot store mapping pair: duplicated key",
    ],
  },
  {
    what: "a number as a duration, whose unit nobody knows",
    text: "storage: { data_dir: data, retention: 7 }",
    problems: [
      'storage.retention: expected a duration with its unit, such as "168h" or "7d", found 7',
    ],
  },
  {
    what: "a key in the spelling of code",
    text: "storage: { data_dir: data, maxFiles: 7 }",
    problems: ["storage.maxFiles: unknown key; the nearest known one is storage.max_files"],
  },
  {
    what: "a key that would reach for the prototype",
    text: "storage: { data_dir: data }\n__proto__: { name: x }",
    problems: ["__proto__: unknown key; the nearest known one is storage"],
  },
  {
    what: "bytes that are no text",
    text: new Uint8Array([0x61, 0xff, 0xfe]),
    problems: ["cannot be read: it is not UTF-8 text"],
  },
  {
    what: "more than a mebibyte",
    text: `# ${"x".repeat(1_048_576)}\n`,
    problems: ["is larger than 1048576 bytes; a configuration is not"],
  },
];

for (const { what, text, problems } of REFUSED) {
  Deno.test(`${what} is refused with its reason`, async () => {
    assertEquals((await problemsOf(text)).map((problem) => problem.slice(0, 120)), problems);
  });
}

Deno.test("brackets beyond the parser's depth are a problem of the file, not a crash", async () => {
  const [problem, ...others] = await problemsOf("[".repeat(500_000));
  assertEquals([problem!.includes("this is no YAML"), others], [true, []]);
});

Deno.test("a file that is missing, a folder or not permitted is one clear problem", async () => {
  await using dir = await tempDir();
  const missing = await assertRejects(() => loadConfig(`${dir.path}/none.yaml`), ConfigError);
  assertEquals(
    missing.message,
    `${dir.path}/none.yaml has 1 problem:\n  cannot be read: there is no such file`,
  );
  const folder = await assertRejects(() => loadConfig(dir.path), ConfigError);
  assertEquals(folder.problems, [{ path: "", message: "cannot be read: it is a folder" }]);
});

Deno.test({
  name: "without read permission the problem names the flag",
  permissions: { read: false },
  async fn() {
    await assertRejects(() => loadConfig("messenger.yaml"), ConfigError, "--allow-read");
  },
});

Deno.test("any valid configuration is the same from YAML as from code", async () => {
  await using dir = await tempDir();
  const path = `${dir.path}/messenger.yaml`;
  await fc.assert(
    fc.asyncProperty(anyConfig(), async (config) => {
      await Deno.writeTextFile(path, stringify(inYaml(config)));
      assertEquals(await loadConfig(path, HOST), applyDefaults(config, HOST));
    }),
    { numRuns: 300 },
  );
});

/** The configuration with the keys of the file. A file gives durations their unit. */
function inYaml(value: unknown, key = ""): unknown {
  if (Array.isArray(value)) return value.map((entry) => inYaml(entry));
  if (["retention", "fedClientOffsetTtl"].includes(key) && typeof value === "number") {
    return `${value}ms`;
  }
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      inYaml(inner, name),
    ]),
  );
}

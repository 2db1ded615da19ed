import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  CertificateError,
  ConfigError,
  DataDirLockedError,
  HubListenError,
  loadConfig,
  Messenger,
  silentLogger,
  StorageError,
} from "@keyop/messenger";
import { FakeClock, turn } from "../helpers/fake_clock.ts";
import { FaultyFiles } from "../helpers/faulty_files.ts";
import { Inbox } from "../helpers/inbox.ts";
import { TestPki } from "../helpers/pki.ts";
import { RecordingLogger } from "../helpers/recording_logger.ts";
import { tempDir } from "../helpers/temp.ts";
import { TestMessenger } from "../helpers/test_messenger.ts";

const TYPE = "com.example.Reading";
const DAY_MS = 86_400_000;
const options = { logger: silentLogger };

Deno.test("open tells every problem of a configuration at once, and touches nothing", async () => {
  await using dir = await tempDir();
  const dataDir = `${dir.path}/data`;
  const wrong = {
    storage: { dataDir, syncPolicy: "sometimes", syncIntervalMs: -1 },
    hub: { enabled: true },
  };
  const error = await assertRejects(
    () => Messenger.open(wrong as unknown as Parameters<typeof Messenger.open>[0], options),
    ConfigError,
  );
  assertEquals(error.problems.map(({ path }) => path).sort(), [
    "hub.listenAddr",
    "storage.syncIntervalMs",
    "storage.syncPolicy",
  ]);
  const file = `${dir.path}/messenger.yaml`;
  await Deno.writeTextFile(
    file,
    `storage: { data_dir: ${dataDir}, sync_polizy: always, max_files: many }\nclient: { enabled: true }\n`,
  );
  const fromFile = await assertRejects(() => Messenger.open(file, options), ConfigError);
  assertEquals(fromFile.problems.map(({ path }) => path).sort(), [
    "client.hubs",
    "storage.max_files",
    "storage.sync_polizy",
  ]);
  assert(fromFile.message.includes(file));
  assertEquals(Array.from(Deno.readDirSync(dir.path), ({ name }) => name), ["messenger.yaml"]);
});

Deno.test("open takes nothing for a configuration that is none", async () => {
  for (const config of [undefined, null, 5, [], {}] as unknown as string[]) {
    await assertRejects(() => Messenger.open(config, options), ConfigError);
  }
  await assertRejects(
    () => Messenger.open("no/such/file.yaml", options),
    ConfigError,
    "no such file",
  );
});

Deno.test("a data directory belongs to one messenger at a time", async () => {
  await using pi = await TestMessenger.open();
  const config = { name: "other", storage: { dataDir: pi.dataDir } };
  const error = await assertRejects(() => Messenger.open(config, options), DataDirLockedError);
  assertEquals([error.dataDir, error.pid], [pi.dataDir, Deno.pid]);
  await pi.messenger.publish("readings", TYPE, "unharmed");
  await pi.messenger.close();
  await using other = await Messenger.open(config, options);
  assertEquals(other.instanceName, "other");
});

Deno.test("a data directory that cannot be used is one clear error", async () => {
  await using dir = await tempDir();
  await Deno.writeTextFile(`${dir.path}/file`, "");
  await assertRejects(
    () => Messenger.open({ name: "pi", storage: { dataDir: `${dir.path}/file` } }, options),
    StorageError,
    `${dir.path}/file`,
  );
});

Deno.test("the dataDir option replaces the configured one, in code and in a file", async () => {
  await using dir = await tempDir();
  const file = `${dir.path}/messenger.yaml`;
  await Deno.writeTextFile(file, `name: pi\nstorage: { data_dir: ${dir.path}/configured }\n`);
  for (const config of [file, { name: "pi", storage: { dataDir: `${dir.path}/configured` } }]) {
    await using messenger = await Messenger.open(config, {
      ...options,
      dataDir: `${dir.path}/given`,
    });
    await messenger.publish("readings", TYPE, 1);
  }
  assertEquals(Array.from(Deno.readDirSync(dir.path), ({ name }) => name).sort(), [
    "given",
    "messenger.yaml",
  ]);
});

interface Files {
  cert: string;
  key: string;
  ca: string;
}

const certificateProblems: readonly [
  what: string,
  spoil: (files: Files, dir: string) => Promise<string>,
][] = [
  ["a certificate that is missing", async ({ cert }) => {
    await Deno.remove(cert);
    return cert;
  }],
  ["a key that is missing", async ({ key }) => {
    await Deno.remove(key);
    return key;
  }],
  ["an authority that is missing", async ({ ca }) => {
    await Deno.remove(ca);
    return ca;
  }],
  ["a certificate that is no PEM", async ({ cert }) => {
    await Deno.writeTextFile(cert, "certificate");
    return cert;
  }],
  ["a certificate of a foreign authority", async (files, dir) => {
    const foreign = await TestPki.make(dir, "foreign-ca");
    const { cert, key } = await foreign.issue("kitchen");
    assertEquals([cert, key], [files.cert, files.key]);
    return cert;
  }],
  ["a key of another certificate", async (files, dir) => {
    const other = await (await TestPki.make(dir, "other-ca")).issue("other");
    await Deno.copyFile(other.key, files.key);
    return files.key;
  }],
];
for (const [what, spoil] of certificateProblems) {
  Deno.test(`${what} is named by open, and the data directory is not touched`, async () => {
    await using dir = await tempDir();
    const files = await (await TestPki.make(dir.path)).issue("kitchen");
    const path = await spoil(files, dir.path);
    const storage = { dataDir: `${dir.path}/data` };
    const error = await assertRejects(
      () => Messenger.open({ storage, tls: files }, options),
      CertificateError,
      path,
    );
    assertEquals(error.path, path);
    await assertRejects(() => Deno.stat(storage.dataDir), Deno.errors.NotFound);
  });
}

Deno.test("a certificate that has expired, or is not valid yet, is named by open", async () => {
  await using dir = await tempDir();
  const start = Date.UTC(2026, 0, 1);
  const made = new FakeClock(start);
  const pki = await TestPki.make(dir.path, "ca", { clock: made });
  const tls = await pki.issue("kitchen", { days: 10, clock: made });
  const open = (now: number) =>
    Messenger.open({ storage: { dataDir: `${dir.path}/data` }, tls }, {
      ...options,
      clock: new FakeClock(now),
    });
  for (const now of [start + 11 * DAY_MS, start - DAY_MS]) {
    const error = await assertRejects(() => open(now), CertificateError);
    assertEquals(error.path, tls.cert);
  }
  await (await open(start + 9 * DAY_MS)).close();
});

Deno.test("the instance's name is the configured one, else the certificate's", async () => {
  await using dir = await tempDir();
  const tls = await (await TestPki.make(dir.path)).issue("kitchen");
  const storage = { dataDir: `${dir.path}/data` };
  const logger = new RecordingLogger();
  {
    await using messenger = await Messenger.open({ storage, tls }, { logger });
    assertEquals(messenger.instanceName, "kitchen");
    await messenger.publish("readings", TYPE, 1);
    await using _same = await Messenger.open(
      { name: "kitchen", storage: { dataDir: `${dir.path}/same` }, tls },
      { logger },
    );
  }
  assertEquals(logger.from("warn"), []);
  await using messenger = await Messenger.open({ name: "attic", storage, tls }, { logger });
  assertEquals(messenger.instanceName, "attic");
  assertEquals(logger.from("warn").length, 1);
  assertEquals(logger.lines.at(-1)!.fields, { name: "attic", certificate: "kitchen" });
});

Deno.test("a hub that cannot listen fails open, and frees the data directory", async () => {
  await using dir = await tempDir();
  await using first = await Messenger.open({
    name: "first",
    storage: { dataDir: `${dir.path}/first` },
    hub: { enabled: true, listenAddr: "127.0.0.1:0" },
  }, options);
  const storage = { dataDir: `${dir.path}/second` };
  const hub = { enabled: true, listenAddr: first.hubAddr };
  await assertRejects(
    () => Messenger.open({ name: "second", storage, hub }, options),
    HubListenError,
    first.hubAddr,
  );
  await using _second = await Messenger.open({ name: "second", storage }, options);
});

Deno.test("a hub without TLS listens for this machine alone, unless it is told otherwise", async () => {
  await using dir = await tempDir();
  const config = {
    name: "hub",
    storage: { dataDir: `${dir.path}/data` },
    hub: { enabled: true, listenAddr: "0.0.0.0:0" },
  };
  const error = await assertRejects(() => Messenger.open(config, options), ConfigError);
  assertEquals(error.problems.length, 1);
});

Deno.test("open waits for no hub", async () => {
  await using pi = await TestMessenger.open({
    client: { enabled: true, hubs: [{ addr: "127.0.0.1:1" }] },
  });
  await pi.messenger.publish("readings", TYPE, 1);
  assertEquals(pi.messenger.hubAddr, "");
  assertEquals(pi.messenger.stats().hubs![0]!.addr, "127.0.0.1:1");
});

Deno.test("close ends everything once, however often and whence it is called", async () => {
  const files = new FaultyFiles();
  const pi = await TestMessenger.open({
    hub: { enabled: true, listenAddr: "127.0.0.1:0" },
    storage: { syncPolicy: "periodic", syncIntervalMs: 100_000 },
  }, { files });
  await using _disposed = pi;
  const inbox = new Inbox();
  await pi.messenger.subscribe("readings", "display", inbox.handler);
  await pi.messenger.publish("readings", TYPE, 1);
  await inbox.until(1);
  const closings = [pi.messenger.close(), pi.messenger.close()];
  await Promise.all(closings);
  await pi.messenger.close();
  await pi.messenger[Symbol.asyncDispose]();
  assertEquals(files.count("sync", "channels/readings"), 1);
  assertEquals(pi.messenger.hubAddr, "");
  assertEquals(pi.messenger.stats().hub!.connections, 0);
  assertEquals(pi.cursor("readings", "display"), pi.messenger.stats().channels[0]!.end);
  const opened = files.calls.filter(({ call }) => call === "open").length;
  assertEquals(files.calls.filter(({ call }) => call === "close").length, opened);
});

Deno.test("close may be called from a handler, which is waited for up to five seconds", async () => {
  const clock = new FakeClock();
  await using pi = await TestMessenger.open({}, { clock });
  const inbox = new Inbox();
  const closed = Promise.withResolvers<void>();
  inbox.react = async () => {
    await pi.messenger.close();
    closed.resolve();
  };
  await pi.messenger.subscribe("readings", "display", inbox.handler);
  await pi.messenger.publish("readings", TYPE, 1);
  await inbox.until(1);
  await clock.fire(5_000);
  await closed.promise;
  await turn();
  assertEquals(pi.cursor("readings", "display"), 0);
});

Deno.test("a disk that refuses does not keep the messenger open", async () => {
  const files = new FaultyFiles();
  const clock = new FakeClock();
  await using pi = await TestMessenger.open({}, { files, clock });
  await pi.messenger.publish("readings", TYPE, 1);
  files.roomBytes = 0;
  const waiting = pi.messenger.publish("readings", TYPE, 2);
  await pi.logger.until("the disk refuses writes");
  const closing = pi.messenger.close();
  const outcome = assertRejects(() => waiting, StorageError);
  await clock.advance(6_000);
  await outcome;
  await closing;
  files.heal();
  await pi.reopen();
  assertEquals(pi.payloads("readings"), [1]);
});

Deno.test("stats count what was published, delivered and kept", async () => {
  await using pi = await TestMessenger.open({ subscribers: { maxRetries: 0 } });
  const { messenger } = pi;
  assertEquals(messenger.stats(), { instanceName: "pi", channels: [], subscribers: [] });
  const inbox = new Inbox();
  inbox.react = ({ payload }) => {
    if (payload === 3) throw new Error("no");
  };
  const subscription = await messenger.subscribe("readings", "display", inbox.handler);
  for (const n of [1, 2, 3]) await messenger.publish("readings", TYPE, n);
  await messenger.publishBatch("writings", [{ payloadType: TYPE, payload: 1 }]);
  await pi.logger.until("moved a message");
  await turn();
  const { channels, subscribers } = messenger.stats();
  const sizes = new Map(channels.map(({ channel, bytes, end, start, appended, commits }) => {
    assertEquals([start, bytes], [0, end]);
    return [channel, [appended, commits]];
  }));
  assertEquals([...sizes].sort(), [
    ["readings", [3, 3]],
    ["readings.dead-letter", [1, 1]],
    ["writings", [1, 1]],
  ]);
  const { position, ...counts } = subscribers[0]!;
  assertEquals(position, subscription.position);
  assertEquals(counts, {
    channel: "readings",
    subscriberId: "display",
    lagBytes: 0,
    delivered: 2,
    retries: 0,
    deadLettered: 1,
    damaged: 0,
    expired: 0,
  });
});

Deno.test("a file of the original implementation opens as it is", async () => {
  await using dir = await tempDir();
  const file = `${dir.path}/messenger.yaml`;
  await Deno.writeTextFile(
    file,
    `name: pi
storage:
  data_dir: ${dir.path}/data
  sync_policy: periodic
  sync_interval_ms: 200
  max_subscriber_lag_mb: 512
  compaction_threshold_mb: 256
  offset_flush_interval_ms: 0
subscribers:
  max_retries: 5
hub:
  enabled: true
  listen_addr: "127.0.0.1:0"
  allowed_peers:
    - name: kitchen
      subscribe: [readings]
      publish: []
client:
  enabled: false
federation:
  reconnect_base_ms: 500
dedup:
  seen_id_lru_size: 100000
`,
  );
  await using messenger = await Messenger.open(file, options);
  assertEquals(messenger.instanceName, "pi");
  assert(/^127\.0\.0\.1:\d+$/.test(messenger.hubAddr));
  assertEquals((await loadConfig(file)).hub.allowedPeers[0]!.name, "kitchen");
});

import { assertEquals, assertMatch } from "@std/assert";
import { Messenger } from "@keyop/messenger";
import { eventually } from "../helpers/eventually.ts";
import { FakeClock, turn } from "../helpers/fake_clock.ts";
import { RecordingLogger } from "../helpers/recording_logger.ts";
import { Site } from "../helpers/site.ts";
import type { TestMessenger } from "../helpers/test_messenger.ts";
import { storedLines } from "../helpers/test_messenger.ts";

const TYPE = "com.example.Reading";
const LOOK_MS = 2_000;

interface Peer {
  readonly name: string;
  readonly subscribe?: readonly string[];
  readonly publish?: readonly string[];
}

/** A hub whose configuration lies in a file that the test edits, on a clock that the test moves. */
class FileHub {
  readonly clock = new FakeClock(Date.now());
  readonly logger = new RecordingLogger();
  readonly file: string;
  readonly dataDir: string;
  readonly #site: Site;
  #messenger: Messenger | undefined;

  constructor(site: Site) {
    this.#site = site;
    this.file = `${site.path}/hub.yaml`;
    this.dataDir = `${site.path}/hub`;
  }

  get messenger(): Messenger {
    return this.#messenger!;
  }

  /** Opens the hub; it closes with the site. */
  async open(...peers: Peer[]): Promise<void> {
    await this.write(peers);
    this.#messenger = this.#site.adopt(
      await Messenger.open(this.file, { clock: this.clock, logger: this.logger }),
    );
    // The first look takes note of what is there.
    await this.clock.untilTimer(LOOK_MS);
  }

  /** Writes the configuration file; JSON is YAML. */
  async write(peers: readonly Peer[], more: Record<string, unknown> = {}): Promise<void> {
    const tls = await this.#site.certificate("hub");
    await Deno.writeTextFile(
      this.file,
      JSON.stringify({
        name: "hub",
        storage: { data_dir: this.dataDir },
        tls: { cert: tls.cert, key: tls.key, ca: tls.ca },
        hub: { enabled: true, listen_addr: "127.0.0.1:0", allowed_peers: peers },
        ...more,
      }),
    );
  }

  /** Lets the hub look at its file once. */
  async look(): Promise<void> {
    await this.clock.fire(LOOK_MS);
    await this.clock.untilTimer(LOOK_MS);
  }

  /** Names of the peers that are connected. */
  get peers(): string[] {
    return this.messenger.stats().hub!.peers.map(({ name }) => name).sort();
  }

  async audited(event: string): Promise<Record<string, unknown>[]> {
    await eventually("the audit", () => this.messenger.stats().audit!.queued === 0);
    const text = await Deno.readTextFile(`${this.dataDir}/audit/audit.jsonl`);
    return text.trimEnd().split("\n").map((line) => JSON.parse(line))
      .filter((line) => line.event === event);
  }

  payloads(channel: string): unknown[] {
    return storedLines(this.dataDir, channel).map(({ payload }) => payload);
  }
}

/** An instance that dials the hub. */
function dial(
  site: Site,
  hub: FileHub,
  name: string,
  channels: { subscribe?: string[]; publish?: string[] } = {},
): Promise<TestMessenger> {
  const hubs = [{ addr: hub.messenger.hubAddr, ...channels }];
  return site.open(name, { client: { enabled: true, hubs } });
}

const stateOf = (peer: TestMessenger) => peer.messenger.stats().hubs![0]!.state;

Deno.test("a peer that is taken off the list is closed with 4403, the others stay", async () => {
  await using site = await Site.make();
  const hub = new FileHub(site);
  await hub.open({ name: "attic" }, { name: "cellar" });
  const attic = await dial(site, hub, "attic");
  const cellar = await dial(site, hub, "cellar");
  await eventually("both peers", () => hub.peers.length === 2);
  await hub.write([{ name: "cellar" }]);
  await hub.look();
  await eventually("the refusal", () => stateOf(attic) === "rejected");
  assertEquals(attic.messenger.stats().hubs![0]!.reason, "4403 not in allowlist");
  assertEquals([stateOf(cellar), hub.peers], ["connected", ["cellar"]]);
  assertEquals(cellar.messenger.stats().hubs![0]!.connections, 1);
  await attic.messenger.publish("readings", TYPE, "not for the hub");
  await cellar.messenger.publish("readings", TYPE, "for the hub");
  await eventually("the record", () => hub.payloads("readings").length === 1);
  assertEquals(hub.payloads("readings"), ["for the hub"]);
  assertEquals((await hub.audited("client_drain")).map(({ peer }) => peer), ["attic"]);
  // What it published meanwhile comes when it may connect again.
  await hub.write([{ name: "cellar" }, { name: "attic" }]);
  await hub.look();
  await eventually("the rest", () => hub.payloads("readings").length === 2);
  assertEquals(hub.payloads("readings"), ["for the hub", "not for the hub"]);
});

Deno.test("a peer that is added to the list may connect, without a restart", async () => {
  await using site = await Site.make();
  const hub = new FileHub(site);
  await hub.open();
  const attic = await dial(site, hub, "attic");
  await eventually("the refusal", () => stateOf(attic) === "rejected");
  await attic.messenger.publish("readings", TYPE, 1);
  await hub.write([{ name: "attic" }]);
  await hub.look();
  await eventually("the record", () => hub.payloads("readings").length === 1);
  assertEquals(hub.peers, ["attic"]);
});

Deno.test("a channel that is taken away stops at once, and goes on where it stopped when it is given back", async () => {
  await using site = await Site.make();
  const hub = new FileHub(site);
  const all = ["weather", "alarms"];
  await hub.open({ name: "attic", subscribe: all });
  const attic = await dial(site, hub, "attic", { subscribe: all });
  await eventually("the peer", () => hub.peers.length === 1);
  const publish = async (payload: unknown) => {
    for (const channel of all) await hub.messenger.publish(channel, TYPE, payload);
  };
  await publish(1);
  await eventually("the first", () => attic.payloads("alarms").length === 1);
  await hub.write([{ name: "attic", subscribe: ["weather"] }]);
  await hub.look();
  await publish(2);
  await eventually("the second", () => attic.payloads("weather").length === 2);
  await turn(20);
  assertEquals(attic.payloads("alarms"), [1]);
  await hub.write([{ name: "attic", subscribe: all }]);
  await hub.look();
  await publish(3);
  await eventually("the third", () => attic.payloads("alarms").length === 3);
  assertEquals([attic.payloads("alarms"), attic.payloads("weather")], [[1, 2, 3], [1, 2, 3]]);
  assertEquals(attic.messenger.stats().hubs![0]!.connections, 1);
});

Deno.test("what a peer may no longer publish is dropped and audited, and holds nothing up", async () => {
  await using site = await Site.make();
  const hub = new FileHub(site);
  await hub.open({ name: "attic" });
  const attic = await dial(site, hub, "attic");
  await attic.messenger.publish("readings", TYPE, 1);
  await eventually("the first", () => hub.payloads("readings").length === 1);
  await hub.write([{ name: "attic", publish: ["alarms"] }]);
  await hub.look();
  const { id } = await attic.messenger.publish("readings", TYPE, 2);
  await attic.messenger.publish("alarms", TYPE, 3);
  await eventually("the alarm", () => hub.payloads("alarms").length === 1);
  await eventually(
    "the acknowledgements",
    () => attic.messenger.stats().hubs![0]!.channels.every(({ lag }) => lag === 0),
  );
  assertEquals(hub.payloads("readings"), [1]);
  const [violation] = await hub.audited("policy_violation");
  assertEquals(
    [violation!.message_id, violation!.channel, violation!.peer],
    [id, "readings", "attic"],
  );
  assertMatch(String(violation!.peer_addr), /^127\.0\.0\.1:\d+$/);
});

Deno.test("every change is audited once, and a file that only looks different is none", async () => {
  await using site = await Site.make();
  const hub = new FileHub(site);
  await hub.open({ name: "attic" });
  await hub.look();
  await hub.write([{ name: "attic" }], { audit: { max_files: 3 } });
  await hub.look();
  assertEquals(await hub.audited("policy_reloaded").catch(() => []), []);
  await hub.write([{ name: "attic" }, { name: "cellar" }]);
  await hub.look();
  await hub.look();
  const events = await hub.audited("policy_reloaded");
  assertEquals(events.map(({ detail }) => detail), [hub.file]);
  assertEquals(hub.logger.matching("policy").length, 1);
});

Deno.test("a file that is invalid or gone changes nothing, is logged and audited once, and counts once it is right", async () => {
  await using site = await Site.make();
  const hub = new FileHub(site);
  await hub.open({ name: "attic" });
  await dial(site, hub, "attic");
  await eventually("the peer", () => hub.peers.length === 1);
  const spoil: readonly (() => Promise<void>)[] = [
    () => Deno.writeTextFile(hub.file, "hub: [unclosed"),
    () => Deno.writeTextFile(hub.file, ""),
    () => hub.write([{ name: "" }]),
    () => hub.write([{ name: "cellar" }], { unknown_key: true }),
    () => Deno.remove(hub.file),
  ];
  for (const [index, write] of spoil.entries()) {
    await write();
    await hub.look();
    await hub.look();
    await eventually(
      "the complaint",
      () => hub.logger.matching("hub policy stays").length === index + 1,
    );
    assertEquals((await hub.audited("policy_reload_failed")).length, index + 1);
    assertEquals(hub.peers, ["attic"]);
  }
  await hub.write([{ name: "cellar" }]);
  await hub.look();
  await eventually("the removal", () => hub.peers.length === 0);
});

Deno.test("only the list of peers is taken from the file: the rest waits for a restart", async () => {
  await using site = await Site.make();
  const hub = new FileHub(site);
  await hub.open({ name: "attic" });
  await hub.write([{ name: "cellar" }], { name: "other", storage: { data_dir: "/nowhere" } });
  await hub.look();
  await hub.logger.until("policy");
  assertEquals(hub.messenger.instanceName, "hub");
  await hub.messenger.publish("readings", TYPE, 1);
  assertEquals(hub.payloads("readings"), [1]);
});

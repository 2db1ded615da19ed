import { assertEquals, assertNotEquals } from "@std/assert";
import { connect } from "node:tls";
import { eventually } from "../helpers/eventually.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import { TestPki } from "../helpers/pki.ts";
import { QUICK, Site } from "../helpers/site.ts";
import type { TestMessenger } from "../helpers/test_messenger.ts";

const TYPE = "com.example.Reading";
const LOOK_MS = 10_000;
const DAY_MS = 86_400_000;

/** A hub and a client whose files the test replaces, each on a clock of its own. */
class Pair {
  readonly hubClock = new FakeClock(Date.now());
  readonly clientClock = new FakeClock(Date.now());
  readonly site: Site;
  hub!: TestMessenger;
  client!: TestMessenger;

  private constructor(site: Site) {
    this.site = site;
  }

  static async open(site: Site): Promise<Pair> {
    const pair = new Pair(site);
    pair.hub = await site.open("hub", {
      hub: { enabled: true, listenAddr: "127.0.0.1:0", allowedPeers: [{ name: "attic" }] },
    }, { clock: pair.hubClock });
    pair.client = await site.open("attic", {
      client: { enabled: true, hubs: [{ addr: pair.hub.messenger.hubAddr }] },
    }, { clock: pair.clientClock });
    await eventually("the connection", () => pair.state === "connected");
    return pair;
  }

  get state(): string {
    return this.client.messenger.stats().hubs![0]!.state;
  }

  get connections(): number {
    return this.client.messenger.stats().hubs![0]!.connections;
  }

  /** Lets one of them look at its files once. */
  async look(clock: FakeClock): Promise<void> {
    await clock.fire(LOOK_MS);
    await clock.untilTimer(LOOK_MS);
  }

  /** Publishes at the client and waits until the hub has it. */
  async exchange(payload: unknown): Promise<void> {
    await this.client.messenger.publish("readings", TYPE, payload);
    await eventually(
      `${payload} at the hub`,
      () => this.hub.payloads("readings").at(-1) === payload,
    );
  }
}

/** Fingerprint of the certificate that a hub shows. */
async function shownBy(hub: TestMessenger, site: Site): Promise<string> {
  const [host, port] = hub.messenger.hubAddr.split(":");
  const tls = await site.certificate("attic");
  const [cert, key] = await Promise.all([tls.cert, tls.key].map((path) => Deno.readTextFile(path)));
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const options = { host: host!, port: Number(port), cert: cert!, key: key!, ca: site.pki.caPem };
  const socket = connect(options, () => resolve(socket.getPeerCertificate().fingerprint256));
  socket.on("error", reject);
  try {
    return await promise;
  } finally {
    socket.destroy();
  }
}

Deno.test("a hub shows a new certificate to new connections, live ones go on", async () => {
  await using site = await Site.make();
  const pair = await Pair.open(site);
  const before = await shownBy(pair.hub, site);
  await site.pki.issue("hub");
  assertEquals(await shownBy(pair.hub, site), before);
  await pair.look(pair.hubClock);
  await pair.hub.logger.until("certificates reloaded");
  assertNotEquals(await shownBy(pair.hub, site), before);
  await pair.exchange(1);
  assertEquals(pair.connections, 1);
  await eventually("the audit", () => pair.hub.messenger.stats().audit!.queued === 0);
  const audit = await Deno.readTextFile(`${pair.hub.dataDir}/audit/audit.jsonl`);
  assertEquals(audit.split("\n").filter((line) => line.includes("tls_reloaded")).length, 1);
});

Deno.test("certificates that do not fit change nothing, are logged once and count once they do", async () => {
  await using site = await Site.make();
  const pair = await Pair.open(site);
  const before = await shownBy(pair.hub, site);
  const { cert, key } = await site.certificate("hub");
  const next = await site.pki.issue("hub", { file: "next" });
  await Deno.copyFile(next.cert, cert);
  await pair.look(pair.hubClock);
  await pair.look(pair.hubClock);
  await pair.hub.logger.until("certificates stay as they were");
  assertEquals(pair.hub.logger.matching("certificates stay as they were").length, 1);
  assertEquals(await shownBy(pair.hub, site), before);
  await Deno.copyFile(next.key, key);
  await pair.look(pair.hubClock);
  await pair.hub.logger.until("certificates reloaded");
  assertNotEquals(await shownBy(pair.hub, site), before);
});

Deno.test("all move to a new authority, one after the other, without a restart", async () => {
  await using site = await Site.make();
  const pair = await Pair.open(site);
  await pair.exchange("old");
  const { ca } = await site.certificate("hub");
  const next = await TestPki.make(site.path, "next-ca");
  // Both trust both, then each gets its new certificate.
  await Deno.writeTextFile(ca, site.pki.caPem + next.caPem);
  await pair.look(pair.hubClock);
  await pair.look(pair.clientClock);
  await pair.hub.logger.until("certificates reloaded", 1);
  await pair.client.logger.until("certificates reloaded", 1);
  await next.issue("hub");
  await next.issue("attic");
  await pair.look(pair.hubClock);
  await pair.look(pair.clientClock);
  await pair.hub.logger.until("certificates reloaded", 2);
  await pair.client.logger.until("certificates reloaded", 2);
  // Now only the new one is trusted.
  await Deno.writeTextFile(ca, next.caPem);
  await pair.look(pair.hubClock);
  await pair.look(pair.clientClock);
  await pair.hub.logger.until("certificates reloaded", 3);
  await pair.client.logger.until("certificates reloaded", 3);
  await pair.exchange("before the new connection");
  assertEquals(pair.connections, 1);
  const { hubAddr } = pair.hub.messenger;
  const allowedPeers = [{ name: "attic" }];
  await pair.hub.reopen({ hub: { enabled: true, listenAddr: hubAddr, allowedPeers } });
  await pair.client.messenger.publish("readings", TYPE, "new");
  await eventually("the end of the old link", () => pair.state === "backing_off");
  await pair.clientClock.advance(QUICK.reconnectMaxMs);
  await eventually("the new link", () => pair.connections === 2);
  await eventually("the record", () => pair.hub.payloads("readings").at(-1) === "new");
});

Deno.test("a certificate that expires soon is warned about at once and every day", async () => {
  await using site = await Site.make();
  const clock = new FakeClock(Date.now());
  await site.pki.issue("pi", { days: 10 });
  const tls = {
    cert: `${site.path}/pi.crt`,
    key: `${site.path}/pi.key`,
    ca: `${site.path}/ca.crt`,
  };
  const hub = { enabled: true, listenAddr: "127.0.0.1:0" };
  const pi = await site.open("pi", { tls, hub }, { clock });
  assertEquals(pi.logger.matching("expire").length, 1);
  await clock.fire(DAY_MS);
  await pi.logger.until("expire", 2);
});

import { assert, assertEquals } from "@std/assert";
import type { MessengerOptions } from "@keyop/messenger";
import {
  compress,
  encrypt,
  KeyRing,
  type Pipe,
  sign,
  type Signer,
  verify,
} from "@keyop/messenger/pipes";
import { eventually } from "../helpers/eventually.ts";
import { Inbox } from "../helpers/inbox.ts";
import { Site } from "../helpers/site.ts";
import { storedTexts, type TestMessenger } from "../helpers/test_messenger.ts";

const TYPE = "com.example.Reading";
const SECRET = new Uint8Array(32).fill(7);
const QUICKLY = { maxRetries: 0, retryBackoffBaseMs: 1, retryBackoffMaxMs: 1 };

function keyPair(): Promise<CryptoKeyPair> {
  return crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"]) as Promise<CryptoKeyPair>;
}

const attic = await keyPair();
const SIGNERS: Record<string, Signer> = {
  "attic-1": { publicKey: attic.publicKey, origins: ["attic"] },
};

/** Checked and unwrapped in this order on the way in, made in the other on the way out. */
function sealing(keys: KeyRing, privateKey?: CryptoKey): readonly Pipe[] {
  return [
    verify({ signers: SIGNERS }),
    ...(privateKey === undefined ? [] : [sign({ keyId: "attic-1", privateKey })]),
    encrypt({ keys }),
    compress(),
  ];
}

function ring(keys: Record<string, Uint8Array> = { "k-10": SECRET }, current = "k-10"): KeyRing {
  return new KeyRing({ keys, current });
}

/** A hub, one host that publishes readings to it, and one that takes them from it. */
async function openThree(
  site: Site,
  sender: MessengerOptions,
  receiver: MessengerOptions,
): Promise<{ hub: TestMessenger; attic: TestMessenger; cellar: TestMessenger }> {
  const hub = await site.openHub("hub", ["attic", "cellar"]);
  const addr = hub.messenger.hubAddr;
  const client = (hubs: object) => ({
    client: { enabled: true, hubs: [{ addr, ...hubs }] },
    subscribers: QUICKLY,
  });
  const options = { anyPayloadType: true };
  const opened = {
    hub,
    attic: await site.open("attic", client({ publish: ["readings"] }), { ...options, ...sender }),
    cellar: await site.open("cellar", client({ subscribe: ["readings"] }), {
      ...options,
      ...receiver,
    }),
  };
  // A subscriber that is new to a hub hears what the hub stores from then on.
  for (const { messenger } of [opened.attic, opened.cellar]) {
    await eventually("the link", () => messenger.stats().hubs![0]!.state === "connected");
  }
  return opened;
}

Deno.test("a message that is encrypted and signed on one host crosses a hub that cannot read it", async () => {
  await using site = await Site.make();
  const atticKeys = ring();
  const cellarKeys = ring();
  const { hub, attic: sender, cellar } = await openThree(
    site,
    { pipes: sealing(atticKeys, attic.privateKey) },
    { pipes: sealing(cellarKeys) },
  );
  const inbox = new Inbox();
  await cellar.messenger.subscribe("readings", "display", inbox.handler, { from: "start" });
  const long = { note: "the cellar door stands open; ".repeat(100) };
  const published = await sender.messenger.publish("readings", TYPE, { celsius: 21.5 });
  await sender.messenger.publish("readings", TYPE, long);
  await inbox.until(2);
  assertEquals(inbox.payloads, [{ celsius: 21.5 }, long]);
  assertEquals([inbox.calls[0]!.id, inbox.calls[0]!.origin], [published.id, "attic"]);
  // What the hub has stored and forwarded: whose it is and of what type, and nothing of what it says.
  const stored = storedTexts(hub.dataDir, "readings");
  assertEquals(stored.length, 2);
  for (const text of stored) {
    assert(!text.includes("celsius") && !text.includes("21.5") && !text.includes("cellar door"));
    assert(text.includes('"payload_type":"com.example.Reading"') && text.includes("attic-1"));
  }
  const layer = hub.payloads("readings")[0] as { $pipe: string; body: string };
  assertEquals(layer.$pipe, "sign");
  const sealed = JSON.parse(layer.body) as { $pipe: string; body: string };
  assertEquals(sealed.$pipe, "encrypt");
  const hex = Uint8Array.fromBase64(sealed.body).toHex();
  assert(!hex.includes(new TextEncoder().encode("celsius").toHex()));

  // The keys rotate while both run: first everybody knows the new one, then it is used.
  const recent = new Uint8Array(32).fill(9);
  cellarKeys.add("k-11", recent);
  atticKeys.add("k-11", recent);
  atticKeys.use("k-11");
  await sender.messenger.publish("readings", TYPE, "after");
  await inbox.until(3);
  assertEquals(inbox.payloads[2], "after");
  assert(storedTexts(hub.dataDir, "readings")[2]!.includes("k-11"));
  await eventually("the acknowledgement", () => cellar.lines("readings").length === 3);
  assertEquals(cellar.messenger.stats().subscribers[0]!.deadLettered, 0);
});

Deno.test("what the hub, or another host, has made up or changed is not believed", async () => {
  await using site = await Site.make();
  const { hub, attic: sender, cellar } = await openThree(
    site,
    { pipes: sealing(ring(), attic.privateKey) },
    { pipes: sealing(ring()) },
  );
  const inbox = new Inbox();
  await cellar.messenger.subscribe("readings", "display", inbox.handler, { from: "start" });
  await sender.messenger.publish("readings", TYPE, 1);
  await inbox.until(1);
  const [genuine] = hub.payloads("readings");
  const layer = genuine as { $pipe: string; header: Record<string, string>; body: string };
  const publish = (payload: unknown) => hub.messenger.publish("readings", TYPE, payload);
  await publish({ celsius: 99 });
  await publish(genuine);
  await publish({ ...layer, header: { ...layer.header, kid: "hub-1" } });
  await eventually("the dead letters", () => cellar.lines("readings.dead-letter").length === 3);
  const reasons = cellar.payloads("readings.dead-letter").map((letter) =>
    (letter as { last_error: string }).last_error
  );
  assertEquals(reasons, [
    'Do not trust "com.example.Reading" on "readings": it is not signed',
    // The genuine payload in another message: the hub is no instance that the key may sign for.
    'Do not trust "com.example.Reading" on "readings": the key "attic-1" may not sign for "hub"',
    'Cannot open "com.example.Reading" on "readings": the key "hub-1" is not known here',
  ]);
  assertEquals(inbox.payloads, [1]);
  // The letters hold what came, so that it can be looked at.
  const letter = cellar.payloads("readings.dead-letter")[1] as { original: { payload: unknown } };
  assertEquals(letter.original.payload, genuine);
});

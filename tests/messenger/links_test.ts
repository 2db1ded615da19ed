import { assert, assertEquals } from "@std/assert";
import { eventually } from "../helpers/eventually.ts";
import { FaultyFiles } from "../helpers/faulty_files.ts";
import { Site } from "../helpers/site.ts";
import { TestMessenger } from "../helpers/test_messenger.ts";

const TYPE = "com.example.Reading";

for (const syncPolicy of ["always", "periodic"] as const) {
  Deno.test(`a hub's place in a new channel is on the disk before its first record: ${syncPolicy}`, async () => {
    const files = new FaultyFiles();
    await using pi = await TestMessenger.open({
      storage: { syncPolicy },
      client: {
        enabled: true,
        hubs: [{ addr: "127.0.0.1:1" }, { addr: "127.0.0.1:2", publish: ["readings"] }],
      },
    }, { files });
    await Promise.all([
      pi.messenger.publish("readings", TYPE, 1),
      pi.messenger.publish("readings", TYPE, 2),
    ]);
    const made = (port: number) =>
      files.calls.findIndex(({ call, path }) =>
        call === "rename" && path.includes(`readings/fedout-`) && path.includes(`${port}.offset`)
      );
    const written = files.calls.findIndex(({ call, path }) =>
      call === "write" && path.includes("channels/readings")
    );
    for (const port of [1, 2]) {
      assert(made(port) >= 0 && made(port) < written, `${made(port)} of ${port}, ${written}`);
    }
    assertEquals(pi.payloads("readings"), [1, 2]);
  });
}

Deno.test("a hub's place in a channel that another peer brings is there before the first record", async () => {
  await using site = await Site.make();
  const files = new FaultyFiles();
  const allowedPeers = [{ name: "attic" }];
  const middle = await site.open("middle", {
    hub: { enabled: true, listenAddr: "127.0.0.1:0", allowedPeers },
    client: { enabled: true, hubs: [{ addr: "127.0.0.1:1" }] },
  }, { files });
  const attic = await site.open("attic", {
    client: { enabled: true, hubs: [{ addr: middle.messenger.hubAddr }] },
  });
  await attic.messenger.publish("readings", TYPE, 1);
  await eventually("the record", () => middle.payloads("readings").length === 1);
  const indexOf = (call: string, path: string) =>
    files.calls.findIndex((seen) => seen.call === call && seen.path.includes(path));
  const made = indexOf("rename", "readings/fedout-");
  assert(made >= 0 && made < indexOf("write", "channels/readings"));
});

for (const publish of [[], ["readings"]]) {
  Deno.test(`P2: however much a hub has stored since its restart, it knows what comes again: ${publish}`, async () => {
    await using site = await Site.make();
    const allowedPeers = [{ name: "attic", publish }];
    const hub = await site.open("hub", {
      hub: { enabled: true, listenAddr: "127.0.0.1:0", allowedPeers },
    });
    const { hubAddr } = hub.messenger;
    const proxy = site.proxy(hubAddr);
    const hubs = [{ addr: proxy.address, publish: ["readings"] }];
    const attic = await site.open("attic", { client: { enabled: true, hubs } });
    await eventually("the hub", () => attic.messenger.stats().hubs![0]!.state === "connected");
    // The acknowledgements do not come back.
    proxy.stall("down");
    for (let n = 0; n < 50; n++) await attic.messenger.publish("readings", TYPE, n);
    await eventually("the records", () => hub.lines("readings").length === 50);
    proxy.down();
    await hub.reopen({ hub: { enabled: true, listenAddr: hubAddr, allowedPeers } });
    const filler = "x".repeat(1024 * 1024);
    for (let n = 0; n < 12; n++) await hub.messenger.publish("readings", TYPE, filler);
    proxy.heal();
    await attic.messenger.publish("readings", TYPE, 50);
    await eventually("the last record", () => hub.payloads("readings").at(-1) === 50);
    assertEquals(
      hub.payloads("readings").filter((payload) => payload !== filler),
      Array.from({ length: 51 }, (_, n) => n),
    );
  });
}

import { assertEquals, assertGreater, assertStringIncludes } from "@std/assert";
// @ts-types="@types/ws"
import { WebSocket } from "ws";
import { Hub, HubClient, type HubOptions, type HubTarget } from "../../src/federation/mod.ts";
import { makeCa, type TestCa, type TestCredentials } from "../helpers/certs.ts";
import { turn } from "../helpers/fake_clock.ts";
import { anyPeer, Instance, messages, untilCount } from "../helpers/federation.ts";
import { startProxy } from "../helpers/proxy.ts";
import { until } from "../helpers/until.ts";

interface Certificates {
  readonly ca: TestCa;
  readonly hub: TestCredentials;
  readonly elsewhere: TestCredentials;
  readonly kitchen: TestCredentials;
  readonly stranger: TestCredentials;
  readonly foreign: TestCredentials;
}

let made: Promise<Certificates> | undefined;

function certificates(): Promise<Certificates> {
  return made ??= (async () => {
    const [ca, other] = [await makeCa(), await makeCa("other-ca")];
    return {
      ca,
      hub: await ca.issue("hub"),
      elsewhere: await ca.issue("elsewhere", { sans: ["DNS:elsewhere.test"] }),
      kitchen: await ca.issue("kitchen"),
      stranger: await ca.issue("stranger"),
      foreign: await other.issue("kitchen"),
    };
  })();
}

async function startHub(
  credentials: TestCredentials,
  options: Partial<HubOptions> = {},
): Promise<{ instance: Instance; hub: Hub }> {
  const instance = new Instance("hub");
  const hub = new Hub({
    context: instance.context,
    listenAddr: "127.0.0.1:0",
    allowedPeers: [anyPeer("kitchen")],
    credentials,
    ...options,
  });
  await hub.listen();
  return { instance, hub };
}

async function startClient(
  addr: string,
  credentials: TestCredentials | undefined,
  target: Partial<HubTarget> = {},
): Promise<{ instance: Instance; client: HubClient }> {
  const instance = new Instance(credentials?.commonName ?? "kitchen");
  const client = new HubClient({
    context: instance.context,
    hub: { addr, subscribe: [], publish: [], ...target },
    backoff: { baseMs: 20, maxMs: 50 },
    ...(credentials !== undefined && { credentials }),
  });
  await client.start();
  return { instance, client };
}

/** Connects with these certificates, and tells why that failed. */
async function reasonOfFailure(
  hubCredentials: TestCredentials,
  clientCredentials: TestCredentials | undefined,
  target: Partial<HubTarget> = {},
): Promise<string> {
  const { instance, hub } = await startHub(hubCredentials);
  const { client } = await startClient(hub.address, clientCredentials, target);
  await until("the failure", () => client.stats().reason !== "");
  const { reason, connections } = client.stats();
  assertEquals(connections, 0);
  assertEquals(instance.logs.names(), []);
  await client.close();
  await hub.close();
  return reason;
}

Deno.test("records travel both ways over mutual TLS, and the names are those of the certificates", async () => {
  const { hub: hubCredentials, kitchen } = await certificates();
  const { instance: hubSide, hub } = await startHub(hubCredentials);
  const { instance, client } = await startClient(hub.address, kitchen, { subscribe: ["down"] });
  await until("connected", () => hub.stats().peers[0]?.channels.length === 1);
  await until("connected", () => client.stats().state === "connected");
  assertEquals(hub.stats().peers[0]!.name, "kitchen");
  assertEquals(client.stats().name, "hub");
  await instance.publishAll("up", Array.from({ length: 2_000 }, (_, n) => n));
  await hubSide.publishAll("down", Array.from({ length: 2_000 }, (_, n) => n));
  await untilCount(hubSide, "up", 2_000);
  await untilCount(instance, "down", 2_000);
  assertEquals(instance.payloads("down"), Array.from({ length: 2_000 }, (_, n) => n));
  assertEquals(hubSide.routes("up")[0], "kitchen>hub");
  assertEquals(instance.routes("down")[0], "hub>kitchen");
  await client.close();
  await hub.close();
});

Deno.test("a large record travels whole", async () => {
  const { hub: hubCredentials, kitchen } = await certificates();
  const { instance: hubSide, hub } = await startHub(hubCredentials);
  const { instance, client } = await startClient(hub.address, kitchen);
  const large = "x".repeat(9 * 1024 * 1024);
  await instance.publish("c", large);
  await instance.publish("c", "next");
  await untilCount(hubSide, "c", 2);
  assertEquals(hubSide.payloads("c"), [large, "next"]);
  await client.close();
  await hub.close();
});

Deno.test("a client without a certificate is refused, and told why", async () => {
  const { hub, kitchen } = await certificates();
  const { hub: server } = await startHub(hub);
  const socket = new WebSocket(`wss://${server.address}`, { ca: kitchen.ca });
  const reason = await new Promise<Error>((resolve) => socket.on("error", resolve));
  assertStringIncludes(reason.message, "CertificateRequired");
  await server.close();
});

Deno.test("a client of another CA is refused, and the hub of another CA as well", async () => {
  const { ca, hub, foreign, kitchen } = await certificates();
  assertStringIncludes(await reasonOfFailure(hub, foreign), "not from our CA");
  assertStringIncludes(
    await reasonOfFailure(hub, { ...foreign, ca: ca.cert }),
    "the hub may have refused our certificate",
  );
  assertStringIncludes(await reasonOfFailure(foreign, kitchen), "not from our CA");
});

Deno.test("a hub whose certificate is for another host is refused, with what to do", async () => {
  const { elsewhere, kitchen } = await certificates();
  assertStringIncludes(await reasonOfFailure(elsewhere, kitchen), "client.hubs[].name");
});

Deno.test("a hub that is configured by name may be at any address, if it is the one", async () => {
  const { elsewhere, hub, kitchen } = await certificates();
  assertStringIncludes(
    await reasonOfFailure(hub, kitchen, { name: "elsewhere" }),
    'the hub\'s certificate is of "hub", not of "elsewhere"',
  );
  const { hub: server } = await startHub(elsewhere);
  const { client } = await startClient(server.address, kitchen, { name: "elsewhere" });
  await until("connected", () => client.stats().state === "connected");
  assertEquals(client.stats().name, "elsewhere");
  await client.close();
  await server.close();
});

Deno.test("a peer with a good certificate that is not on the list is refused with 4403", async () => {
  const { hub, stranger } = await certificates();
  const { instance, hub: server } = await startHub(hub);
  const { client } = await startClient(server.address, stranger, { subscribe: ["c"] });
  await until("rejected", () => client.stats().state === "rejected");
  assertStringIncludes(client.stats().reason, "not in allowlist");
  assertEquals(instance.audited("client_rejected")[0]!.peer, "stranger");
  assertEquals(instance.logs.names(), []);
  await client.close();
  await server.close();
});

Deno.test("a hub takes on a new CA for new connections while live ones stay", async () => {
  const { hub, kitchen } = await certificates();
  const next = await makeCa("next-ca");
  const { hub: server } = await startHub(hub);
  const { client } = await startClient(server.address, kitchen);
  await until("connected", () => client.stats().state === "connected");
  server.updateCredentials(await next.issue("hub"));
  const other = await startClient(server.address, await next.issue("kitchen"));
  await until("replaced", () => other.client.stats().state === "connected");
  await until("refused", () => client.stats().reason.includes("not from our CA"));
  client.updateCredentials(await next.issue("kitchen"));
  await until("connected again", () => client.stats().state === "connected");
  await Promise.all([client.close(), other.client.close()]);
  await server.close();
});

Deno.test("a hub with an authority that has expired takes nobody", async () => {
  const { hub, kitchen } = await certificates();
  const { hub: server } = await startHub({ ...hub, caNotAfter: new Date(0) } as TestCredentials);
  const { client } = await startClient(server.address, kitchen);
  await until("the failure", () => client.stats().reason !== "");
  assertEquals(client.stats().connections, 0);
  client.updateCredentials({ ...kitchen, caNotAfter: new Date(0) });
  await until("its own", () => client.stats().reason.includes("CA's certificate has expired"));
  await client.close();
  await server.close();
});

Deno.test("a link that breaks is made again, and nothing is lost or repeated", async () => {
  const { hub: hubCredentials, kitchen } = await certificates();
  const { instance: hubSide, hub } = await startHub(hubCredentials);
  const proxy = startProxy(hub.address);
  const { instance, client } = await startClient(proxy.address, kitchen, { subscribe: ["down"] });
  await until("connected", () => hub.stats().peers[0]?.channels.length === 1);
  await until("connected", () => client.stats().state === "connected");
  const count = 3_000;
  for (let n = 0; n < count; n++) {
    await instance.publish("up", n);
    await hubSide.publish("down", n);
    if (n % 10 === 0) await turn(1);
    if (n % 500 !== 250) continue;
    await until("connected", () => client.stats().state === "connected");
    proxy.cut();
    await until("lost", () => client.stats().state !== "connected");
  }
  await untilCount(hubSide, "up", count);
  await untilCount(instance, "down", count);
  await until("acknowledged", () => client.stats().channels.every(({ lag }) => lag === 0));
  const expected = Array.from({ length: count }, (_, n) => n);
  assertEquals(hubSide.payloads("up"), expected);
  assertEquals(instance.payloads("down"), expected);
  assertGreater(client.stats().connections, 5);
  await client.close();
  await hub.close();
  await proxy.close();
});

Deno.test("both directions at full load do not hold each other up", async () => {
  const { hub: hubCredentials, kitchen } = await certificates();
  const { instance: hubSide, hub } = await startHub(hubCredentials);
  const { instance, client } = await startClient(hub.address, kitchen, { subscribe: ["down"] });
  await until("connected", () => hub.stats().peers[0]?.channels.length === 1);
  const payload = "x".repeat(2_000);
  const count = 10_000;
  await Promise.all([
    instance.publishAll("up", Array(count).fill(payload)),
    hubSide.publishAll("down", Array(count).fill(payload)),
  ]);
  await untilCount(hubSide, "up", count);
  await untilCount(instance, "down", count);
  await until("acknowledged", () => client.stats().channels.every(({ lag }) => lag === 0));
  assertEquals(hubSide.count("up") + instance.count("down"), 2 * count);
  await client.close();
  await hub.close();
});

Deno.test("plain links work on loopback without certificates", async () => {
  const instance = new Instance("hub");
  const hub = new Hub({
    context: instance.context,
    listenAddr: "127.0.0.1:0",
    allowedPeers: [anyPeer("kitchen")],
  });
  await hub.listen();
  assertEquals(messages(instance, "warn"), ["hub listens without TLS"]);
  const { instance: kitchen, client } = await startClient(hub.address, undefined);
  await kitchen.publish("c", 1);
  await untilCount(instance, "c", 1);
  assertEquals(hub.stats().peers[0]!.name, "kitchen");
  await client.close();
  await hub.close();
});

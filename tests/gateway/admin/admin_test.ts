import { assert, assertEquals, assertRejects } from "@std/assert";
import { fromBinary, fromJson, type JsonObject, toBinary, toJson } from "@bufbuild/protobuf";
import { Buffer } from "node:buffer";
import { Client, credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { Gateway, type GatewayConfig } from "../../../gateway.ts";
import { ANY_TYPES } from "../../../src/gateway/codec/mod.ts";
import { server } from "../../../src/gateway/proto/mod.ts";
import { dataOf, type Json, TestClient } from "../helpers/client.ts";

const TOKEN = "a token of the admin's";

/** A gateway with its admin API. */
async function gatewayWith(more: GatewayConfig = {}): Promise<
  AsyncDisposable & { readonly url: string; readonly gateway: Gateway; readonly admin: AdminClient }
> {
  const gateway = await Gateway.open({
    ...more,
    server: { requireAuth: false, http: { enabled: false } },
    transport: { websocket: { addr: "127.0.0.1:0" }, grpc: { addr: "127.0.0.1:0" } },
    admin: { addr: "127.0.0.1:0", authToken: TOKEN, ...more.admin },
  });
  const admin = new AdminClient(gateway.addresses.admin!, `Bearer ${TOKEN}`);
  return {
    gateway,
    admin,
    url: `ws://${gateway.addresses.websocket}/ws`,
    async [Symbol.asyncDispose]() {
      admin.close();
      await gateway.close();
    },
  };
}

/** Calls the admin API with messages as protobuf JSON. */
class AdminClient {
  readonly #client: Client;
  readonly #authorization: string | undefined;

  constructor(address: string, authorization: string | undefined) {
    this.#authorization = authorization;
    this.#client = new Client(address, credentials.createInsecure(), {
      "grpc.use_local_subchannel_pool": 1,
    });
  }

  call(name: string, request: Json): Promise<Json> {
    const method = server.APIService.methods.find((each) => each.name === name)!;
    const metadata = new Metadata();
    if (this.#authorization !== undefined) metadata.set("authorization", this.#authorization);
    const message = fromJson(method.input, request as JsonObject, { registry: ANY_TYPES });
    return new Promise((resolve, reject) =>
      this.#client.makeUnaryRequest(
        `/messageloop.server.v1.APIService/${name}`,
        (bytes: Buffer) => bytes,
        (bytes: Buffer) => bytes,
        Buffer.from(toBinary(method.input, message)),
        metadata,
        (error, bytes) => {
          if (error) return reject(error);
          resolve(
            toJson(method.output, fromBinary(method.output, bytes!), {
              useProtoFieldName: true,
              registry: ANY_TYPES,
            }),
          );
        },
      )
    );
  }

  async fails(name: string, request: Json): Promise<string> {
    const error = await assertRejects(() => this.call(name, request)) as ServiceError;
    return status[error.code]!;
  }

  close(): void {
    this.#client.close();
  }
}

const event = {
  id: "e1",
  source: "admin",
  type: "notice",
  attributes: {
    datacontenttype: { ce_string: "text/plain" },
    subject: { ce_string: "s" },
  },
  text_data: "hello",
};

const CALLS = [
  "Publish",
  "Disconnect",
  "Subscribe",
  "Unsubscribe",
  "Survey",
  "GetChannels",
  "GetPresence",
  "GetHistory",
];

for (const name of CALLS) {
  Deno.test(`${name} is refused without the token, with another one and with half of it`, async () => {
    await using gateway = await gatewayWith();
    const address = gateway.gateway.addresses.admin!;
    for (const given of [undefined, "", TOKEN, "Bearer", `Bearer ${TOKEN}x`, `Basic ${TOKEN}`]) {
      const admin = new AdminClient(address, given);
      assertEquals(await admin.fails(name, {}), "UNAUTHENTICATED", String(given));
      admin.close();
    }
  });
}

Deno.test("the name of the scheme has no case", async () => {
  await using gateway = await gatewayWith();
  const admin = new AdminClient(gateway.gateway.addresses.admin!, `bearer ${TOKEN}`);
  assertEquals(await admin.call("GetChannels", {}), {});
  admin.close();
});

Deno.test("the clients' port has no admin API unless it is shared, and then needs the token", async () => {
  await using apart = await gatewayWith();
  const foreign = new AdminClient(apart.gateway.addresses.grpc!, `Bearer ${TOKEN}`);
  assertEquals(await foreign.fails("GetChannels", {}), "UNIMPLEMENTED");
  foreign.close();
  await using shared = await gatewayWith({ admin: { shareClientPort: true } });
  const without = new AdminClient(shared.gateway.addresses.grpc!, undefined);
  assertEquals(await without.fails("GetChannels", {}), "UNAUTHENTICATED");
  without.close();
  const admin = new AdminClient(shared.gateway.addresses.grpc!, `Bearer ${TOKEN}`);
  assertEquals(await admin.call("GetChannels", {}), {});
  admin.close();
});

Deno.test("Publish reaches channels as any publication does, with type, id and content type", async () => {
  await using gateway = await gatewayWith();
  await using client = await TestClient.connected(gateway.url);
  await client.subscribe("room");
  assertEquals(
    await gateway.admin.call("Publish", {
      publications: [{ id: "p1", destination: { channels: ["room"] }, payload: event }],
    }),
    {},
  );
  const [message] = (await client.next()).publication.messages;
  assertEquals([message.channel, message.payload.id, message.payload.type], [
    "room",
    "e1",
    "notice",
  ]);
  assertEquals(message.payload.attributes.datacontenttype, { ce_string: "text/plain" });
  assertEquals(message.payload.attributes.subject, { ce_string: "s" });
  assertEquals(dataOf(message), "hello");
});

Deno.test("Publish reaches sessions with the publication's id and no channel, and passes over unknown ones", async () => {
  await using gateway = await gatewayWith();
  await using client = await TestClient.connected(gateway.url);
  await gateway.admin.call("Publish", {
    publications: [{
      id: "p1",
      destination: { sessions: ["nobody", client.sessionId] },
      payload: event,
    }],
  });
  const [message] = (await client.next()).publication.messages;
  assertEquals([message.id, message.channel ?? "", dataOf(message)], ["p1", "", "hello"]);
  assertEquals(
    await gateway.admin.call("Publish", {
      publications: [{ destination: { sessions: ["nobody"] }, payload: event }],
    }),
    {},
  );
});

Deno.test("Publish keeps history only with add_history", async () => {
  await using gateway = await gatewayWith();
  const publish = (addHistory: boolean, id: string) =>
    gateway.admin.call("Publish", {
      publications: [{
        destination: { channels: ["room"] },
        options: { add_history: addHistory },
        payload: { ...event, id },
      }],
    });
  await publish(false, "lost");
  await publish(true, "kept");
  const { publications, top_offset } = await gateway.admin.call("GetHistory", { channel: "room" });
  assertEquals(publications.map(({ payload }: Json) => payload.id), ["kept"]);
  assertEquals(top_offset, "1");
});

Deno.test("Publish refuses a publication without destination, and then publishes nothing", async () => {
  await using gateway = await gatewayWith();
  await using client = await TestClient.connected(gateway.url);
  await client.subscribe("room");
  const good = { destination: { channels: ["room"] }, payload: event };
  assertEquals(
    await gateway.admin.fails("Publish", { publications: [good, { payload: event }] }),
    "INVALID_ARGUMENT",
  );
  assertEquals(await client.settle(), []);
});

Deno.test("Publish tells when every delivery failed, and not when one succeeded", async () => {
  await using gateway = await gatewayWith();
  const to = (...channels: string[]) => ({
    publications: [{ destination: { channels }, payload: event }],
  });
  assertEquals(await gateway.admin.fails("Publish", to("a..b")), "INVALID_ARGUMENT");
  assertEquals(await gateway.admin.call("Publish", to("a..b", "room")), {});
});

Deno.test("Publish without a payload delivers an empty one", async () => {
  await using gateway = await gatewayWith();
  await using client = await TestClient.connected(gateway.url);
  await client.subscribe("room");
  await gateway.admin.call("Publish", { publications: [{ destination: { channels: ["room"] } }] });
  const [message] = (await client.next()).publication.messages;
  assertEquals(message.payload.type, "room.message");
});

Deno.test("Disconnect tells for each session whether it was there, and closes with code and reason", async () => {
  await using gateway = await gatewayWith();
  await using client = await TestClient.connected(gateway.url);
  assertEquals(
    await gateway.admin.call("Disconnect", {
      sessions: [client.sessionId, "nobody"],
      code: 4001,
      reason: "go away",
    }),
    { results: { [client.sessionId]: true, nobody: false } },
  );
  assertEquals(await client.ended, { code: 4001, reason: "go away" });
});

// code, what becomes of it
const CODES: readonly (readonly [number, string])[] = [
  [0, "3000 connection closed"],
  [3000, "3000 connection closed"],
  [3503, "3503 force disconnect"],
  [4999, "4999 disconnected"],
  [2999, "INVALID_ARGUMENT"],
  [5000, "INVALID_ARGUMENT"],
  [1000, "INVALID_ARGUMENT"],
];

for (const [code, outcome] of CODES) {
  Deno.test(`Disconnect with code ${code} is ${outcome}`, async () => {
    await using gateway = await gatewayWith();
    await using client = await TestClient.connected(gateway.url);
    const request = { sessions: [client.sessionId], code };
    if (outcome === "INVALID_ARGUMENT") {
      assertEquals(await gateway.admin.fails("Disconnect", request), outcome);
      return;
    }
    await gateway.admin.call("Disconnect", request);
    const { code: ended, reason } = await client.ended;
    assertEquals(`${ended} ${reason}`, outcome);
  });
}

Deno.test("Subscribe is true for each channel of a session, false for an unknown one, and tells no client", async () => {
  await using gateway = await gatewayWith();
  await using client = await TestClient.connected(gateway.url);
  assertEquals(
    await gateway.admin.call("Subscribe", {
      session_id: client.sessionId,
      channels: ["a", "b", "c..d"],
    }),
    { results: { a: true, b: true, "c..d": false } },
  );
  assertEquals(
    await gateway.admin.call("Subscribe", { session_id: "nobody", channels: ["a"] }),
    { results: { a: false } },
  );
  assertEquals(await client.settle(), []);
  await gateway.admin.call("Publish", {
    publications: [{ destination: { channels: ["b"] }, payload: event }],
  });
  assertEquals((await client.next()).publication.messages[0].channel, "b");
});

Deno.test("Subscribe tells the client with admin.notify_client, in a frame of its own", async () => {
  await using gateway = await gatewayWith({ admin: { notifyClient: true } });
  await using client = await TestClient.connected(gateway.url);
  await gateway.admin.call("Subscribe", { session_id: client.sessionId, channels: ["a"] });
  const { id, subscribe_ack } = await client.next();
  assert(id.length > 0);
  assertEquals(subscribe_ack, { subscriptions: [{ channel: "a" }] });
});

Deno.test("Subscribe obeys the limit of the connection", async () => {
  await using gateway = await gatewayWith({ limits: { connection: { subscriptions: 1 } } });
  await using client = await TestClient.connected(gateway.url);
  assertEquals(
    await gateway.admin.call("Subscribe", { session_id: client.sessionId, channels: ["a", "b"] }),
    { results: { a: true, b: false } },
  );
});

Deno.test("Unsubscribe is true for what is gone or was never there, and false for an unknown session", async () => {
  await using gateway = await gatewayWith();
  await using client = await TestClient.connected(gateway.url);
  await client.subscribe("a");
  assertEquals(
    await gateway.admin.call("Unsubscribe", {
      session_id: client.sessionId,
      channels: ["a", "never"],
    }),
    { results: { a: true, never: true } },
  );
  assertEquals(
    await gateway.admin.call("Unsubscribe", { session_id: "nobody", channels: ["a"] }),
    { results: { a: false } },
  );
  await client.publish("a", "x");
  assertEquals(await client.settle(), []);
});

Deno.test("Survey gathers the answers of all subscribers, with request id, payload and error", async () => {
  await using gateway = await gatewayWith();
  await using one = await TestClient.connected(gateway.url);
  await using two = await TestClient.connected(gateway.url, {}, { codec: "proto" });
  for (const client of [one, two]) await client.subscribe("room");
  const asking = gateway.admin.call("Survey", {
    request_id: "r1",
    channel: "room",
    payload: event,
  });
  const asked = (await one.next()).survey_request;
  assertEquals(asked.payload.type, "com.messageloop.survey");
  one.send({
    id: "1",
    survey_response: { request_id: asked.request_id, payload: { type: "a", text_data: "yes" } },
  });
  const { request_id } = (await two.next()).survey_request;
  two.send({
    id: "2",
    survey_response: { request_id, error: { code: "NO", type: "mine", message: "not now" } },
  });
  const { request_id: echoed, results } = await asking;
  assertEquals(echoed, "r1");
  const byId = new Map<string, Json>(results.map((result: Json) => [result.session_id, result]));
  assertEquals(dataOf(byId.get(one.sessionId)), "yes");
  assertEquals(byId.get(two.sessionId).error, { code: "NO", type: "mine", message: "not now" });
});

Deno.test("Survey of nobody is empty at once and makes up its id", async () => {
  await using gateway = await gatewayWith();
  const { request_id, results } = await gateway.admin.call("Survey", { channel: "room" });
  assert(request_id.length > 0);
  assertEquals(results, undefined);
});

Deno.test("Survey leaves out who does not answer in time", async () => {
  await using gateway = await gatewayWith();
  await using client = await TestClient.connected(gateway.url);
  await client.subscribe("room");
  const answer = await gateway.admin.call("Survey", { channel: "room", timeout_ms: 50 });
  assertEquals(answer.results, undefined);
});

Deno.test("Survey refuses a pattern and a negative time", async () => {
  await using gateway = await gatewayWith();
  assertEquals(await gateway.admin.fails("Survey", { channel: "a.*" }), "INVALID_ARGUMENT");
  assertEquals(
    await gateway.admin.fails("Survey", { channel: "a", timeout_ms: -1 }),
    "INVALID_ARGUMENT",
  );
});

Deno.test("GetChannels, GetPresence and GetHistory tell what there is", async () => {
  await using gateway = await gatewayWith();
  await using client = await TestClient.connected(gateway.url, { client_id: "c" });
  await client.subscribe("room");
  for (const text of ["one", "two", "three"]) await client.publish("room", text);
  assertEquals(await gateway.admin.call("GetChannels", {}), { channels: ["room"] });
  const { occupancy, members } = await gateway.admin.call("GetPresence", { channel: "room" });
  assertEquals(occupancy, "1");
  assertEquals([members[0].session_id, members[0].client_id], [client.sessionId, "c"]);
  assert(Number(members[0].connected_at) > 0);

  const all = await gateway.admin.call("GetHistory", { channel: "room" });
  assertEquals(all.publications.map(dataOf), ["one", "two", "three"]);
  assertEquals([all.top_offset, all.gap ?? false], ["3", false]);
  const since = await gateway.admin.call("GetHistory", {
    channel: "room",
    since_offset: "1",
    since_epoch: all.epoch,
    limit: 1,
  });
  assertEquals(since.publications.map(dataOf), ["two"]);
  const back = await gateway.admin.call("GetHistory", { channel: "room", reverse: true, limit: 2 });
  assertEquals(back.publications.map(dataOf), ["three", "two"]);
  const other = await gateway.admin.call("GetHistory", {
    channel: "room",
    since_offset: "1",
    since_epoch: "another life",
  });
  assertEquals(other.gap, true);
  assertEquals(await gateway.admin.fails("GetHistory", { channel: "" }), "INVALID_ARGUMENT");
});

Deno.test("requests that cannot be decoded, are too long or ask for nothing known are refused by status", async () => {
  await using gateway = await gatewayWith();
  const client = new Client(gateway.gateway.addresses.admin!, credentials.createInsecure(), {
    "grpc.max_send_message_length": -1,
  });
  const metadata = new Metadata();
  metadata.set("authorization", `Bearer ${TOKEN}`);
  const statusOf = (name: string, bytes: Uint8Array): Promise<string> =>
    new Promise((resolve) =>
      client.makeUnaryRequest(
        `/messageloop.server.v1.APIService/${name}`,
        (each: Buffer) => each,
        (each: Buffer) => each,
        Buffer.from(bytes),
        metadata,
        (error) => resolve(status[error?.code ?? 0]!),
      )
    );
  assertEquals(await statusOf("Publish", new Uint8Array([0xff, 0xff])), "INVALID_ARGUMENT");
  assertEquals(await statusOf("Publish", new Uint8Array(5_000_000)), "RESOURCE_EXHAUSTED");
  assertEquals(await statusOf("Shutdown", new Uint8Array()), "UNIMPLEMENTED");
  assertEquals(await statusOf("GetChannels", new Uint8Array()), "OK");
  client.close();
});

import { assert, assertEquals } from "@std/assert";
import { dataOf, TestClient } from "../helpers/client.ts";
import { testGateway } from "../helpers/gateway.ts";

for (const codec of ["json", "proto"] as const) {
  Deno.test(`a client connects, subscribes, publishes and gets its publication in ${codec}`, async () => {
    await using gateway = await testGateway();
    await using client = await TestClient.open(gateway.url, { codec });
    client.send({ id: "1", metadata: { a: "b" }, connect: { client_id: "c" } });
    const connected = await client.next();
    assertEquals(connected.id, "1");
    assertEquals(connected.metadata, { a: "b" });
    assert(Math.abs(Number(connected.time) - Date.now()) < 60_000);
    assert(connected.connected.session_id.length > 0);
    assertEquals((await client.subscribe("room")).subscribe_ack, {
      subscriptions: [{ channel: "room" }],
    });
    client.send({
      id: "2",
      channel: "room",
      publish: { id: "e", source: "here", type: "greeting", text_data: "hello" },
    });
    const first = await client.next();
    const second = await client.next();
    const publication = [first, second].find((frame) => frame.publication)!;
    const ack = [first, second].find((frame) => frame.publish_ack)!;
    assertEquals(ack.id, "2");
    assertEquals(ack.publish_ack, { offset: "1" });
    const [message] = publication.publication.messages;
    assertEquals(message.channel, "room");
    assertEquals(message.offset, "1");
    assertEquals(dataOf(message), "hello");
    assert(client.binary.every((binary) => binary === (codec === "proto")));
  });
}

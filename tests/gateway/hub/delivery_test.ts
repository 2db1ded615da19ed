import { assert, assertEquals } from "@std/assert";
import { type Codec, jsonCodec, protoCodec } from "../../../src/gateway/codec/mod.ts";
import { makeEvent } from "../../../src/gateway/event.ts";
import type { ClientTransport, Frame } from "../../../src/gateway/session/mod.ts";
import { testGateway } from "../helpers/gateway.ts";

/** A way to a client that keeps what goes over it, and says when there is room. */
class KeepingTransport implements ClientTransport {
  readonly kind = "websocket";
  readonly remoteAddress = "test";
  readonly frames: Frame[] = [];
  readonly room: PromiseWithResolvers<void>[] = [];
  isSlow = false;
  closed = 0;

  send(frame: Frame): void | Promise<void> {
    this.frames.push(frame);
    if (!this.isSlow) return;
    const waiting = Promise.withResolvers<void>();
    this.room.push(waiting);
    return waiting.promise;
  }

  close(): void {
    this.closed++;
  }
}

const CONNECT = `{"connect":{"subscriptions":[{"channel":"room"}]}}`;
// {connect: {subscriptions: [{channel: "room"}]}}
const CONNECT_PROTO = new Uint8Array([0x5a, 8, 0x2a, 6, 0x0a, 4, 0x72, 0x6f, 0x6f, 0x6d]);

Deno.test("each message is encoded once for each codec, and everybody gets the same bytes", async () => {
  await using gateway = await testGateway();
  const counts = { json: 0, proto: 0 };
  const counting = (codec: Codec): Codec => ({
    ...codec,
    encodePublications(...args) {
      counts[codec.name]++;
      return codec.encodePublications(...args);
    },
  });
  const codecs = [counting(jsonCodec), counting(protoCodec)];
  const transports = await Promise.all(
    Array.from({ length: 50 }, async (_, n) => {
      const transport = new KeepingTransport();
      const codec = codecs[n % 2]!;
      const session = gateway.hub.accept(transport, codec);
      session.receive(codec.isText ? CONNECT : CONNECT_PROTO);
      while (session.state !== "connected") await Promise.resolve();
      return transport;
    }),
  );
  for (let n = 0; n < 3; n++) await gateway.hub.broker.publish("room", makeEvent({ type: "t" }));
  assertEquals(counts, { json: 3, proto: 3 });
  for (const parity of [0, 1]) {
    const [first, ...others] = transports.filter((_, n) => n % 2 === parity);
    assertEquals(first!.frames.length, 4);
    for (const { frames } of others) {
      assert(frames.slice(1).every((frame, n) => frame === first!.frames[n + 1]));
    }
  }
});

Deno.test("one frame at a time: what waits is sent in order as soon as there is room", async () => {
  await using gateway = await testGateway();
  const transport = new KeepingTransport();
  const session = gateway.hub.accept(transport, jsonCodec);
  session.receive(CONNECT);
  while (session.state !== "connected") await Promise.resolve();
  transport.isSlow = true;
  for (let n = 0; n < 10; n++) await gateway.hub.broker.publish("room", makeEvent({ type: "t" }));
  assertEquals([transport.frames.length, session.pending.frames], [2, 9]);
  for (let n = 0; n < 10; n++) {
    transport.room[n]!.resolve();
    for (let turns = 0; turns < 5; turns++) await Promise.resolve();
    assertEquals(transport.frames.length, Math.min(11, n + 3));
  }
  const offsets = transport.frames.slice(1).map(({ bytes }) =>
    Number(JSON.parse(new TextDecoder().decode(bytes)).publication.messages[0].offset)
  );
  assertEquals(offsets, Array.from({ length: 10 }, (_, n) => n + 1));
});

Deno.test("however often a session ends, its transport is closed once", async () => {
  await using gateway = await testGateway();
  const transport = new KeepingTransport();
  const session = gateway.hub.accept(transport, jsonCodec);
  session.receive(`{"publish":{}}`);
  session.receive(`{"connect":{}}`);
  gateway.hub.close();
  session.transportClosed();
  assertEquals([transport.closed, transport.frames.length], [1, 0]);
});

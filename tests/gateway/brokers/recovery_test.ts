import { Messenger, silentLogger } from "@keyop/messenger";
import { assertEquals } from "@std/assert";
import { type Broker, MemoryBroker, MessengerBroker } from "../../../src/gateway/broker/mod.ts";
import { hasRedisServer } from "../../helpers/redis_server.ts";
import { tempDir } from "../../helpers/temp.ts";
import { dataOf, type Json, messagesOf, TestClient } from "../helpers/client.ts";
import { testGateway } from "../helpers/gateway.ts";
import { RedisBed } from "./redis_bed.ts";

interface Kind {
  readonly name: string;
  readonly ignore: boolean;
  /** Makes a broker, and what ends what it stands on. */
  make(): Promise<{ broker: Broker } & AsyncDisposable>;
}

const KINDS: readonly Kind[] = [
  {
    name: "memory",
    ignore: false,
    make: () =>
      Promise.resolve({
        broker: new MemoryBroker({ historySize: 5_000 }),
        async [Symbol.asyncDispose]() {},
      }),
  },
  {
    name: "redis",
    ignore: !hasRedisServer,
    async make() {
      const bed = await RedisBed.start();
      return { broker: bed.make(), [Symbol.asyncDispose]: () => bed[Symbol.asyncDispose]() };
    },
  },
  {
    name: "messenger",
    ignore: false,
    async make() {
      const dir = await tempDir();
      const config = { name: "pi", storage: { dataDir: dir.path } };
      const messenger = await Messenger.open(config, { logger: silentLogger });
      return {
        broker: new MessengerBroker(messenger),
        async [Symbol.asyncDispose]() {
          await messenger.close();
          await dir[Symbol.asyncDispose]();
        },
      };
    },
  },
];

const RECOVER = { "keyop-recover": "1" };

/** Reads publications until one has that text, which is given with all before it. */
async function readUntil(client: TestClient, last: string, frames: Json[]): Promise<string[]> {
  const texts = () => messagesOf(frames).map(dataOf);
  while (!texts().includes(last)) frames.push(await client.next());
  return texts();
}

for (const { name, ignore, make } of KINDS) {
  Deno.test({
    name:
      `${name}: a client that comes back gets what it missed, once and in order, and goes on live`,
    ignore,
    async fn() {
      await using made = await make();
      await using gateway = await testGateway({ broker: made.broker });
      await using publisher = await TestClient.connected(gateway.url);
      const publish = async (from: number, to: number) => {
        for (let n = from; n < to; n++) await publisher.publish("a", String(n));
      };
      const seen: Json[] = [];
      {
        await using client = await TestClient.connected(gateway.url, {}, { metadata: RECOVER });
        await client.subscribe("a");
        await publish(0, 20);
        await readUntil(client, "19", seen);
      }
      await publish(20, 320);
      const { offset } = messagesOf(seen).at(-1);
      const { epoch } = await made.broker.position("a");
      const metadata = { ...RECOVER, "keyop-since.a": `${epoch}:${offset}` };
      await using client = await TestClient.connected(gateway.url, {}, { metadata: RECOVER });
      const publishing = publish(320, 600);
      const answer = await client.ask({
        id: "again",
        metadata,
        subscribe: { subscriptions: [{ channel: "a" }] },
      });
      assertEquals(answer.metadata["keyop-recovered.a"], "true");
      await publishing;
      const texts = await readUntil(client, "599", seen);
      assertEquals(texts, Array.from({ length: 600 }, (_, n) => String(n)));
      assertEquals(messagesOf(await client.settle()), []);
    },
  });
}

Deno.test({
  name: "redis: what nodes of the original published meanwhile is replayed once",
  ignore: !hasRedisServer,
  async fn() {
    await using bed = await RedisBed.start();
    const broker = bed.make();
    await using gateway = await testGateway({ broker });
    const client = bed.client();
    await using publisher = await TestClient.connected(gateway.url);
    const original = (text: string) =>
      client.xadd(
        "ml:stream:a",
        "*",
        "data",
        JSON.stringify({ t: "pub", ch: "a", p: btoa(text), isText: true }),
      );
    await publisher.publish("a", "1");
    const { epoch, offset } = await broker.position("a");
    const expected = ["o1", "2", "o2", "o3"];
    await original("o1");
    await publisher.publish("a", "2");
    for (const text of ["o2", "o3"]) await original(text);
    await using late = await TestClient.connected(gateway.url, {}, { metadata: RECOVER });
    await late.ask({
      id: "s",
      metadata: { ...RECOVER, "keyop-since.a": `${epoch}:${offset}` },
      subscribe: { subscriptions: [{ channel: "a" }] },
    });
    const frames: Json[] = [];
    assertEquals(await readUntil(late, "o3", frames), expected);
    await publisher.publish("a", "3");
    assertEquals(await readUntil(late, "3", frames), [...expected, "3"]);
    assertEquals(messagesOf(await late.settle()), []);
  },
});

/**
 * A server with topics and three clients: two that ask for topics, one in MessagePack, and a sensor that
 * publishes to them.
 *
 * ```sh
 * deno run --allow-net=127.0.0.1 --allow-env=WS_NO_BUFFER_UTIL,WS_NO_UTF_8_VALIDATE topics.ts
 * ```
 *
 * @module
 */
import {
  type ConnectOptions,
  defineMessage,
  MessageBroker,
  TopicPipe,
} from "@keyop/messenger/pipes";

const Reading = defineMessage({
  code: 10,
  name: "Reading",
  schema: (value: unknown) => {
    const { topic, celsius } = value as { topic?: unknown; celsius?: unknown };
    if (typeof topic !== "string") throw new TypeError("topic: expected a text");
    if (typeof celsius !== "number") throw new TypeError("celsius: expected a number");
    return { topic, celsius };
  },
});

await using server = new MessageBroker({ messages: [Reading], pipes: [new TopicPipe()] });
const { url } = await server.serve({ port: 0 });

/** Connects a client that prints the readings of some topics; settles `done` after so many of them. */
async function display(name: string, pattern: string, count: number, options?: ConnectOptions) {
  const topics = new TopicPipe();
  const done = Promise.withResolvers<void>();
  const lines: string[] = [];
  const broker = new MessageBroker({
    messages: [Reading],
    pipes: [topics],
    onMessage: (_connection, message) => {
      if (!Reading.is(message)) return;
      lines.push(`${name} (${pattern}): ${message.value.topic} is ${message.value.celsius} °C`);
      if (lines.length === count) done.resolve();
    },
  });
  await broker.connect(url, options);
  await topics.subscribe(pattern);
  return { broker, done: done.promise, lines };
}

const kitchen = await display("kitchen", "house.kitchen.*", 2);
const office = await display("office", "house.>", 3, { encoding: "application/msgpack" });

await using sensor = new MessageBroker({ messages: [Reading], pipes: [new TopicPipe()] });
await sensor.connect(url);
await sensor.send(Reading({ topic: "house.kitchen.oven", celsius: 180 }));
await sensor.send(Reading({ topic: "house.attic", celsius: 31 }));
await sensor.send(Reading({ topic: "garden", celsius: 14 }));
await sensor.send(Reading({ topic: "house.kitchen.window", celsius: 19.5 }));

for (const { broker, done, lines } of [kitchen, office]) {
  await done;
  for (const line of lines) console.log(line);
  await broker.close();
}

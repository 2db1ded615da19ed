import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  type BrokerOptions,
  type Connection,
  ConnectionClosedError,
  defineMessage,
  DuplicateMessageCodeError,
  InvalidConfigError,
  InvalidTopicError,
  Pipe,
  type PipeConnection,
  type PipeHost,
  type PipeMessage,
  roundRobin,
  TopicPipe,
  type TopicPipeOptions,
  TopicRefusedError,
} from "../../src/pipes/mod.ts";
import { turn } from "../helpers/fake_clock.ts";
import { until } from "../helpers/until.ts";
import { connect, frame, rawPeer, serve } from "./parts.ts";

const Note = defineMessage<{ topic?: string; n: number }>({ code: 10, name: "Note" });
const messages = [Note];

async function topicServer(options: TopicPipeOptions = {}, more: Partial<BrokerOptions> = {}) {
  const topics = new TopicPipe(options);
  return { ...await serve({ messages, pipes: [topics], ...more }), topics };
}

async function topicClient(url: string, ...patterns: readonly string[]) {
  const topics = new TopicPipe();
  const client = await connect(url, { messages, pipes: [topics] });
  for (const pattern of patterns) await topics.subscribe(pattern);
  const numbers = () => client.received.map((line) => JSON.parse(line.slice(2)).n);
  return { ...client, topics, numbers };
}

Deno.test("a message that names a topic reaches those that asked for it, others reach all", async () => {
  await using server = await topicServer();
  await using exact = await topicClient(server.url, "lab.north");
  await using one = await topicClient(server.url, "lab.*");
  await using rest = await topicClient(server.url, "lab.>", "lab.*");
  await using none = await topicClient(server.url);
  for (
    const note of [
      { topic: "lab.north", n: 1 },
      { topic: "lab.south", n: 2 },
      { topic: "lab.north.rack", n: 3 },
      { topic: "attic", n: 4 },
      { n: 5 },
    ]
  ) await server.broker.send(Note(note));
  const clients = [exact, one, rest, none];
  await until("the last", () => clients.every(({ numbers }) => numbers().at(-1) === 5));
  assertEquals(clients.map(({ numbers }) => numbers()), [[1, 5], [1, 2, 5], [1, 2, 3, 5], [5]]);
});

Deno.test("what a client sends to a topic reaches those that asked for it, and the handler", async () => {
  await using server = await topicServer();
  await using publisher = await topicClient(server.url, "own");
  await using subscriber = await topicClient(server.url, "news.>");
  await publisher.broker.send(Note({ topic: "news.local", n: 1 }));
  await publisher.broker.send(Note({ topic: "own", n: 2 }));
  await publisher.broker.send(Note({ n: 3 }));
  await until("the handler", () => server.received.length === 3);
  await until("both", () => subscriber.numbers().length === 1 && publisher.numbers().length === 1);
  assertEquals([subscriber.numbers(), publisher.numbers()], [[1], [2]]);
  assertEquals(server.received.map((line) => JSON.parse(line.slice(2)).n), [1, 2, 3]);
});

Deno.test("the pipe's own messages reach neither handler nor the pipes further in", async () => {
  const seen: string[] = [];
  class Watch extends Pipe {
    override handle(connection: PipeConnection, message: PipeMessage): Promise<void> {
      seen.push(message.type);
      return super.handle(connection, message);
    }
  }
  await using server = await serve({ messages, pipes: [new TopicPipe(), new Watch()] });
  await using client = await topicClient(server.url, "a", "b");
  await client.topics.unsubscribe("a");
  await client.broker.send(Note({ topic: "a", n: 1 }));
  await until("it", () => server.received.length === 1);
  assertEquals([seen, client.received], [["Note"], []]);
});

Deno.test("what is asked for no more does not come any more", async () => {
  await using server = await topicServer();
  await using client = await topicClient(server.url, "a", "b");
  const [connection] = server.broker.connections;
  assertEquals(server.topics.topicsOf(connection!), ["a", "b"]);
  await client.topics.unsubscribe("a");
  await until("the server", () => server.topics.topicsOf(connection!).length === 1);
  await server.broker.send(Note({ topic: "a", n: 1 }));
  await server.broker.send(Note({ topic: "b", n: 2 }));
  await until("one", () => client.numbers().length === 1);
  assertEquals(client.numbers(), [2]);
  await client.broker.close();
  await until("its end", () => server.broker.length === 0);
  assertEquals(server.topics.topicsOf(connection!), []);
});

Deno.test("what was asked for before connecting, and before connecting again, is asked for then", async () => {
  await using server = await topicServer();
  const topics = new TopicPipe();
  await topics.subscribe("a");
  await using client = await connect(server.url, { messages, pipes: [topics] });
  const asked = (connection: Connection | undefined) =>
    connection === undefined ? 0 : server.topics.topicsOf(connection).length;
  await until("one", () => asked(server.broker.connections[0]) === 1);
  await topics.subscribe("b");
  await server.broker.connections[0]!.close();
  await client.connection.closed;
  await client.broker.connect(server.url);
  await until("both", () => asked(server.broker.connections[0]) === 2);
  await server.broker.send(Note({ topic: "b", n: 1 }));
  await until("it", () => client.received.length === 1);
});

Deno.test("the pattern chooses among those that asked", async () => {
  await using server = await topicServer({}, { pattern: roundRobin() });
  await using first = await topicClient(server.url, "work");
  await using _idle = await topicClient(server.url, "other");
  await using second = await topicClient(server.url, "work");
  for (let n = 0; n < 4; n++) await server.broker.send(Note({ topic: "work", n }));
  await until("all", () => first.received.length + second.received.length === 4);
  assertEquals([first.numbers(), second.numbers()], [[0, 2], [1, 3]]);
});

Deno.test("a server says who may ask for what, publish what, and whether anything is passed on", async () => {
  await using server = await topicServer({
    maySubscribe: (_connection, pattern) => pattern !== "secret",
    mayPublish: (_connection, topic) => topic !== "orders",
    maxTopics: 2,
  });
  await using client = await topicClient(server.url, "orders", "more");
  const error = await assertRejects(
    () => client.topics.subscribe("third"),
    TopicRefusedError,
    "there are 2 patterns already",
  );
  assertEquals([error.topic, error.code], ["third", "topic_refused"]);
  await client.topics.unsubscribe("more");
  await assertRejects(() => client.topics.subscribe("secret"), TopicRefusedError, "not for this");
  await client.broker.send(Note({ topic: "orders", n: 1 }));
  await until("the error", () => server.errors.length === 1);
  assert(server.errors[0]!.startsWith('TopicRefusedError: "orders"'), server.errors[0]);
  assertEquals([client.received, server.received], [[], []]);

  await using quiet = await topicServer({ relay: false });
  await using other = await topicClient(quiet.url, "news");
  await other.broker.send(Note({ topic: "news", n: 1 }));
  await until("the handler", () => quiet.received.length === 1);
  await turn();
  assertEquals(other.received, []);
});

Deno.test("a topic may be found elsewhere than in the value", async () => {
  const topicOf = ({ value }: PipeMessage) => (value as { n: number }).n > 1 ? "large" : "small";
  await using server = await topicServer({ topicOf });
  await using client = await topicClient(server.url, "large");
  for (const n of [1, 2, 3]) await server.broker.send(Note({ n }));
  await until("both", () => client.received.length === 2);
  assertEquals(client.numbers(), [2, 3]);
});

Deno.test("what is no topic is refused where it is named", async () => {
  await using server = await topicServer();
  await using client = await topicClient(server.url);
  await assertRejects(() => client.topics.subscribe("a..b"), InvalidTopicError);
  await assertRejects(() => server.broker.send(Note({ topic: "a.*", n: 1 })), InvalidTopicError);
  await using peer = await rawPeer(server.url);
  peer.socket.send(frame(10, '{"topic":"a b","n":1}'));
  await until("the error", () => server.errors.length === 1);
  assert(server.errors[0]!.startsWith("InvalidTopicError: "), server.errors[0]);
});

Deno.test("whatever a peer says in the pipe's own messages does no harm", async () => {
  await using server = await topicServer({ maxTopics: 3 });
  await using client = await topicClient(server.url, "a");
  await using peer = await rawPeer(server.url);
  const said = [
    null,
    1,
    [],
    { subscribe: 5 },
    { subscribed: "a" },
    { refused: "a", reason: "x" },
    { unsubscribe: "never.asked" },
    { subscribe: "a..b" },
    { subscribe: "x".repeat(1_000) },
    ...Array.from({ length: 10 }, (_, n) => ({ subscribe: `t${n}` })),
    { subscribe: "t0" },
  ];
  for (const value of said) peer.socket.send(frame(2, JSON.stringify(value)));
  await until("the answers", () => peer.messages.length === 13);
  const answers = peer.messages.map((bytes) => new TextDecoder().decode(bytes.subarray(4)));
  assertEquals(answers.filter((text) => text.startsWith('{"subscribed"')), [
    ...[0, 1, 2, 0].map((n) => `{"subscribed":"t${n}"}`),
  ]);
  const [connection, other] = server.broker.connections;
  assertEquals([connection, other].map((each) => server.topics.topicsOf(each!)), [
    ["a"],
    ["t0", "t1", "t2"],
  ]);
  assertEquals([server.errors, client.errors], [[], []]);
});

Deno.test("one that waits for the server's word learns that the connection is closed", async () => {
  // A server without the pipe does not know its messages, and cuts the client off.
  await using server = await serve({ messages });
  await using client = await topicClient(server.url);
  await assertRejects(() => client.topics.subscribe("a"), ConnectionClosedError, "answered");
});

Deno.test("a code that is taken, a wrong limit and a messenger are refused", async () => {
  await assertRejects(
    () => serve({ messages, pipes: [new TopicPipe({ code: 10 })] }),
    DuplicateMessageCodeError,
  );
  await assertRejects(
    () => serve({ messages, pipes: [new TopicPipe(), new TopicPipe()] }),
    DuplicateMessageCodeError,
  );
  assertThrows(() => new TopicPipe({ maxTopics: 0 }), InvalidConfigError, "maxTopics");
  assertThrows(
    () => new TopicPipe().attached({ kind: "messenger" } as PipeHost),
    InvalidConfigError,
    "channels",
  );
});

import { assertEquals, assertRejects } from "@std/assert";
import {
  InvalidMessageCodeError,
  Pipe,
  type PipeConnection,
  type PipeHost,
  type PipeMessage,
  type PipeSendOptions,
  publish,
} from "../../src/pipes/mod.ts";
import { until } from "../helpers/until.ts";
import { connect, serve, Text, Word } from "./parts.ts";

const wordOf = (message: PipeMessage) => (message.value as { word: string }).word;

/** Notes what passes, and appends its name. */
class Mark extends Pipe {
  constructor(readonly name: string, readonly steps: string[] = []) {
    super();
  }
  override handle(connection: PipeConnection, message: PipeMessage): Promise<void> {
    this.steps.push(`${this.name} handle`);
    return super.handle(connection, message.with({ word: wordOf(message) + this.name }));
  }
  override send(
    message: PipeMessage,
    connections: readonly PipeConnection[],
    options?: PipeSendOptions,
  ): Promise<void> {
    this.steps.push(`${this.name} send`);
    return super.send(message.with({ word: wordOf(message) + this.name }), connections, options);
  }
}

Deno.test("pipes change what a broker receives and sends, at both ends", async () => {
  const steps: string[] = [];
  await using server = await serve({ pipes: [new Mark("A", steps), new Mark("B", steps)] });
  await using client = await connect(server.url, { pipes: [new Mark("C")] });
  await client.broker.send(Word({ word: "in" }));
  await until("it", () => server.received.length === 1);
  await server.broker.send(Word({ word: "out" }));
  await until("the answer", () => client.received.length === 1);
  assertEquals(server.received, ['1 {"word":"inCAB"}']);
  assertEquals(client.received, ['1 {"word":"outBAC"}']);
  assertEquals(steps, ["A handle", "B handle", "B send", "A send"]);
  await client.connection.send(Word({ word: "past" }));
  await until("it", () => server.received.length === 2);
  assertEquals(server.received[1], '1 {"word":"pastAB"}', "a connection sends past its own pipes");
});

Deno.test("a pipe stops, answers and sends others", async () => {
  class Guard extends Pipe {
    override async handle(connection: PipeConnection, message: PipeMessage): Promise<void> {
      if (wordOf(message) === "stop") return;
      if (wordOf(message) === "ask") {
        return await super.send(message.with("answer", { type: "Text" }), [connection]);
      }
      await super.handle(connection, message);
      await super.handle(connection, message.with({ word: "twice" }));
    }
  }
  await using server = await serve({ pipes: [new Guard()] });
  await using client = await connect(server.url);
  for (const word of ["stop", "ask", "pass"]) await client.broker.send(Word({ word }));
  await until("all", () => server.received.length === 2 && client.received.length === 1);
  assertEquals(server.received, ['1 {"word":"pass"}', '1 {"word":"twice"}']);
  assertEquals(client.received, ['1 "answer"']);
});

Deno.test("what a pipe throws reaches whoever sends, and the one that is told of errors", async () => {
  class Fail extends Pipe {
    override handle(): Promise<void> {
      throw new Error("in handle");
    }
    override send(message: PipeMessage): Promise<void> {
      return Promise.reject(new Error(`in send of ${message.type}`));
    }
  }
  await using server = await serve({ pipes: [new Fail()] });
  await using client = await connect(server.url);
  await client.broker.send(Word({ word: "x" }));
  await until("the error", () => server.errors.length === 1);
  assertEquals(server.errors, ["Error: in handle"]);
  await assertRejects(() => server.broker.send(Text("x")), Error, "in send of Text");
  assertEquals([server.broker.length, server.received], [1, []]);
});

Deno.test("what the handler throws can be caught by a pipe", async () => {
  const caught: string[] = [];
  class Catch extends Pipe {
    override handle(connection: PipeConnection, message: PipeMessage): Promise<void> {
      return super.handle(connection, message).catch((error) => void caught.push(error.message));
    }
  }
  await using server = await serve({
    pipes: [new Catch()],
    onMessage: () => {
      throw new Error("at once");
    },
  });
  await using client = await connect(server.url);
  await client.broker.send(Word({ word: "x" }));
  await until("it", () => caught.length === 1);
  assertEquals([caught, server.errors], [["at once"], []]);
});

Deno.test("pipes narrow the connections before the pattern chooses", async () => {
  const offered: string[] = [];
  class Odd extends Pipe {
    override send(
      message: PipeMessage,
      connections: readonly PipeConnection[],
      options?: PipeSendOptions,
    ): Promise<void> {
      const left = connections.filter(({ id }) => Number(id) % 2 === 1);
      return super.send(message, wordOf(message) === "nobody" ? [] : left, options);
    }
  }
  await using server = await serve({
    pipes: [new Odd()],
    pattern: (connections) => {
      offered.push(connections.map(({ id }) => id).join(""));
      return publish(connections);
    },
  });
  const clients = [await connect(server.url), await connect(server.url), await connect(server.url)];
  await server.broker.send(Word({ word: "odd" }));
  await server.broker.send(Word({ word: "nobody" }));
  await until("two", () => server.broker.stats().sent === 2);
  assertEquals(offered, ["13"]);
  await Promise.all(clients.map(({ broker }) => broker.close()));
});

Deno.test("a pipe hears of its broker and of connections, and sends by itself", async () => {
  const heard: string[] = [];
  class Greet extends Pipe {
    override attached(host: PipeHost): void {
      heard.push(`attached ${host.kind} ${host.connections.length}`);
    }
    override opened(connection: PipeConnection, host: PipeHost): void {
      heard.push(`opened ${connection.id} of ${host.connections.length}`);
      super.send(host.message("Text", "welcome"), [connection]);
    }
    override closed(connection: PipeConnection): void {
      heard.push(`closed ${connection.id}`);
    }
    override detached(host: PipeHost): void {
      heard.push(`detached ${host.kind}`);
    }
  }
  const server = await serve({ pipes: [new Greet()] });
  await using client = await connect(server.url);
  await until("the greeting", () => client.received.length === 1);
  await server.broker.close();
  assertEquals(client.received, ['1 "welcome"']);
  assertEquals(heard, ["attached broker 0", "opened 1 of 1", "closed 1", "detached broker"]);
});

Deno.test("a pipe cannot make a message of a type that is not registered", async () => {
  class Wrong extends Pipe {
    override handle(connection: PipeConnection, message: PipeMessage): Promise<void> {
      return super.send(message.with(1, { type: "Nothing" }), [connection]);
    }
  }
  await using server = await serve({ pipes: [new Wrong()] });
  await using client = await connect(server.url);
  await client.broker.send(Word({ word: "x" }));
  await until("the error", () => server.errors.length === 1);
  assertEquals(server.errors[0]!.split(":")[0], InvalidMessageCodeError.name);
});

/**
 * A client sends a word to a server whose pipes are Trace0, Upper and Trace1, and prints each step of its
 * way there and back.
 *
 * ```sh
 * deno run --allow-net=127.0.0.1 --allow-env=WS_NO_BUFFER_UTIL,WS_NO_UTF_8_VALIDATE words.ts
 * ```
 *
 * @module
 */
import {
  defineMessage,
  MessageBroker,
  Pipe,
  type PipeConnection,
  type PipeMessage,
  type PipeSendOptions,
} from "@keyop/messenger/pipes";

const Word = defineMessage<{ word: string }>({ code: 10, name: "Word" });

function print(step: string, message: PipeMessage | { readonly value: unknown }): void {
  console.log(`${step} "${(message.value as { word: string }).word}"`);
}

/** Prints what passes, both ways. */
class Trace extends Pipe {
  constructor(readonly name: string) {
    super();
  }

  override handle(connection: PipeConnection, message: PipeMessage): Promise<void> {
    print(`${this.name} handle`, message);
    return super.handle(connection, message);
  }

  override send(
    message: PipeMessage,
    connections: readonly PipeConnection[],
    options?: PipeSendOptions,
  ): Promise<void> {
    print(`${this.name} send`, message);
    return super.send(message, connections, options);
  }
}

/** Makes words that come in upper case; what goes out stays as it is. */
class Upper extends Pipe {
  override handle(connection: PipeConnection, message: PipeMessage): Promise<void> {
    const { word } = message.value as { word: string };
    return super.handle(connection, message.with({ word: word.toUpperCase() }));
  }
}

await using server = new MessageBroker({
  messages: [Word],
  pipes: [new Trace("Trace0"), new Upper(), new Trace("Trace1")],
  onMessage: async (connection, message) => {
    if (!Word.is(message)) return;
    print("server handle", message);
    const answer = Word({ word: `${message.value.word} World` });
    print("server send", answer);
    await server.send(answer, [connection]);
  },
});
const { url } = await server.serve({ port: 0 });

const answered = Promise.withResolvers<void>();
await using client = new MessageBroker({
  messages: [Word],
  onMessage: (_connection, message) => {
    print("client handle", message);
    answered.resolve();
  },
});
await client.connect(url);
const hello = Word({ word: "Hello" });
print("client send", hello);
await client.send(hello);
await answered.promise;

/**
 * Draws how the word of `words.ts` flows: a client sends it to a server whose pipes are Trace0, Upper and
 * Trace1. What is printed is a Mermaid diagram.
 *
 * ```sh
 * deno run --allow-net=127.0.0.1 --allow-env=WS_NO_BUFFER_UTIL,WS_NO_UTF_8_VALIDATE sequence.ts
 * ```
 *
 * @module
 */
import {
  defineMessage,
  map,
  MessageBroker,
  type Pipe,
  type PipeMessage,
  SequenceRecorder,
  trace,
} from "@keyop/messenger/pipes";

const Word = defineMessage<{ word: string }>({ code: 10, name: "Word" });

const recorder = new SequenceRecorder();
const said = ({ value }: { readonly value: unknown }) => `"${(value as { word: string }).word}"`;
const traced = (name: string): Pipe => trace({ name, tracer: recorder.tracer, about: said });

const upper = map({
  handle: (message: PipeMessage) =>
    message.with({ word: (message.value as { word: string }).word.toUpperCase() }),
});

const server = new MessageBroker({
  messages: [Word],
  pipes: [traced("Trace0"), upper, traced("Trace1")],
  onMessage: (connection, message) =>
    recorder.step("server", `handle ${said(message)}`, async () => {
      if (!Word.is(message)) return;
      await server.send(Word({ word: `${message.value.word} World` }), [connection]);
    }),
});
const { url } = await server.serve({ port: 0 });

const answered = Promise.withResolvers<void>();
const client = new MessageBroker({
  messages: [Word],
  onMessage: (_connection, message) => {
    recorder.step("client", `handle ${said(message)}`);
    answered.resolve();
  },
});
await client.connect(url);
const hello = Word({ word: "Hello" });
recorder.step("client", `send ${said(hello)}`);
await client.send(hello);
await answered.promise;
await client.close();
await server.close();

console.log(recorder.toMermaid().trimEnd());

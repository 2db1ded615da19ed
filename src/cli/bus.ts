import { type CommandGroup, defineGroup } from "./command.ts";

/** `bus`: the commands that work on a bus, whatever carries it. */
export const bus: CommandGroup = defineGroup({
  description: "A URL names the bus: sqlite:FILE for processes of one host, nats://HOST:PORT and " +
    "redis://HOST:PORT for a server, messenger:CONFIG.yaml for the federated channels of an " +
    "instance. What each of them promises is in docs/bus.md.",
  commands: [
    {
      name: "publish",
      summary: "Publish to a subject",
      load: async () => (await import("./bus_publish.ts")).busPublish,
    },
    {
      name: "stream",
      summary: "Print what is published to a subject",
      load: async () => (await import("./bus_stream.ts")).busStream,
    },
    {
      name: "request",
      summary: "Ask who serves a subject, and print the answer",
      load: async () => (await import("./bus_request.ts")).busRequest,
    },
    {
      name: "serve",
      summary: "Answer requests with a program's output",
      load: async () => (await import("./bus_serve.ts")).busServe,
    },
  ],
  examples: [
    {
      summary: "Answer requests with a program, on a file that is made when it is new",
      args: "bus serve shout --url sqlite:./bus.db --exec tr a-z A-Z",
    },
    { summary: "Ask it", args: "bus request shout hello --url sqlite:./bus.db" },
  ],
});

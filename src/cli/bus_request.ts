import type { BusRequestOptions } from "../bus/mod.ts";
import { givenData, shownData } from "./bus_data.ts";
import {
  BUS_PERMISSIONS,
  busOptions,
  checkSubjectArgument,
  headersOf,
  openBusOf,
  sendOptions,
} from "./bus_options.ts";
import { type Command, defineCommand } from "./command.ts";
import { jsonOption } from "./json.ts";

const options = {
  timeout: {
    type: "integer",
    summary: "Milliseconds to wait for the answer",
    valueName: "MS",
    min: 1,
    max: 2_147_483_647,
    default: 10_000,
  },
  many: { type: "flag", summary: "Print every reply until the server ends or the time is up" },
  ...sendOptions,
  base64: { type: "flag", summary: "Take and print the data as base64" },
  ...jsonOption,
  ...busOptions,
} as const;

const args = {
  subject: { summary: "The subject", required: true },
  data: { summary: "What to ask; nothing sends an empty request" },
} as const;

/** `bus request`: asks, and prints the answer. */
export const busRequest: Command = defineCommand({
  description:
    "Asks who serves the subject and prints the answer, with --many every reply. It fails when the " +
    "server's program failed, when nobody serves the subject, or when no answer comes in time." +
    `\n\n${BUS_PERMISSIONS}`,
  options,
  args,
  examples: [
    { summary: "One answer", args: "bus request shout hello --url sqlite:./bus.db" },
    { summary: "Every reply", args: "bus request lines '' --many -u nats://127.0.0.1:4222" },
  ],
  async run(context) {
    const { args: { subject, data = "" }, options, signal, stdout } = context;
    checkSubjectArgument(subject);
    const sent = givenData(data, options.base64);
    const requestOptions: BusRequestOptions = {
      headers: headersOf(options),
      timeoutMs: options.timeout,
      signal,
    };
    await using bus = await openBusOf(context, options);
    const print = (reply: Uint8Array) => stdout.write(shownData(reply, options, stdout));
    if (!options.many) return await print(await bus.request(subject, sent, requestOptions));
    for await (const reply of bus.requestMany(subject, sent, requestOptions)) await print(reply);
  },
});

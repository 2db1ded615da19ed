import { shownData } from "./bus_data.ts";
import { BUS_PERMISSIONS, busOptions, checkSubjectArgument, openBusOf } from "./bus_options.ts";
import { type Command, defineCommand } from "./command.ts";
import { jsonOption } from "./json.ts";

const options = {
  count: { type: "integer", summary: "End after so many messages", min: 1 },
  base64: { type: "flag", summary: "Print the data as base64" },
  ...jsonOption,
  ...busOptions,
} as const;

const args = { subject: { summary: "The subject", required: true } } as const;

/** `bus stream`: prints messages as they come. */
export const busStream: Command = defineCommand({
  description:
    "Prints each message that is published to the subject from now on, one a line; with --json one " +
    "object a line with subject, headers and data (data_base64 where it is not UTF-8 text). Says on " +
    "standard error when it is there. Ctrl-C or SIGTERM ends it." +
    `\n\n${BUS_PERMISSIONS}`,
  options,
  args,
  examples: [
    { summary: "Print what comes", args: "bus stream readings --url sqlite:./bus.db" },
    { summary: "The next message", args: "bus stream readings --count 1 -u redis://127.0.0.1" },
  ],
  async run(context) {
    const { args: { subject }, options, signal, stdout, stderr } = context;
    checkSubjectArgument(subject);
    await using bus = await openBusOf(context, options);
    const stream = await bus.stream(subject, { signal });
    await stderr.write(`streaming ${subject}\n`);
    let count = 0;
    for await (const { headers, data } of stream.messages()) {
      await stdout.write(shownData(data, options, stdout, { subject, headers }));
      if (++count === options.count) break;
    }
    if (stream.dropped > 0) await stderr.write(`${stream.dropped} messages were dropped\n`);
    if (options.count !== undefined && count < options.count) signal.throwIfAborted();
  },
});

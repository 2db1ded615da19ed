import { type Command, defineCommand, UsageError } from "./command.ts";
import {
  commandLogger,
  CONFIG_VARIABLE,
  configPathOf,
  dataOptions,
  logLevelOption,
  openMessenger,
  placeOf,
  untilInterrupted,
} from "./instance.ts";
import { jsonOption, printJsonLine } from "./json.ts";

/** `run`: an instance from a configuration file, until it is signalled. */
export const run: Command = defineCommand({
  description:
    "Runs an instance: its hub, if it has one, and its connections to other hubs. Messages " +
    "reach the channels of its data directory; tail and status look into it meanwhile. Ctrl-C or " +
    "SIGTERM ends it cleanly, with exit code 0." +
    "\n\nNeeds --allow-read for the configuration file and the certificates, --allow-read and " +
    "--allow-write for the data directory, --allow-net for the addresses, and " +
    "--allow-env=WS_NO_BUFFER_UTIL,WS_NO_UTF_8_VALIDATE.",
  options: { ...dataOptions, "log-level": logLevelOption("info"), ...jsonOption },
  examples: [{ summary: "An instance from hub.yaml", args: "run --config hub.yaml" }],
  async run(context) {
    const { options, stdout, signal } = context;
    if (configPathOf(context, options) === undefined) {
      throw new UsageError(
        `no configuration is named: give --config FILE or set ${CONFIG_VARIABLE}`,
      );
    }
    await using messenger = await openMessenger(placeOf(context, options), {
      name: undefined,
      links: true,
      whenOwned: "stop that process, or use another directory",
      logger: commandLogger(context, options["log-level"]),
      clock: context.clock,
    });
    const { instanceName, hubAddr } = messenger;
    if (options.json) {
      await printJsonLine(context, {
        instance: instanceName,
        hub_addr: hubAddr || null,
        pid: Deno.pid,
      });
    } else {
      if (hubAddr !== "") await stdout.write(`listening on ${hubAddr}\n`);
      await stdout.write(`ready as ${instanceName}\n`);
    }
    if (!signal.aborted) await untilInterrupted(context);
  },
});

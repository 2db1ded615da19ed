import { resolve } from "node:path";
import { Gateway } from "../gateway/mod.ts";
import { type Command, defineCommand } from "./command.ts";
import { commandLogger, logLevelOption, untilInterrupted } from "./instance.ts";
import { jsonOption, printJsonLine } from "./json.ts";

const DEFAULT_FILE = "config.yaml";

/** `gateway`: a gateway from a configuration file, until it is signalled. */
export const gateway: Command = defineCommand({
  description:
    "Runs a gateway for browsers and other programs: WebSockets and their fallback, gRPC streams, " +
    "the admin API, /health and /metrics. Ctrl-C, SIGTERM or SIGQUIT ends it: it takes no more " +
    "clients, closes all there are with 3000 and waits for them at most server.drain_timeout." +
    "\n\nNeeds --allow-net for its addresses, its backends and Redis, --allow-read for the " +
    "configuration and the files that it names, --allow-env, --allow-sys, and what the " +
    "messenger instance needs when its channels are used.",
  options: {
    config: {
      type: "string",
      short: "c",
      summary: "The configuration file",
      valueName: "FILE",
      default: DEFAULT_FILE,
    },
    "config-dir": {
      type: "string",
      summary: "The folder that the configuration file is in",
      valueName: "DIR",
      defaultText: "the working directory",
    },
    "log-level": logLevelOption("info"),
    ...jsonOption,
  },
  examples: [
    { summary: "A gateway from gateway.yaml", args: "gateway --config gateway.yaml" },
    { summary: "A gateway from /etc/keyop/config.yaml", args: "gateway --config-dir /etc/keyop" },
  ],
  async run(context) {
    const { options, stdout } = context;
    const dir = options["config-dir"];
    const file = dir === undefined ? options.config : resolve(dir, options.config);
    using quit = watchQuit();
    const signal = AbortSignal.any([context.signal, quit.signal]);
    await using running = await Gateway.open(file, {
      logger: commandLogger(context, options["log-level"]),
      clock: context.clock,
    });
    const { addresses } = running;
    if (options.json) {
      await printJsonLine(context, { ...addresses, pid: Deno.pid });
    } else {
      for (const [server, address] of Object.entries(addresses)) {
        await stdout.write(`${server} listens on ${address}\n`);
      }
      await stdout.write("ready\n");
    }
    await untilInterrupted({ ...context, signal });
  },
});

/** Servers are told to end by SIGQUIT as well; other commands leave it to the system. */
function watchQuit(): { readonly signal: AbortSignal } & Disposable {
  const controller = new AbortController();
  if (Deno.build.os === "windows") return { signal: controller.signal, [Symbol.dispose]() {} };
  const quit = () => controller.abort();
  Deno.addSignalListener("SIGQUIT", quit);
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => Deno.removeSignalListener("SIGQUIT", quit),
  };
}

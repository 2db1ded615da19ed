import { validateSubscriberId } from "../base/mod.ts";
import type { SubscribeOptions } from "../messenger/mod.ts";
import type { HandlerContext, Message } from "../storage/mod.ts";
import { type Command, type CommandContext, defineCommand } from "./command.ts";
import { CannotRunError, MessageProgram } from "./exec.ts";
import {
  checkChannelArgument,
  commandLogger,
  dataOptions,
  logLevelOption,
  openMessenger,
  placeOf,
  untilInterrupted,
  usageUnless,
} from "./instance.ts";
import { jsonOption } from "./json.ts";
import { messageLine, timeOf } from "./message_line.ts";
import { stylesOf } from "./style.ts";

const options = {
  id: {
    type: "string",
    summary: "Names the subscriber's place in the channel, which outlives the command",
    valueName: "ID",
    required: true,
  },
  from: {
    type: "string",
    summary: "Where a subscriber that has no place yet begins",
    choices: ["start", "end"],
    valueName: "PLACE",
    defaultText: "end",
  },
  count: { type: "integer", summary: "End after so many messages", min: 1 },
  "max-retries": {
    type: "integer",
    summary: "How often a message that fails is tried again before it is a dead letter",
    defaultText: "the configuration's, else 5",
  },
  ...dataOptions,
  name: {
    type: "string",
    summary: "The instance's name, the origin of dead letters",
    valueName: "NAME",
    defaultText: "the configuration's or the host's",
  },
  "log-level": logLevelOption("warn"),
  ...jsonOption,
  exec: {
    type: "rest",
    summary: "Run a program for each message; the rest of the line is its command line",
    valueName: "CMD",
  },
} as const;

const args = {
  channel: { summary: "The channel; it is made when it is new", required: true },
} as const;

type Context = CommandContext<typeof options, typeof args>;

/** `subscribe`: a durable subscriber that prints messages or runs a program for each. */
export const subscribe: Command = defineCommand({
  description:
    "Prints each message of a channel once, in order, going on where the subscriber of this id " +
    "ended last time. The messages come again when the command is killed before it has noted them." +
    "\n\nWith --exec a program runs for each message, one at a time, with the payload as JSON on " +
    "its standard input and KEYOP_ID, KEYOP_CHANNEL, KEYOP_TYPE, KEYOP_ORIGIN, " +
    "KEYOP_CORRELATION_ID, KEYOP_SERVICE, KEYOP_TIMESTAMP and KEYOP_ATTEMPT in its environment. An " +
    "exit code other than 0 means that it failed: the message is tried again, with growing waits, " +
    "and goes to CHANNEL.dead-letter in the end." +
    "\n\nThe command is the instance while it runs, with its hub and connections: it owns the data " +
    "directory. tail looks into a channel that another process owns. Ctrl-C or SIGTERM ends it " +
    "cleanly." +
    "\n\nNeeds --allow-read and --allow-write for the data directory, --allow-sys=hostname when no " +
    "name is given, --allow-run for the program, and what run needs when there are connections.",
  options,
  args,
  examples: [
    { summary: "Print what comes", args: "subscribe readings --id display -c pi.yaml" },
    {
      summary: "Run a program for each message",
      args: "subscribe orders --id mailer -c pi.yaml --from start --exec ./mail.sh --quiet",
    },
  ],
  async run(context) {
    const { args: { channel }, options, signal } = context;
    checkChannelArgument(channel);
    usageUnless(() => validateSubscriberId(options.id));
    await using messenger = await openMessenger(placeOf(context, options), {
      name: options.name,
      links: true,
      whenOwned: "stop it first, subscribe within its program, or look with tail -f",
      logger: commandLogger(context, options["log-level"]),
      clock: context.clock,
    });
    const delivery = new Delivery(context);
    const subscription = await messenger.subscribe(
      channel,
      options.id,
      (message, handling) => delivery.handle(message, handling),
      subscribeOptions(context),
    );
    const interrupted = new AbortController();
    const either = AbortSignal.any([signal, interrupted.signal]);
    try {
      await Promise.race([delivery.ended, untilInterrupted({ ...context, signal: either })]);
    } finally {
      interrupted.abort();
      await subscription.close();
      delivery.stop();
    }
    if (options.count !== undefined && delivery.count < options.count) signal.throwIfAborted();
  },
});

function subscribeOptions({ options }: Context): SubscribeOptions {
  const { from, "max-retries": maxRetries } = options;
  return {
    ...(from === undefined ? {} : { from: from as "start" | "end" }),
    ...(maxRetries === undefined ? {} : { maxRetries }),
  };
}

/** Hands messages out until there were enough of them, or nobody can take them any more. */
class Delivery {
  readonly #context: Context;
  readonly #program: MessageProgram | undefined;
  readonly #end = Promise.withResolvers<void>();
  #isOver = false;
  /** How many were handed out. */
  count = 0;

  constructor(context: Context) {
    this.#context = context;
    const { exec } = context.options;
    this.#program = exec.length === 0 ? undefined : new MessageProgram(exec);
    // It may fail before anybody waits for it.
    this.#end.promise.catch(() => {});
  }

  /** Settles when no further message is wanted; rejects when none can be handed out. */
  get ended(): Promise<void> {
    return this.#end.promise;
  }

  async handle(message: Message, { signal }: HandlerContext): Promise<void> {
    if (this.#isOver) return await unhandled(signal);
    try {
      await (this.#program?.run(message) ?? this.#print(message));
    } catch (error) {
      // That a program fails is the message's fate; that nothing can take messages is the command's.
      if (this.#program !== undefined && !(error instanceof CannotRunError)) throw error;
      this.#isOver = true;
      this.#end.reject(error);
      return await unhandled(signal);
    }
    if (++this.count !== this.#context.options.count) return;
    this.#isOver = true;
    this.#end.resolve();
  }

  /** Ends a program that is still running. */
  stop(): void {
    this.#program?.stop();
  }

  async #print(message: Message): Promise<void> {
    const { stdout, options } = this.#context;
    const record = recordOf(message);
    await stdout.write(
      options.json
        ? `${JSON.stringify(record)}\n`
        : messageLine({ ...record, payloadType: message.payloadType }, stylesOf(stdout)),
    );
  }
}

/** Leaves a message to come again: settles when the subscription is closed, with an error. */
function unhandled(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const leave = () => reject(signal.reason);
    if (signal.aborted) return leave();
    signal.addEventListener("abort", leave, { once: true });
  });
}

/** The message with the keys of its record. */
function recordOf(message: Message) {
  const { id, channel, origin, correlationId, serviceName, payload, position, attempt } = message;
  return {
    id,
    ts: timeOf(message),
    channel,
    origin,
    payload_type: message.payloadType,
    ...(correlationId === "" ? {} : { correlation_id: correlationId }),
    ...(serviceName === "" ? {} : { service_name: serviceName }),
    payload,
    position,
    attempt,
  };
}

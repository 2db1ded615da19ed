import { consoleLogger, systemClock } from "../base/mod.ts";
import type { Messenger, MessengerOptions } from "../messenger/mod.ts";
import { MessengerTransport } from "./messenger_transport.ts";
import { type BusOptions, TransportBus } from "./transport_bus.ts";

/** Messengers that a bus has opened itself. */
const owned = new WeakSet<Messenger>();

/**
 * A bus over the channels of a messenger, durable and federated: what is published to a subject is a message
 * of the channel of that name; requests travel on `{subject}.requests`, replies on
 * `{subject}.replies.{instance}` with the caller's instance. A request that nobody serves waits in its channel,
 * also through a restart of whoever serves it, until the caller's time is up.
 *
 * Requires nothing but what its messenger requires.
 *
 * @example
 * ```ts
 * import { Messenger } from "@keyop/messenger";
 * import { MessengerBus } from "@keyop/messenger/bus";
 * import { assertEquals } from "@std/assert";
 *
 * const dataDir = await Deno.makeTempDir();
 * await using messenger = await Messenger.open({ name: "pi", storage: { dataDir } });
 * await using bus = new MessengerBus(messenger);
 * await bus.serve("greet", (data) => `Hello ${new TextDecoder().decode(data)}`);
 * const answer = await bus.request("greet", "world");
 * assertEquals(new TextDecoder().decode(answer), "Hello world");
 * ```
 */
export class MessengerBus extends TransportBus {
  /**
   * Makes a bus. Several may share a messenger.
   *
   * @param messenger Whose channels; closing the bus leaves it open.
   * @param options Logging, and how long closing may take.
   */
  constructor(messenger: Messenger, options: BusOptions = {}) {
    const { logger = consoleLogger(), clock = systemClock } = options;
    const ownsMessenger = owned.has(messenger);
    super(new MessengerTransport(messenger, { logger, clock, ownsMessenger }), options);
  }

  /**
   * Opens a messenger and makes a bus over it; closing the bus closes the messenger.
   *
   * @param configPath Path of the messenger's configuration.
   * @param options Logging, how long closing may take, and what `Messenger.open` takes.
   * @throws As `Messenger.open` does.
   */
  static async open(
    configPath: string,
    options: BusOptions & { readonly messenger?: MessengerOptions } = {},
  ): Promise<MessengerBus> {
    const { messenger: messengerOptions, ...rest } = options;
    const { logger } = rest;
    const { Messenger } = await import("../messenger/mod.ts");
    const messenger = await Messenger.open(configPath, {
      ...(logger !== undefined && { logger }),
      ...messengerOptions,
    });
    owned.add(messenger);
    return new MessengerBus(messenger, rest);
  }
}

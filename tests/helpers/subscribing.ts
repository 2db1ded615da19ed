import { DEAD_LETTER_TYPE, EnvelopeEncoder } from "../../src/envelope/mod.ts";
import { Subscriber, type SubscriberOptions } from "../../src/storage/mod.ts";
import { turn } from "./fake_clock.ts";
import type { Inbox } from "./inbox.ts";
import type { TestChannel } from "./test_channel.ts";

/** What a test may change about a subscriber. */
export type SubscribingOptions = Partial<SubscriberOptions>;

/** Starts a subscriber of the test's channel, as the messenger does: dead letters are published. */
export function subscribe(
  channel: TestChannel,
  inbox: Inbox,
  options: SubscribingOptions = {},
): Promise<Subscriber> {
  const { log, logs, clock, logger } = channel;
  const encoder = new EnvelopeEncoder("test-host", clock);
  return Subscriber.start({
    log,
    subscriberId: "reader",
    handler: inbox.handler,
    from: "start",
    endAsked: false,
    maxRetries: 5,
    retryBackoffBaseMs: 100,
    retryBackoffMaxMs: 5_000,
    maxAgeMs: 0,
    cursorFlushMs: 0,
    lagWarnBytes: 0,
    decode: (_type, payload) => payload,
    deadLetter: async (payload, record) => {
      const letters = await logs.open(`${log.channel}.dead-letter`);
      const line = encoder.encode(letters.channel, DEAD_LETTER_TYPE, payload, {
        correlationId: record.correlationId,
      });
      await letters.append(line, () => undefined);
    },
    inContext: (_id, call) => call(),
    clock,
    logger,
    ...options,
  });
}

/** Publishes payloads to the test's channel as one group. */
export async function publish(channel: TestChannel, ...payloads: unknown[]): Promise<void> {
  const encoder = new EnvelopeEncoder("test-host", channel.clock);
  await channel.log.appendAll(
    payloads.map((payload) => encoder.encode(channel.log.channel, "test", JSON.stringify(payload))),
  );
}

/** Settles when a subscriber has handled everything. */
export async function caughtUp(channel: TestChannel, subscriber: Subscriber): Promise<void> {
  for (let turns = 0; subscriber.position < channel.log.end; turns++) {
    if (turns === 20_000) throw new Error(`the subscriber stays at ${subscriber.position}`);
    await turn(1);
  }
}

import type { Handler, Message } from "../storage/mod.ts";
import type { WatchedSubscription } from "./subscriptions.ts";

/** Thrown into the subscriber for a message that its consumer left unacknowledged. */
const LEFT = new Error("the consumer left before it asked for the next message");

/**
 * Turns a subscription into an iterable. A message is acknowledged when the next one is asked for;
 * leaving the loop before that leaves it to come again.
 *
 * @param subscribe Begins to deliver to a handler.
 * @param signal Ends the iteration.
 */
export async function* iterateMessages<T>(
  subscribe: (handler: Handler<T>) => Promise<WatchedSubscription>,
  signal?: AbortSignal,
): AsyncGenerator<Message<T>, void, void> {
  let offered = Promise.withResolvers<Message<T> | undefined>();
  let acknowledge: (() => void) | undefined;
  let leave: ((reason: unknown) => void) | undefined;
  if (signal?.aborted) return;
  const handler = (message: Message<T>) =>
    new Promise<void>((resolve, reject) => {
      acknowledge = resolve;
      leave = reject;
      offered.resolve(message);
    });
  let watched: WatchedSubscription;
  try {
    watched = await subscribe(handler);
  } catch (error) {
    if (signal?.aborted) return;
    throw error;
  }
  const { subscription, ended } = watched;
  // The signal ends the subscription, and with it the iteration.
  const end = () => offered.resolve(undefined);
  ended.addEventListener("abort", end, { once: true });
  try {
    for (;;) {
      if (ended.aborted) end();
      const message = await offered.promise;
      if (message === undefined) return;
      offered = Promise.withResolvers();
      yield message;
      acknowledge?.();
    }
  } finally {
    const closing = subscription.close();
    leave?.(LEFT);
    await closing;
  }
}

import type { Handler, Message } from "../storage/mod.ts";
import type { Subscription } from "./types.ts";

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
  subscribe: (handler: Handler<T>) => Promise<Subscription>,
  signal?: AbortSignal,
): AsyncGenerator<Message<T>, void, void> {
  let offered = Promise.withResolvers<Message<T> | undefined>();
  let acknowledge: (() => void) | undefined;
  let leave: ((reason: unknown) => void) | undefined;
  const end = () => offered.resolve(undefined);
  signal?.addEventListener("abort", end, { once: true });
  if (signal?.aborted) return;
  const subscription = await subscribe((message, context) =>
    new Promise<void>((resolve, reject) => {
      acknowledge = resolve;
      leave = reject;
      context.signal.addEventListener("abort", end, { once: true });
      offered.resolve(message);
    })
  );
  try {
    for (;;) {
      const message = await offered.promise;
      if (message === undefined) return;
      offered = Promise.withResolvers();
      if (signal?.aborted) end();
      yield message;
      acknowledge?.();
    }
  } finally {
    signal?.removeEventListener("abort", end);
    const closing = subscription.close();
    leave?.(LEFT);
    await closing;
  }
}

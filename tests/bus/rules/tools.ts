import type { Bus, BusSubscription } from "@keyop/messenger/bus";

const decoder = new TextDecoder();

/** Bytes as text. */
export const text = (bytes: Uint8Array): string => decoder.decode(bytes);

/** The next messages of a subscription, as texts; leaves it open. */
export async function take(
  subscription: AsyncIterable<Uint8Array>,
  count: number,
): Promise<string[]> {
  const iterator = subscription[Symbol.asyncIterator]();
  const taken: string[] = [];
  while (taken.length < count) {
    const result = await iterator.next();
    if (result.done) throw new Error(`ended after ${taken.length} of ${count}: ${taken}`);
    taken.push(text(result.value));
  }
  return taken;
}

/** What is left of a subscription that has ended, as texts. */
export async function rest(subscription: AsyncIterable<Uint8Array>): Promise<string[]> {
  return (await Array.fromAsync(subscription)).map(text);
}

/** The numbers from 0 up to a count, as texts. */
export function numbers(count: number, prefix = ""): string[] {
  return Array.from({ length: count }, (_, n) => `${prefix}${n}`);
}

/** Publishes texts in order, without waiting for each. */
export async function publishAll(
  bus: Bus,
  subject: string,
  texts: readonly string[],
): Promise<void> {
  await Promise.all(texts.map((text) => bus.publish(subject, text)));
}

/** Settles when a signal is aborted, with its reason. */
export function aborted(signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(signal.reason);
    else signal.addEventListener("abort", () => resolve(signal.reason), { once: true });
  });
}

/** A handler that never answers, and tells of each call. */
export class StuckHandler {
  readonly #begun = Promise.withResolvers<AbortSignal>();

  /** The signal of the first call, once it was made. */
  get begun(): Promise<AbortSignal> {
    return this.#begun.promise;
  }

  readonly handle = (
    _data: Uint8Array,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<string> => {
    this.#begun.resolve(signal);
    return new Promise((_, reject) => aborted(signal).then(reject));
  };
}

/** Serves with an answer that names the server. */
export function serveAs(bus: Bus, subject: string, name: string): Promise<BusSubscription> {
  return bus.serve(subject, (data) => `${name}:${text(data)}`);
}

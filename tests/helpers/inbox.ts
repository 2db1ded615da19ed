import type { HandlerContext, Message } from "../../src/storage/mod.ts";

/** What the handler of a test does with a message. */
export type Reaction = (message: Message, context: HandlerContext) => void | Promise<void>;

/** A handler that keeps what it gets, and tells when it has got enough. */
export class Inbox {
  /** Every call, in order. */
  readonly calls: Message[] = [];
  /** What to do beside; throw to make a message come again. */
  react: Reaction = () => {};
  #watchers: (() => void)[] = [];

  readonly handler = (message: Message, context: HandlerContext): void | Promise<void> => {
    this.calls.push(message);
    for (const wake of this.#watchers.splice(0)) wake();
    return this.react(message, context);
  };

  /** The payloads of all calls, in order. */
  get payloads(): readonly unknown[] {
    return this.calls.map(({ payload }) => payload);
  }

  /** Settles when the handler has been called so many times. */
  async until(calls: number): Promise<void> {
    while (this.calls.length < calls) {
      await new Promise<void>((resolve) => this.#watchers.push(resolve));
    }
  }
}

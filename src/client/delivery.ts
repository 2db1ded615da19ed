import type { PayloadSchema } from "../registry/mod.ts";
import { type GatewayClientError, GatewayOverflowError } from "./errors.ts";
import type { GatewayMessage } from "./message.ts";
import { checkMessage } from "./payload.ts";
import type { GapReason } from "./positions.ts";
import type { Listener } from "./subscriptions.ts";

/** What a delivery needs. */
export interface DeliveryOptions<T> {
  readonly channel: string;
  readonly schema: PayloadSchema<T> | undefined;
  readonly handler: (message: GatewayMessage<T>) => void;
  /** How many messages may wait, for history or for a schema that takes its time. */
  readonly limit: number;
  readonly onGap?: ((reason: GapReason) => void) | undefined;
  readonly onRecovered?: (() => void) | undefined;
  readonly onRefused?: ((error: GatewayClientError) => void) | undefined;
  readonly failed: (error: unknown) => void;
}

/** Brings messages to a handler: checked, in order, and after the history that goes before them. */
export class Delivery<T> implements Listener {
  readonly #options: DeliveryOptions<T>;
  #held: GatewayMessage[] | undefined;
  #last: Promise<void> | undefined;
  #waiting = 0;
  #isIncomplete = false;
  #isClosed = false;

  /**
   * Makes it.
   *
   * @param options What it needs.
   * @param hold Whether messages are held until {@linkcode release}.
   */
  constructor(options: DeliveryOptions<T>, hold: boolean) {
    this.#options = options;
    if (hold) this.#held = [];
  }

  /** Takes a message. */
  message(message: GatewayMessage): void {
    if (this.#held === undefined) return this.past(message);
    if (this.#held.length === this.#options.limit) {
      this.#held = [];
      this.#isIncomplete = true;
    }
    this.#held.push(message);
  }

  /** Takes a message that goes before those that are held. */
  past(message: GatewayMessage): void {
    if (!this.#isClosed) this.#check(message);
  }

  /**
   * Hands out what was held, but for what was taken as past.
   *
   * @param topOffset Offset of the last message of the past.
   * @returns False when some that came meanwhile were given up: then more of the past has to be read.
   */
  release(topOffset: number): boolean {
    const held = this.#held ?? [];
    if (this.#isIncomplete) {
      this.#isIncomplete = false;
      this.#held = [];
      return false;
    }
    this.#held = undefined;
    for (const message of held) {
      if (message.offset === 0 || message.offset > topOffset) this.past(message);
    }
    return true;
  }

  /** Hands out nothing any more. */
  close(): void {
    this.#isClosed = true;
    this.#held = [];
  }

  /** What was missed comes next. */
  recovered(): void {
    this.#guarded(() => this.#options.onRecovered?.());
  }

  /** Messages may be missing. */
  gap(reason: GapReason): void {
    this.#guarded(() => this.#options.onGap?.(reason));
  }

  /** The gateway refused. */
  refused(error: GatewayClientError): void {
    this.#guarded(() => this.#options.onRefused?.(error));
  }

  #check(message: GatewayMessage): void {
    const { schema, handler, limit } = this.#options;
    this.#guarded(() => {
      const checked = checkMessage(message, schema);
      if (!(checked instanceof Promise) && this.#last === undefined) return handler(checked);
      // One that waits for its schema holds up those behind it.
      if (this.#waiting === limit) throw new GatewayOverflowError(this.#options.channel, limit);
      this.#waiting++;
      const before = this.#last;
      const last: Promise<void> = Promise.allSettled([checked, before]).then(([result]) => {
        this.#waiting--;
        if (this.#last === last) this.#last = undefined;
        this.#guarded(() => {
          if (result.status === "rejected") throw result.reason;
          if (!this.#isClosed) handler(result.value);
        });
      });
      this.#last = last;
    });
  }

  #guarded(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#options.failed(error);
    }
  }
}

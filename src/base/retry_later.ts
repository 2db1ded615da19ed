/**
 * Thrown in a handler: hold the message and try again later, without spending a retry. For what is
 * not the message's fault, such as a service that is down.
 */
export class RetryLater extends Error {
  /** The name of the class. */
  override readonly name = "RetryLater";
  /** Milliseconds until the next try; undefined for the subscriber's own backoff. */
  readonly delayMs: number | undefined;

  /**
   * Makes the request.
   *
   * @param delayMs Milliseconds until the next try; the subscriber's own backoff when left out.
   * @param options The error that caused this one.
   * @throws {RangeError} When the delay is negative or no number.
   */
  constructor(delayMs?: number, options?: ErrorOptions) {
    super("the handler asks to be called again later", options);
    if (delayMs !== undefined && !(delayMs >= 0)) {
      throw new RangeError(`Cannot retry in ${delayMs} ms: give a number of 0 or more`);
    }
    this.delayMs = delayMs;
  }
}

import { MessengerError } from "../../base/mod.ts";

/** What a broker stands on cannot be reached, or did not answer in time. */
export class BrokerUnavailableError extends MessengerError {
  /** The name of the class. */
  override readonly name = "BrokerUnavailableError";
  /**
   * Makes the error.
   *
   * @param what What failed, on what, and what to do.
   * @param options The error that caused this one.
   */
  constructor(what: string, options?: ErrorOptions) {
    super("broker_unavailable", what, options);
  }
}

/** An event that the broker cannot take, because of its size for one. */
export class EventRefusedError extends MessengerError {
  /** The name of the class. */
  override readonly name = "EventRefusedError";
  /**
   * Makes the error.
   *
   * @param why What is wrong with it and what would do.
   * @param options The error that caused this one.
   */
  constructor(why: string, options?: ErrorOptions) {
    super("event_refused", why, options);
  }
}

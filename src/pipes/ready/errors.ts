import { MessengerError, quote } from "../../base/mod.ts";

/** What every error about one message says: which message, and where it is. */
function named(type: string, channel: string | undefined): string {
  return channel === undefined ? quote(type) : `${quote(type)} on ${quote(channel)}`;
}

/** What an error of a pipe tells of the message. */
export interface AboutMessage {
  /** Name of its type. */
  readonly type: string;
  /** Its channel; undefined in a broker. */
  readonly channel: string | undefined;
}

/** A message came that is not encrypted, where only encrypted ones are taken. */
export class NotEncryptedError extends MessengerError {
  /** The name of the class. */
  override readonly name = "NotEncryptedError";
  /**
   * Makes the error.
   *
   * @param message The message.
   */
  constructor({ type, channel }: AboutMessage) {
    super(
      "not_encrypted",
      `Cannot open ${
        named(type, channel)
      }: it is not encrypted. Its sender needs the encrypt pipe ` +
        `too, at the same place among its pipes`,
    );
  }
}

/** A message is encrypted or signed with a key that is not known here. */
export class UnknownKeyError extends MessengerError {
  /** The name of the class. */
  override readonly name = "UnknownKeyError";
  /** The id of the key. */
  readonly keyId: string;
  /**
   * Makes the error.
   *
   * @param message The message.
   * @param keyId The id of the key.
   */
  constructor({ type, channel }: AboutMessage, keyId: string) {
    super(
      "unknown_key",
      `Cannot open ${named(type, channel)}: the key ${quote(keyId)} is not known here`,
    );
    this.keyId = keyId;
  }
}

/** A message was changed after it was encrypted or signed, or belongs to another message. */
export class TamperedMessageError extends MessengerError {
  /** The name of the class. */
  override readonly name = "TamperedMessageError";
  /**
   * Makes the error.
   *
   * @param message The message.
   * @param what What does not fit.
   * @param options The error that caused this one.
   */
  constructor({ type, channel }: AboutMessage, what: string, options?: ErrorOptions) {
    super("message_tampered", `Do not trust ${named(type, channel)}: ${what}`, options);
  }
}

/** A key has encrypted as many messages as it safely may. */
export class KeyExhaustedError extends MessengerError {
  /** The name of the class. */
  override readonly name = "KeyExhaustedError";
  /** The id of the key. */
  readonly keyId: string;
  /**
   * Makes the error.
   *
   * @param keyId The id of the key.
   * @param count How many it has encrypted.
   */
  constructor(keyId: string, count: number) {
    super(
      "key_exhausted",
      `Cannot encrypt with key ${quote(keyId)}: it has encrypted ${count} messages; ` +
        "add a new key and use it",
    );
    this.keyId = keyId;
  }
}

/** A message came without a signature, where only signed ones are taken. */
export class MissingSignatureError extends MessengerError {
  /** The name of the class. */
  override readonly name = "MissingSignatureError";
  /**
   * Makes the error.
   *
   * @param message The message.
   */
  constructor({ type, channel }: AboutMessage) {
    super("missing_signature", `Do not trust ${named(type, channel)}: it is not signed`);
  }
}

/** A message is signed by somebody who may not sign for the instance that it says it comes from. */
export class WrongSignerError extends MessengerError {
  /** The name of the class. */
  override readonly name = "WrongSignerError";
  /** The id of the key that signed it. */
  readonly keyId: string;
  /** The instance that the message says it comes from. */
  readonly origin: string;
  /**
   * Makes the error.
   *
   * @param message The message.
   * @param keyId The id of the key that signed it.
   * @param origin The instance that the message says it comes from.
   */
  constructor({ type, channel }: AboutMessage, keyId: string, origin: string) {
    super(
      "wrong_signer",
      `Do not trust ${named(type, channel)}: the key ${quote(keyId)} may not sign for ` +
        quote(origin),
    );
    this.keyId = keyId;
    this.origin = origin;
  }
}

/** A message cannot be decompressed: it is damaged, or longer than allowed. */
export class DecompressionError extends MessengerError {
  /** The name of the class. */
  override readonly name = "DecompressionError";
  /**
   * Makes the error.
   *
   * @param message The message.
   * @param why What is wrong.
   * @param options The error that caused this one.
   */
  constructor({ type, channel }: AboutMessage, why: string, options?: ErrorOptions) {
    super("decompression_failed", `Cannot decompress ${named(type, channel)}: ${why}`, options);
  }
}

/** More messages come than the rate allows. */
export class RateLimitedError extends MessengerError {
  /** The name of the class. */
  override readonly name = "RateLimitedError";
  /** Milliseconds until the next one is allowed. */
  readonly retryAfterMs: number;
  /**
   * Makes the error.
   *
   * @param message The message.
   * @param retryAfterMs Milliseconds until the next one is allowed.
   */
  constructor({ type, channel }: AboutMessage, retryAfterMs: number) {
    super(
      "rate_limited",
      `Too many messages: ${named(type, channel)} may pass in ${Math.ceil(retryAfterMs)} ms`,
    );
    this.retryAfterMs = retryAfterMs;
  }
}

/** What comes after a pipe has taken too long. It may go on and end some time. */
export class PipeTimeoutError extends MessengerError {
  /** The name of the class. */
  override readonly name = "PipeTimeoutError";
  /**
   * Makes the error.
   *
   * @param message The message.
   * @param way Which way it went.
   * @param limitMs How long it might have taken, in milliseconds.
   */
  constructor({ type, channel }: AboutMessage, way: "send" | "handle", limitMs: number) {
    super(
      "pipe_timeout",
      `Gave up to ${way} ${named(type, channel)}: it has taken more than ${limitMs} ms`,
    );
  }
}

/** Too much has failed of late: nothing is tried for a while. */
export class CircuitOpenError extends MessengerError {
  /** The name of the class. */
  override readonly name = "CircuitOpenError";
  /** Milliseconds until something is tried again. */
  readonly retryAfterMs: number;
  /**
   * Makes the error.
   *
   * @param message The message.
   * @param retryAfterMs Milliseconds until something is tried again.
   */
  constructor({ type, channel }: AboutMessage, retryAfterMs: number) {
    super(
      "circuit_open",
      `Do not try ${named(type, channel)}: too much has failed; ` +
        `the next try is in ${Math.ceil(retryAfterMs)} ms`,
    );
    this.retryAfterMs = retryAfterMs;
  }
}

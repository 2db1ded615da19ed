import { MessengerError, quote } from "../base/mod.ts";

/** A subject that is not 1 to 255 characters of `[a-zA-Z0-9._-]`. */
export class InvalidSubjectError extends MessengerError {
  /** The name of the class. */
  override readonly name = "InvalidSubjectError";
  /**
   * Makes the error.
   *
   * @param subject The refused subject.
   */
  constructor(subject: string) {
    super(
      "invalid_subject",
      `Cannot use ${quote(subject)} as a subject: it takes 1 to 255 characters of a-z, A-Z, 0-9, ` +
        `".", "_" and "-"`,
    );
  }
}

/** Nobody serves the subject that a request was made on. */
export class NoResponderError extends MessengerError {
  /** The name of the class. */
  override readonly name = "NoResponderError";
  /** The subject. */
  readonly subject: string;
  /**
   * Makes the error.
   *
   * @param subject The subject.
   */
  constructor(subject: string) {
    super("no_responder", `Nobody serves ${quote(subject)}: start its server first`);
    this.subject = subject;
  }
}

/** The handler of a request threw; the message is the handler's own. */
export class RemoteError extends MessengerError {
  /** The name of the class. */
  override readonly name = "RemoteError";
  /** The subject of the request. */
  readonly subject: string;
  /**
   * Makes the error.
   *
   * @param subject The subject of the request.
   * @param message What the handler said.
   */
  constructor(subject: string, message: string) {
    super("remote_error", message);
    this.subject = subject;
  }
}

/** No answer came in time. */
export class RequestTimeoutError extends MessengerError {
  /** The name of the class. */
  override readonly name = "RequestTimeoutError";
  /** The subject of the request. */
  readonly subject: string;
  /** The time limit in milliseconds. */
  readonly timeoutMs: number;
  /**
   * Makes the error.
   *
   * @param subject The subject of the request.
   * @param timeoutMs The time limit in milliseconds.
   */
  constructor(subject: string, timeoutMs: number) {
    super("request_timeout", `No answer on ${quote(subject)} within ${timeoutMs} ms`);
    this.subject = subject;
    this.timeoutMs = timeoutMs;
  }
}

/** The bus was closed before or during the call. */
export class BusClosedError extends MessengerError {
  /** The name of the class. */
  override readonly name = "BusClosedError";
  /**
   * Makes the error.
   *
   * @param what What was asked of the closed bus.
   */
  constructor(what = "use the bus") {
    super("bus_closed", `Cannot ${what}: the bus is closed`);
  }
}

/** A payload is larger than the backend takes. */
export class PayloadTooLargeError extends MessengerError {
  /** The name of the class. */
  override readonly name = "PayloadTooLargeError";
  /** The subject. */
  readonly subject: string;
  /** Size of the payload in bytes. */
  readonly bytes: number;
  /** The most that the backend takes, in bytes. */
  readonly maxBytes: number;
  /**
   * Makes the error.
   *
   * @param subject The subject.
   * @param bytes Size of the payload in bytes.
   * @param maxBytes The most that the backend takes, in bytes.
   * @param options The error that caused this one.
   */
  constructor(subject: string, bytes: number, maxBytes: number, options?: ErrorOptions) {
    super(
      "payload_too_large",
      `Cannot send ${bytes} bytes on ${quote(subject)}: this bus takes ${maxBytes} at most`,
      options,
    );
    this.subject = subject;
    this.bytes = bytes;
    this.maxBytes = maxBytes;
  }
}

/** Replies of a `requestMany` came faster than they were read, over a transport that cannot wait. */
export class ReplyOverflowError extends MessengerError {
  /** The name of the class. */
  override readonly name = "ReplyOverflowError";
  /** The subject of the request. */
  readonly subject: string;
  /**
   * Makes the error.
   *
   * @param subject The subject of the request.
   * @param waiting Replies that were waiting to be read.
   */
  constructor(subject: string, waiting: number) {
    super(
      "reply_overflow",
      `${waiting} replies on ${quote(subject)} wait to be read and more arrive: read them faster`,
    );
    this.subject = subject;
  }
}

/** A server that a bus works over is down, dropped the connection or refused it. */
export class BusConnectionError extends MessengerError {
  /** The name of the class. */
  override readonly name = "BusConnectionError";
  /** The server's URL, without its password. */
  readonly url: string;
  /**
   * Makes the error.
   *
   * @param url The server's URL; a password in it is left out.
   * @param why What is wrong and what to do.
   * @param options The error that caused this one.
   */
  constructor(url: string, why: string, options?: ErrorOptions) {
    const shown = withoutPassword(url);
    super("bus_connection_failed", `No connection to ${shown}: ${why}`, options);
    this.url = shown;
  }
}

/** The SQLite file of a bus is damaged, locked or cannot be written. */
export class BusStorageError extends MessengerError {
  /** The name of the class. */
  override readonly name = "BusStorageError";
  /** The file. */
  readonly path: string;
  /**
   * Makes the error.
   *
   * @param path The file.
   * @param why What is wrong and what to do.
   * @param options The error that caused this one.
   */
  constructor(path: string, why: string, options?: ErrorOptions) {
    super("bus_storage_failed", `${path}: ${why}`, options);
    this.path = path;
  }
}

/** A value that the schema of a typed subject refuses, or that JSON cannot carry. */
export class BusPayloadInvalidError extends MessengerError {
  /** The name of the class. */
  override readonly name = "BusPayloadInvalidError";
  /** The subject. */
  readonly subject: string;
  /** Whether it is a request (also: a message) or a response. */
  readonly part: "request" | "response";
  /** Whether this side was about to send the value, or has received it. */
  readonly side: "sender" | "receiver";
  /** One sentence for each thing that is wrong. */
  readonly issues: readonly string[];
  /**
   * Makes the error.
   *
   * @param subject The subject.
   * @param part Whether it is a request or a response.
   * @param side Whether this side was about to send the value, or has received it.
   * @param issues One sentence for each thing that is wrong.
   * @param options The error that caused this one.
   */
  constructor(
    subject: string,
    part: "request" | "response",
    side: "sender" | "receiver",
    issues: readonly string[],
    options?: ErrorOptions,
  ) {
    super(
      "bus_payload_invalid",
      `The ${part} ${side === "sender" ? "for" : "that came on"} ${quote(subject)} is invalid: ${
        issues.join("; ")
      }`,
      options,
    );
    this.subject = subject;
    this.part = part;
    this.side = side;
    this.issues = issues;
  }
}

/** A URL that names no bus. */
export class InvalidBusUrlError extends MessengerError {
  /** The name of the class. */
  override readonly name = "InvalidBusUrlError";
  /** The URL, without its password. */
  readonly url: string;
  /**
   * Makes the error.
   *
   * @param url The URL; a password in it is left out.
   * @param why What is wrong and what would be right.
   * @param options The error that caused this one.
   */
  constructor(url: string, why: string, options?: ErrorOptions) {
    const shown = withoutPassword(url);
    super("invalid_bus_url", `Cannot open the bus ${quote(shown)}: ${why}`, options);
    this.url = shown;
  }
}

/** A URL as it may be shown: user and password or token are left out, also when it cannot be parsed. */
export function withoutPassword(url: string): string {
  return String(url).replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/?#]*@/i, "$1");
}

import { MessengerError, quote } from "../base/mod.ts";

/** The connection is closed, or was before the message was on its way. */
export class ConnectionClosedError extends MessengerError {
  /** The name of the class. */
  override readonly name = "ConnectionClosedError";
  /** WebSocket close code; 1006 when the connection broke without one. */
  readonly closeCode: number;
  /**
   * Makes the error.
   *
   * @param peer Who was at the other end.
   * @param closeCode WebSocket close code.
   * @param reason Why it was closed.
   * @param options The error that caused this one.
   */
  constructor(peer: string, closeCode: number, reason: string, options?: ErrorOptions) {
    super(
      "connection_closed",
      `The connection to ${peer || "its peer"} is closed (${closeCode}): ${
        reason || "no reason given"
      }`,
      options,
    );
    this.closeCode = closeCode;
  }
}

/** Two message types have one code, or one has the heartbeat's. */
export class DuplicateMessageCodeError extends MessengerError {
  /** The name of the class. */
  override readonly name = "DuplicateMessageCodeError";
  /** The numeric code in question. */
  readonly messageCode: number;
  /**
   * Makes the error.
   *
   * @param messageCode The numeric code.
   * @param names Names of the types that have it.
   */
  constructor(messageCode: number, names: readonly string[]) {
    super(
      "duplicate_message_code",
      `Cannot give the message code ${messageCode} to ${
        names.map(quote).join(" and ")
      }: every message type needs a code of its own`,
    );
    this.messageCode = messageCode;
  }
}

/** A broker, pipe or message type that cannot work as it was configured. */
export class InvalidConfigError extends MessengerError {
  /** The name of the class. */
  override readonly name = "InvalidConfigError";
  /**
   * Makes the error.
   *
   * @param message What is wrong and what would be right.
   * @param options The error that caused this one.
   */
  constructor(message: string, options?: ErrorOptions) {
    super("invalid_config", message, options);
  }
}

/** No encoding in common with the peer, or one that is not known here. */
export class InvalidEncodingError extends MessengerError {
  /** The name of the class. */
  override readonly name = "InvalidEncodingError";
  /**
   * Makes the error.
   *
   * @param message Which encodings were asked for and which there are.
   * @param options The error that caused this one.
   */
  constructor(message: string, options?: ErrorOptions) {
    super("invalid_encoding", message, options);
  }
}

/** A message of a type that is not registered here, or a code that no type has. */
export class InvalidMessageCodeError extends MessengerError {
  /** The name of the class. */
  override readonly name = "InvalidMessageCodeError";
  /** The numeric code; undefined when the type is known by its name alone. */
  readonly messageCode: number | undefined;
  /**
   * Makes the error.
   *
   * @param what The type's name, or what was received.
   * @param messageCode The numeric code.
   */
  constructor(what: string, messageCode?: number) {
    super(
      "invalid_message_code",
      `${what} is not registered here: give its type in the broker's messages, on both ends`,
    );
    this.messageCode = messageCode;
  }
}

/** There is nobody to send to. */
export class NoConnectionsError extends MessengerError {
  /** The name of the class. */
  override readonly name = "NoConnectionsError";
  /** Makes the error. */
  constructor() {
    super("no_connections", "Cannot send: nobody is connected");
  }
}

/** There is no connection to the server. */
export class ConnectFailedError extends MessengerError {
  /** The name of the class. */
  override readonly name = "ConnectFailedError";
  /** The server's URL. */
  readonly url: string;
  /** HTTP status of a server that refused: 503 when it has no room; undefined when none answered. */
  readonly status: number | undefined;
  /**
   * Makes the error.
   *
   * @param url The server's URL.
   * @param reason Why, and what to do.
   * @param status HTTP status of the refusal.
   * @param options The error that caused this one.
   */
  constructor(url: string, reason: string, status?: number, options?: ErrorOptions) {
    super("connect_failed", `Cannot connect to ${url}: ${reason}`, options);
    this.url = url;
    this.status = status;
  }
}

/** A text that is no topic, or no pattern of topics. */
export class InvalidTopicError extends MessengerError {
  /** The name of the class. */
  override readonly name = "InvalidTopicError";
  /**
   * Makes the error.
   *
   * @param message Which text, and what would be right.
   */
  constructor(message: string) {
    super("invalid_topic", message);
  }
}

/** A server does not let a client have, or publish to, a topic. */
export class TopicRefusedError extends MessengerError {
  /** The name of the class. */
  override readonly name = "TopicRefusedError";
  /** The topic, or the pattern of topics. */
  readonly topic: string;
  /**
   * Makes the error.
   *
   * @param topic The topic, or the pattern of topics.
   * @param reason Why.
   */
  constructor(topic: string, reason: string) {
    super("topic_refused", `${quote(topic)} is refused: ${reason}`);
    this.topic = topic;
  }
}

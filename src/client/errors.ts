import { MessengerError, quote } from "../base/mod.ts";

/** Every error that the client of a gateway raises by itself. */
export class GatewayClientError extends MessengerError {
  /** The name of the class. */
  override readonly name: string = "GatewayClientError";
}

/** The client was closed before or during the call. */
export class GatewayClosedError extends GatewayClientError {
  /** The name of the class. */
  override readonly name = "GatewayClosedError";
  /** Makes the error. */
  constructor() {
    super("gateway_closed", "The gateway client is closed: make another");
  }
}

/** The connection ended and will not be made again: the gateway refused this client for good. */
export class GatewayRejectedError extends GatewayClientError {
  /** The name of the class. */
  override readonly name = "GatewayRejectedError";
  /** The close code, such as 3500 for a refused token. */
  readonly closeCode: number;
  /** What the gateway said. */
  readonly reason: string;
  /**
   * Makes the error.
   *
   * @param closeCode The close code.
   * @param reason What the gateway said.
   * @param options The error that the gateway sent before.
   */
  constructor(closeCode: number, reason: string, options?: ErrorOptions) {
    super(
      "gateway_rejected",
      `The gateway ended the connection (${closeCode}): ${reason}`,
      options,
    );
    this.closeCode = closeCode;
    this.reason = reason;
  }
}

/** The gateway could not be reached within the time that the caller gave. */
export class GatewayUnreachableError extends GatewayClientError {
  /** The name of the class. */
  override readonly name = "GatewayUnreachableError";
  /**
   * Makes the error.
   *
   * @param url The gateway's address.
   * @param options Why the last attempt failed.
   */
  constructor(url: string, options?: ErrorOptions) {
    super("gateway_unreachable", `No connection to ${url}: check the address`, options);
  }
}

/** The connection broke before the gateway answered: the request may or may not have been carried out. */
export class GatewayConnectionLostError extends GatewayClientError {
  /** The name of the class. */
  override readonly name = "GatewayConnectionLostError";
  /**
   * Makes the error.
   *
   * @param code The close code; 1006 when there was none.
   * @param reason Why it ended.
   */
  constructor(code: number, reason: string) {
    super(
      "gateway_connection_lost",
      `The connection broke (${code}${reason && ` ${reason}`}) before the answer came`,
    );
  }
}

/** There is no connection, and the client was told not to wait for one or was never connected. */
export class GatewayNotConnectedError extends GatewayClientError {
  /** The name of the class. */
  override readonly name = "GatewayNotConnectedError";
  /** Makes the error. */
  constructor() {
    super("gateway_not_connected", "There is no connection to the gateway: call connect()");
  }
}

/** Too many requests wait for an answer or for the connection. */
export class GatewayQueueFullError extends GatewayClientError {
  /** The name of the class. */
  override readonly name = "GatewayQueueFullError";
  /**
   * Makes the error.
   *
   * @param limit What was exceeded.
   */
  constructor(limit: string) {
    super("gateway_queue_full", `More than ${limit} wait to be answered: await earlier ones first`);
  }
}

/** The gateway did not answer in time. */
export class GatewayTimeoutError extends GatewayClientError {
  /** The name of the class. */
  override readonly name = "GatewayTimeoutError";
  /**
   * Makes the error.
   *
   * @param what What was asked.
   * @param limitMs The limit, in milliseconds.
   */
  constructor(what: string, limitMs: number) {
    super("gateway_timeout", `No answer to ${what} within ${limitMs} ms`);
  }
}

/** The gateway, or a backend behind it, answered with an error. */
export class GatewayReplyError extends GatewayClientError {
  /** The name of the class. */
  override readonly name = "GatewayReplyError";
  /** The gateway's code, such as `PERMISSION_DENIED`. */
  readonly replyCode: string;
  /** The gateway's kind of error, such as `acl_error`. */
  readonly replyType: string;
  /** What else the gateway told. */
  readonly metadata: Readonly<Record<string, unknown>>;
  /**
   * Makes the error.
   *
   * @param error What the gateway sent.
   */
  constructor(
    error: {
      readonly code: string;
      readonly type: string;
      readonly message: string;
      readonly metadata: Readonly<Record<string, unknown>>;
    },
  ) {
    super("gateway_reply", `${error.code}: ${error.message}`);
    this.replyCode = error.code;
    this.replyType = error.type;
    this.metadata = error.metadata;
  }
}

/** The gateway sent what is no frame. */
export class GatewayProtocolError extends GatewayClientError {
  /** The name of the class. */
  override readonly name = "GatewayProtocolError";
  /**
   * Makes the error.
   *
   * @param what What arrived.
   * @param options Why it is wrong.
   */
  constructor(what: string, options?: ErrorOptions) {
    super("gateway_protocol", `The gateway sent ${what}`, options);
  }
}

/** The function that gives tokens failed. */
export class GatewayTokenError extends GatewayClientError {
  /** The name of the class. */
  override readonly name = "GatewayTokenError";
  /**
   * Makes the error.
   *
   * @param options What the function threw.
   */
  constructor(options?: ErrorOptions) {
    super("gateway_token_failed", "The token function failed", options);
  }
}

/** A loop over messages was slower than the channel. */
export class GatewayOverflowError extends GatewayClientError {
  /** The name of the class. */
  override readonly name = "GatewayOverflowError";
  /**
   * Makes the error.
   *
   * @param channel The channel.
   * @param limit How many messages may wait.
   */
  constructor(channel: string, limit: number) {
    super(
      "gateway_overflow",
      `More than ${limit} messages of ${quote(channel)} wait: read faster, or raise bufferSize`,
    );
  }
}

/** A message that arrived does not fit the schema of its channel. */
export class GatewayMessageError extends GatewayClientError {
  /** The name of the class. */
  override readonly name = "GatewayMessageError";
  /** The channel. */
  readonly channel: string;
  /** The message's id. */
  readonly messageId: string;
  /**
   * Makes the error.
   *
   * @param channel The channel.
   * @param messageId The message's id.
   * @param options What the schema said.
   */
  constructor(channel: string, messageId: string, options?: ErrorOptions) {
    super(
      "gateway_message_invalid",
      `Message ${quote(messageId)} of ${quote(channel)} was left out: it does not fit its schema`,
      options,
    );
    this.channel = channel;
    this.messageId = messageId;
  }
}

/**
 * What went wrong, as a class to catch, a stable `code` to branch on and a sentence to read.
 * Every error that the messenger raises by itself extends this one.
 */
export class MessengerError extends Error {
  /** The name of the class. */
  override readonly name: string = "MessengerError";
  /** Stable identifier of the condition, in snake case; part of the public API. */
  readonly code: string;

  /**
   * Makes the error.
   *
   * @param code Stable identifier of the condition.
   * @param message What failed, on what, and what to do.
   * @param options The error that caused this one.
   */
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** A channel name that is not 1 to 255 bytes of `[a-zA-Z0-9._-]`, or is `.` or `..`. */
export class InvalidChannelNameError extends MessengerError {
  /** The name of the class. */
  override readonly name = "InvalidChannelNameError";
  /**
   * Makes the error.
   *
   * @param name The refused name.
   */
  constructor(name: string) {
    super(
      "invalid_channel_name",
      `Cannot use ${
        quote(name)
      } as a channel name: it takes 1 to 255 characters of a-z, A-Z, 0-9, ` +
        `".", "_" and "-", and neither "." nor ".."`,
    );
  }
}

/** A channel name that belongs to the messenger itself, such as `{channel}.dead-letter`. */
export class ReservedChannelNameError extends MessengerError {
  /** The name of the class. */
  override readonly name = "ReservedChannelNameError";
  /**
   * Makes the error.
   *
   * @param name The refused name.
   */
  constructor(name: string) {
    super(
      "reserved_channel_name",
      `Cannot publish to ${
        quote(name)
      }: names that end in ".dead-letter" are written by the messenger alone`,
    );
  }
}

/** A subscriber id that is no valid name or begins with `fed-` or `fedout-`. */
export class InvalidSubscriberIdError extends MessengerError {
  /** The name of the class. */
  override readonly name = "InvalidSubscriberIdError";
  /**
   * Makes the error.
   *
   * @param id The refused id.
   */
  constructor(id: string) {
    super(
      "invalid_subscriber_id",
      `Cannot use ${
        quote(id)
      } as a subscriber id: it takes 1 to 255 characters of a-z, A-Z, 0-9, ` +
        `".", "_" and "-", and does not begin with "fed-" or "fedout-"`,
    );
  }
}

/** A pipe has not passed on what was published: it is not stored. */
export class PublishStoppedError extends MessengerError {
  /** The name of the class. */
  override readonly name = "PublishStoppedError";
  /** The channel that it was published to. */
  readonly channel: string;
  /**
   * Makes the error.
   *
   * @param channel The channel that it was published to.
   * @param index Which message of a batch it was, from 0.
   */
  constructor(channel: string, index?: number) {
    const what = index === undefined ? "the message" : `message ${index} of the batch`;
    super(
      "publish_stopped",
      `Did not publish to ${quote(channel)}: a pipe has stopped ${what}`,
    );
    this.channel = channel;
  }
}

/** The messenger was closed before or during the call. */
export class MessengerClosedError extends MessengerError {
  /** The name of the class. */
  override readonly name = "MessengerClosedError";
  /**
   * Makes the error.
   *
   * @param what What was asked of the closed messenger.
   */
  constructor(what = "use the messenger") {
    super("messenger_closed", `Cannot ${what}: the messenger is closed`);
  }
}

/** A payload type was registered twice. */
export class PayloadTypeAlreadyRegisteredError extends MessengerError {
  /** The name of the class. */
  override readonly name = "PayloadTypeAlreadyRegisteredError";
  /**
   * Makes the error.
   *
   * @param payloadType The type in question.
   */
  constructor(payloadType: string) {
    super(
      "payload_type_already_registered",
      `Cannot register payload type ${quote(payloadType)}: it is registered already`,
    );
  }
}

/** A payload that its registered schema refuses, or that JSON cannot carry. */
export class PayloadInvalidError extends MessengerError {
  /** The name of the class. */
  override readonly name = "PayloadInvalidError";
  /** The payload's type. */
  readonly payloadType: string;
  /** One sentence for each thing that is wrong. */
  readonly issues: readonly string[];
  /**
   * Makes the error.
   *
   * @param payloadType The payload's type.
   * @param issues One sentence for each thing that is wrong.
   * @param options The error that caused this one.
   */
  constructor(payloadType: string, issues: readonly string[], options?: ErrorOptions) {
    super(
      "payload_invalid",
      `Payload of type ${quote(payloadType)} is invalid: ${issues.join("; ")}`,
      options,
    );
    this.payloadType = payloadType;
    this.issues = issues;
  }
}

/** One problem of a configuration. */
export interface ConfigProblem {
  /** Where in the configuration, as in the file: `storage.sync_policy`, `client.hubs[0].addr`. */
  readonly path: string;
  /** What is wrong and what would be right. */
  readonly message: string;
}

/** A configuration with one or more problems, all of them listed. */
export class ConfigError extends MessengerError {
  /** The name of the class. */
  override readonly name = "ConfigError";
  /** Every problem that was found. */
  readonly problems: readonly ConfigProblem[];
  /**
   * Makes the error.
   *
   * @param source What was read: a file's path, or "configuration".
   * @param problems Every problem that was found.
   * @param options The error that caused this one.
   */
  constructor(source: string, problems: readonly ConfigProblem[], options?: ErrorOptions) {
    const count = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
    const lines = problems.map(({ path, message }) =>
      path ? `  ${path}: ${message}` : `  ${message}`
    );
    super("config_invalid", `${source} has ${count}:\n${lines.join("\n")}`, options);
    this.problems = problems;
  }
}

/** Another process owns the data directory. */
export class DataDirLockedError extends MessengerError {
  /** The name of the class. */
  override readonly name = "DataDirLockedError";
  /** The data directory. */
  readonly dataDir: string;
  /** Process id of the owner; undefined when it could not be read. */
  readonly pid: number | undefined;
  /**
   * Makes the error.
   *
   * @param dataDir The data directory.
   * @param pid Process id of the owner.
   */
  constructor(dataDir: string, pid: number | undefined) {
    super(
      "data_dir_locked",
      `Cannot open data directory ${quote(dataDir)}: process ${
        pid ?? "unknown"
      } owns it; stop that process or use another directory`,
    );
    this.dataDir = dataDir;
    this.pid = pid;
  }
}

/** A subscriber with this id already follows this channel. */
export class AlreadySubscribedError extends MessengerError {
  /** The name of the class. */
  override readonly name = "AlreadySubscribedError";
  /**
   * Makes the error.
   *
   * @param channel The channel.
   * @param subscriberId The subscriber's id.
   */
  constructor(channel: string, subscriberId: string) {
    super(
      "already_subscribed",
      `Cannot subscribe ${quote(subscriberId)} to ${quote(channel)}: it is subscribed already`,
    );
  }
}

/** No cursor of that subscriber is known for that channel. */
export class SubscriberNotFoundError extends MessengerError {
  /** The name of the class. */
  override readonly name = "SubscriberNotFoundError";
  /**
   * Makes the error.
   *
   * @param channel The channel.
   * @param subscriberId The subscriber's id.
   */
  constructor(channel: string, subscriberId: string) {
    super(
      "subscriber_not_found",
      `Channel ${quote(channel)} has no subscriber ${quote(subscriberId)}`,
    );
  }
}

/** Files below the data directory could not be read, written or trusted. */
export class StorageError extends MessengerError {
  /** The name of the class. */
  override readonly name = "StorageError";
  /**
   * Makes the error.
   *
   * @param message What failed, on which file.
   * @param options The error that caused this one.
   */
  constructor(message: string, options?: ErrorOptions) {
    super("storage_failed", message, options);
  }
}

/** A certificate, key or CA file is missing, damaged, expired or does not fit the others. */
export class CertificateError extends MessengerError {
  /** The name of the class. */
  override readonly name = "CertificateError";
  /** The file at fault. */
  readonly path: string;
  /**
   * Makes the error.
   *
   * @param path The file at fault.
   * @param message What is wrong with it and what to do.
   * @param options The error that caused this one.
   */
  constructor(path: string, message: string, options?: ErrorOptions) {
    super("certificate_invalid", `${path}: ${message}`, options);
    this.path = path;
  }
}

/** The hub cannot listen on its address. */
export class HubListenError extends MessengerError {
  /** The name of the class. */
  override readonly name = "HubListenError";
  /** The address in question. */
  readonly address: string;
  /**
   * Makes the error.
   *
   * @param address The address in question.
   * @param why What is wrong and what to do.
   * @param options The error that caused this one.
   */
  constructor(address: string, why: string, options?: ErrorOptions) {
    super("hub_listen_failed", `Cannot listen on ${address}: ${why}`, options);
    this.address = address;
  }
}

/** A hub refused the connection for good: reconnecting will not help. */
export class HubRejectedError extends MessengerError {
  /** The name of the class. */
  override readonly name = "HubRejectedError";
  /** The hub's address. */
  readonly hubAddr: string;
  /** The WebSocket close code. */
  readonly closeCode: number;
  /**
   * Makes the error.
   *
   * @param hubAddr The hub's address.
   * @param closeCode The WebSocket close code.
   * @param reason What the hub said.
   */
  constructor(hubAddr: string, closeCode: number, reason: string) {
    super("hub_rejected", `Hub ${hubAddr} refused the connection (${closeCode}): ${reason}`);
    this.hubAddr = hubAddr;
    this.closeCode = closeCode;
  }
}

/** The connection of an ephemeral messenger broke before the hub acknowledged. */
export class EphemeralConnectionLostError extends MessengerError {
  /** The name of the class. */
  override readonly name = "EphemeralConnectionLostError";
  /**
   * Makes the error.
   *
   * @param hubAddr The hub's address.
   * @param options The error that caused this one.
   */
  constructor(hubAddr: string, options?: ErrorOptions) {
    super(
      "ephemeral_connection_lost",
      `Connection to hub ${hubAddr} is lost: what was not acknowledged may or may not have been stored`,
      options,
    );
  }
}

/** The ephemeral messenger was closed before or during the call. */
export class EphemeralClosedError extends MessengerError {
  /** The name of the class. */
  override readonly name = "EphemeralClosedError";
  /** Makes the error. */
  constructor() {
    super("ephemeral_closed", "The ephemeral messenger is closed");
  }
}

/** Quotes a value for a message, cut to a length that fits a log line. */
export function quote(text: string): string {
  if (typeof text !== "string") return String(text);
  const shown = text.length > 80 ? `${text.slice(0, 77)}...` : text;
  return JSON.stringify(shown);
}

/** The sentence of any thrown value. Never throws itself: anything can be thrown. */
export function messageOf(error: unknown): string {
  try {
    return error instanceof Error ? String(error.message) || error.name : String(error);
  } catch {
    return "an error that cannot be shown as text";
  }
}

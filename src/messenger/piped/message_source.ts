import type { EncodeOptions } from "../../envelope/mod.ts";
import type { ReceivedMessage } from "../../storage/mod.ts";
import { inContext, type RecordMaker } from "../record_maker.ts";
import type { Sending } from "./sending.ts";

/** What the headers of a message say, by name. */
export type Headers = Readonly<Record<string, string>>;

/** Where a message comes from: what stays the same however often pipes change its value. */
export interface MessageSource {
  /** Id, origin, correlation id and service name, as far as they are known. */
  readonly headers: Headers;
  /** The same with other headers. */
  with(headers: Headers): MessageSource;
}

/** A message that the program, or a pipe, publishes. Its id is made when somebody asks for it. */
export class OutgoingSource implements MessageSource {
  #headers: Headers | undefined;

  /**
   * @param maker Makes ids.
   * @param origin The instance's name.
   * @param options What the caller, or the calling context, says of the message.
   * @param sending The call of `publish` that waits for it; undefined when there is none.
   */
  constructor(
    readonly maker: RecordMaker,
    readonly origin: string,
    readonly options: EncodeOptions | undefined,
    readonly sending: Sending | undefined,
  ) {}

  get headers(): Headers {
    return this.#headers ??= {
      id: this.options?.id ?? this.maker.newId(),
      origin: this.origin,
      ...(this.options?.correlationId && { correlationId: this.options.correlationId }),
      ...(this.options?.serviceName && { serviceName: this.options.serviceName }),
    };
  }

  /** What its record says beside channel, type and payload. */
  get encodeOptions(): EncodeOptions | undefined {
    return this.#headers ?? this.options;
  }

  with(headers: Headers): OutgoingSource {
    const source = new OutgoingSource(this.maker, this.origin, this.options, this.sending);
    source.#headers = { ...this.headers, ...headers };
    return source;
  }
}

/** A message that was delivered. */
export class IncomingSource implements MessageSource {
  readonly #changes: Headers | undefined;
  #headers: Headers | undefined;

  /**
   * @param received What was delivered.
   * @param changes Headers that a pipe has replaced.
   */
  constructor(readonly received: ReceivedMessage, changes?: Headers) {
    this.#changes = changes;
  }

  /** Whether a pipe has replaced headers. */
  get isChanged(): boolean {
    return this.#changes !== undefined;
  }

  get headers(): Headers {
    const { id, origin, correlationId, serviceName } = this.received;
    return this.#headers ??= {
      id,
      origin,
      ...(correlationId !== "" && { correlationId }),
      ...(serviceName !== "" && { serviceName }),
      ...this.#changes,
    };
  }

  with(headers: Headers): IncomingSource {
    return new IncomingSource(this.received, { ...this.#changes, ...headers });
  }

  /**
   * The source of a message that answers it: of the same correlation id, with an id of its own.
   *
   * @param maker Makes ids.
   * @param origin The instance's name.
   */
  outgoing(maker: RecordMaker, origin: string): OutgoingSource {
    const { correlationId } = this.received;
    const options = inContext({ correlationId, ...this.#changes });
    return new OutgoingSource(maker, origin, options, undefined);
  }
}

import type { EncodeOptions } from "../../envelope/mod.ts";
import type { RecordMaker } from "../record_maker.ts";
import type { Sending } from "./sending.ts";

/** What the headers of a message say, by name. */
export type Headers = Readonly<Record<string, string>>;

/**
 * Where a message comes from that the program, or a pipe, publishes: what stays the same however often
 * pipes change its value. Its id is made when somebody asks for it.
 */
export class OutgoingSource {
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

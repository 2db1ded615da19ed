import {
  type Pipe,
  PipeChain,
  type PipeConnection,
  PipeMessage,
  type PipeMessageChange,
  type PipeSendOptions,
} from "@keyop/messenger/pipes";

/** What a test says of a message beside its value. */
export interface TestMessageOptions {
  readonly type?: string;
  /** Absent in a broker. */
  readonly channel?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
}

class TestMessage extends PipeMessage {
  constructor(
    readonly chain: PipeChain,
    readonly value: unknown,
    readonly type: string,
    readonly channel: string | undefined,
    readonly headers: Readonly<Record<string, string>>,
  ) {
    super(chain);
  }

  with(value: unknown, change: PipeMessageChange = {}): TestMessage {
    const { type = this.type, channel = this.channel, headers } = change;
    return new TestMessage(this.chain, value, type, channel, { ...this.headers, ...headers });
  }
}

/** A message as it is on the wire, or as a handler gets it. */
export interface Passed {
  readonly type: string;
  readonly channel: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly value: unknown;
}

/** One end with pipes, between a wire and a handler that only keep what they get. */
export class TestHost {
  /** What has reached the wire, in order. */
  readonly sent: Passed[] = [];
  /** What has reached the handler, in order. */
  readonly handled: Passed[] = [];
  /** What the wire does with a message. */
  onSend: (message: PipeMessage, options?: PipeSendOptions) => Promise<void> | void = () => {};
  /** What the handler does with a message. */
  onHandle: (message: PipeMessage) => Promise<void> | void = () => {};
  readonly #chain: PipeChain;
  readonly #options: TestMessageOptions;

  /**
   * @param pipes The pipes.
   * @param options What all messages have in common.
   */
  constructor(pipes: readonly Pipe[], options: TestMessageOptions = {}) {
    this.#options = options;
    this.#chain = new PipeChain(pipes, {
      handle: async (_connection, message) => {
        this.handled.push(message);
        await this.onHandle(message);
      },
      send: async (message, _connections, sendOptions) => {
        this.sent.push(message);
        await this.onSend(message, sendOptions);
      },
    });
  }

  /** The program sends. @returns What is on the wire then, as JSON brings it to the other end. */
  async send(
    value: unknown,
    options: TestMessageOptions & { readonly signal?: AbortSignal } = {},
  ): Promise<Passed> {
    const { signal } = options;
    await this.#chain.send(this.#message(value, options), [PEER], signal && { signal });
    const { type, channel, headers, value: wire } = this.sent.at(-1) ??
      this.#message(undefined, {});
    return { type, channel, headers, value: wire && JSON.parse(JSON.stringify(wire)) };
  }

  /** Something comes from the wire. @returns What the handler got last. */
  async receive(
    { value, ...rest }: TestMessageOptions & { readonly value: unknown },
    connection: PipeConnection = PEER,
  ): Promise<Passed> {
    await this.#chain.handle(connection, this.#message(value, rest));
    return this.handled.at(-1)!;
  }

  #message(value: unknown, options: TestMessageOptions): TestMessage {
    const { type = "Text", channel, headers = {} } = { ...this.#options, ...options };
    return new TestMessage(this.#chain, value, type, channel, headers);
  }
}

/** The other end of a {@linkcode TestHost}. */
export const PEER: PipeConnection = { id: "1", peer: "peer" };

import { messageOf, PayloadInvalidError } from "../base/mod.ts";
import { PayloadRegistry, type PayloadSchema } from "../registry/mod.ts";
import type {
  Bus,
  BusContext,
  BusHeaders,
  BusPublishOptions,
  BusRequestOptions,
  BusServeOptions,
  BusStreamOptions,
  BusSubscription,
} from "./bus.ts";
import { BusPayloadInvalidError } from "./errors.ts";
import { validateSubject } from "./subject_name.ts";

/** How the values of a subject are checked; a part without a schema takes any JSON. */
export interface SubjectSchemas<Req, Res> {
  /** Checks requests and published messages: a Standard Schema, or a function that returns or throws. */
  readonly request?: PayloadSchema<Req>;
  /** Checks answers. */
  readonly response?: PayloadSchema<Res>;
}

/** Options of {@linkcode TypedSubject.stream}. */
export interface TypedStreamOptions extends BusStreamOptions {
  /**
   * Told of messages that are invalid, which are then skipped. Without it the iteration throws the error;
   * the subscription stays open, and another iteration goes on behind the message.
   */
  readonly onInvalid?: (error: BusPayloadInvalidError) => void;
}

/** A value with what travelled along. */
export interface TypedMessage<T> {
  /** The subject that it was published to. */
  readonly subject: string;
  /** The value, as the schema returned it. */
  readonly value: T;
  /** What travelled with it. */
  readonly headers: BusHeaders;
}

/** A stream of checked values. */
export interface TypedSubscription<T> extends AsyncIterable<T>, AsyncDisposable {
  /** The subject. */
  readonly subject: string;
  /** Messages that were lost because this reader was too slow. */
  readonly dropped: number;
  /** Messages that were invalid. */
  readonly invalid: number;
  /** Settles when it has ended; rejects with the error that ended it. */
  readonly closed: Promise<void>;
  /** The values with their headers. */
  messages(): AsyncIterable<TypedMessage<T>>;
  /** Ends it; see `BusSubscription.close`. */
  close(): Promise<void>;
}

/** Answers a request with a value, or with several. */
export type TypedHandler<Req, Res> = (
  value: Req,
  context: BusContext,
) => Res | AsyncIterable<Res> | Promise<Res | AsyncIterable<Res>>;

/**
 * A subject whose values are JSON and checked on both ends, on any bus. What is sent is the value that was
 * given: a schema that changes values does so where they are received. `undefined` travels as an empty
 * payload.
 */
export interface TypedSubject<Req, Res> {
  /** The subject. */
  readonly name: string;
  /**
   * Publishes a value.
   *
   * @throws {BusPayloadInvalidError} When the schema refuses the value, or JSON cannot carry it.
   */
  publish(bus: Bus, value: Req, options?: BusPublishOptions): Promise<void>;
  /** Follows the subject; see {@linkcode TypedStreamOptions} for what is invalid. */
  stream(bus: Bus, options?: TypedStreamOptions): Promise<TypedSubscription<Req>>;
  /**
   * Asks for one answer.
   *
   * @throws {BusPayloadInvalidError} When a schema refuses the request or the answer. What the server's
   *   schema refuses comes as a `RemoteError`.
   */
  request(bus: Bus, value: Req, options?: BusRequestOptions): Promise<Res>;
  /** Asks for every answer; see {@linkcode TypedSubject.request}. */
  requestMany(bus: Bus, value: Req, options?: BusRequestOptions): AsyncIterable<Res>;
  /** Answers requests; what is invalid never reaches the handler, and its caller gets a `RemoteError`. */
  serve(
    bus: Bus,
    handler: TypedHandler<Req, Res>,
    options?: BusServeOptions,
  ): Promise<BusSubscription>;
}

/**
 * Describes a subject with its types.
 *
 * @param name The subject, 1 to 255 characters of `[a-zA-Z0-9._-]`.
 * @param schemas How its values are checked.
 * @returns What publishes, streams, requests and serves on any bus.
 * @throws {InvalidSubjectError} When the name is none.
 * @throws {RangeError} When a schema is none.
 *
 * @example
 * ```ts
 * import { InMemoryBus, subject } from "@keyop/messenger/bus";
 * import { assertEquals } from "@std/assert";
 * import { z } from "zod";
 *
 * const add = subject("add", { request: z.array(z.number()), response: z.number() });
 *
 * await using bus = new InMemoryBus();
 * await add.serve(bus, (numbers) => numbers.reduce((sum, number) => sum + number, 0));
 * assertEquals(await add.request(bus, [1, 2, 3]), 6);
 * ```
 */
export function subject<Req = unknown, Res = unknown>(
  name: string,
  schemas: SubjectSchemas<Req, Res> = {},
): TypedSubject<Req, Res> {
  validateSubject(name);
  return new CheckedSubject(name, schemas);
}

type Part = "request" | "response";
type Side = "sender" | "receiver";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

class CheckedSubject<Req, Res> implements TypedSubject<Req, Res> {
  readonly name: string;
  readonly #registry = new PayloadRegistry();

  constructor(name: string, { request, response }: SubjectSchemas<Req, Res>) {
    this.name = name;
    this.#registry.register("request", request);
    this.#registry.register("response", response);
  }

  async publish(bus: Bus, value: Req, options?: BusPublishOptions): Promise<void> {
    await bus.publish(this.name, await this.#encode("request", value), options);
  }

  async stream(bus: Bus, options: TypedStreamOptions = {}): Promise<TypedSubscription<Req>> {
    const { onInvalid, ...rest } = options;
    const subscription = await bus.stream(this.name, rest);
    const decode = (data: Uint8Array) => this.#decode("request", data) as Promise<Req>;
    return new CheckedSubscription(subscription, decode, onInvalid);
  }

  async request(bus: Bus, value: Req, options?: BusRequestOptions): Promise<Res> {
    const data = await this.#encode("request", value);
    const answer = await bus.request(this.name, data, options);
    return await this.#decode("response", answer) as Res;
  }

  async *requestMany(
    bus: Bus,
    value: Req,
    options?: BusRequestOptions,
  ): AsyncGenerator<Res, void, void> {
    const data = await this.#encode("request", value);
    for await (const answer of bus.requestMany(this.name, data, options)) {
      yield await this.#decode("response", answer) as Res;
    }
  }

  serve(
    bus: Bus,
    handler: TypedHandler<Req, Res>,
    options?: BusServeOptions,
  ): Promise<BusSubscription> {
    const encode = (value: Res) => this.#encode("response", value);
    return bus.serve(this.name, async (data, context) => {
      const answer = await handler(await this.#decode("request", data) as Req, context);
      return isIterable<Res>(answer) ? encodeAll(answer, encode) : await encode(answer);
    }, options);
  }

  async #encode(part: Part, value: unknown): Promise<Uint8Array> {
    await this.#parse(part, "sender", value);
    if (value === undefined) return new Uint8Array();
    try {
      const json = JSON.stringify(value);
      if (json === undefined) throw new TypeError("it is neither data nor undefined");
      return encoder.encode(json);
    } catch (error) {
      const issue = `JSON cannot carry it: ${messageOf(error)}`;
      throw new BusPayloadInvalidError(this.name, part, "sender", [issue], { cause: error });
    }
  }

  #decode(part: Part, data: Uint8Array): Promise<unknown> {
    let value: unknown;
    try {
      if (data.length > 0) value = JSON.parse(decoder.decode(data));
    } catch (error) {
      const issue = `it is not JSON in UTF-8: ${messageOf(error)}`;
      return Promise.reject(
        new BusPayloadInvalidError(this.name, part, "receiver", [issue], { cause: error }),
      );
    }
    return this.#parse(part, "receiver", value);
  }

  async #parse(part: Part, side: Side, value: unknown): Promise<unknown> {
    try {
      return await this.#registry.parse(part, value);
    } catch (error) {
      const issues = error instanceof PayloadInvalidError ? error.issues : [messageOf(error)];
      throw new BusPayloadInvalidError(this.name, part, side, issues, { cause: error });
    }
  }
}

class CheckedSubscription<T> implements TypedSubscription<T> {
  readonly #subscription: BusSubscription;
  readonly #decode: (data: Uint8Array) => Promise<T>;
  readonly #onInvalid: ((error: BusPayloadInvalidError) => void) | undefined;
  invalid = 0;

  constructor(
    subscription: BusSubscription,
    decode: (data: Uint8Array) => Promise<T>,
    onInvalid: ((error: BusPayloadInvalidError) => void) | undefined,
  ) {
    this.#subscription = subscription;
    this.#decode = decode;
    this.#onInvalid = onInvalid;
  }

  get subject(): string {
    return this.#subscription.subject;
  }

  get dropped(): number {
    return this.#subscription.dropped;
  }

  get closed(): Promise<void> {
    return this.#subscription.closed;
  }

  close(): Promise<void> {
    return this.#subscription.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  [Symbol.asyncIterator](): AsyncIterator<T, undefined> {
    return this.#iterator(({ value }) => value);
  }

  messages(): AsyncIterable<TypedMessage<T>> {
    return { [Symbol.asyncIterator]: () => this.#iterator((message) => message) };
  }

  /** Not a generator: that would end with the first invalid message. */
  #iterator<V>(map: (message: TypedMessage<T>) => V): AsyncIterator<V, undefined> {
    const messages = this.#subscription.messages()[Symbol.asyncIterator]();
    return {
      next: async () => {
        for (;;) {
          const result = await messages.next();
          if (result.done) return { done: true, value: undefined };
          const { subject, data, headers } = result.value;
          try {
            const value = await this.#decode(data);
            return { done: false, value: map({ subject, value, headers }) };
          } catch (error) {
            this.invalid++;
            if (this.#onInvalid === undefined) throw error;
            this.#onInvalid(error as BusPayloadInvalidError);
          }
        }
      },
      return: async () => {
        await messages.return?.();
        return { done: true, value: undefined };
      },
    };
  }
}

async function* encodeAll<T>(
  values: AsyncIterable<T>,
  encode: (value: T) => Promise<Uint8Array>,
): AsyncGenerator<Uint8Array, void, void> {
  for await (const value of values) yield await encode(value);
}

function isIterable<T>(value: unknown): value is AsyncIterable<T> {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value;
}

import {
  type DescMessage,
  fromJson,
  type JsonValue,
  type MessageShape,
  toJson,
} from "@bufbuild/protobuf";
import { messageOf } from "../../base/mod.ts";
import { ANY_TYPES } from "../codec/mod.ts";
import type { HookName, TextMap } from "../config/mod.ts";
import {
  ANSWER_BYTES_MAX,
  type BackendLink,
  type CallOptions,
  failed,
  identityOf,
  type Method,
} from "./link.ts";

/** What came back. */
export interface HttpAnswer {
  readonly status: number;
  readonly body: ReadableStream<Uint8Array> | null;
}

/** Posts one request; redirects are not followed. */
export interface HttpSender {
  post(
    body: string,
    headers: readonly (readonly [string, string])[],
    signal: AbortSignal,
  ): Promise<HttpAnswer>;
  /** Closes its connections. */
  close(): void;
}

/** The backend protocol over HTTP: one POST of JSON a call. Needs `--allow-net` for the endpoint. */
export class HttpLink implements BackendLink {
  readonly #sender: HttpSender;
  readonly #headers: readonly (readonly [string, string])[];

  /**
   * Makes the link.
   *
   * @param sender The way there.
   * @param headers What each request has in addition.
   */
  constructor(sender: HttpSender, headers: TextMap) {
    this.#sender = sender;
    this.#headers = [
      ...Object.entries(headers).flatMap(([name, texts]) =>
        texts.map((text) => [name, text] as const)
      ),
      ["content-type", "application/json"],
      ["accept", "application/json"],
    ];
  }

  async call<I extends DescMessage, O extends DescMessage>(
    method: Method<I, O>,
    request: MessageShape<I>,
    { caller, signal }: CallOptions,
  ): Promise<MessageShape<O>> {
    const json = toJson(method.input, request, { useProtoFieldName: true, registry: ANY_TYPES });
    const headers = [...this.#headers, ...identityOf(method.name as HookName, caller)];
    const text = await this.#exchange(JSON.stringify(json), headers, signal);
    // Backends have nothing to say about what they only hear of.
    if (text.trim() === "" && method.name !== "RPC" && method.name !== "Authenticate") {
      return fromJson(method.output, {});
    }
    try {
      return fromJson(method.output, JSON.parse(text) as JsonValue, {
        ignoreUnknownFields: true,
        registry: ANY_TYPES,
      });
    } catch (error) {
      throw failed("proxy returned a body that is no answer", messageOf(error), error);
    }
  }

  close(): void {
    this.#sender.close();
  }

  async #exchange(
    body: string,
    headers: readonly (readonly [string, string])[],
    signal: AbortSignal,
  ): Promise<string> {
    let answer: HttpAnswer;
    try {
      answer = await this.#sender.post(body, headers, signal);
    } catch (error) {
      throw failed("the backend cannot be reached", messageOf(error), error);
    }
    if (answer.status < 200 || answer.status > 299) {
      await answer.body?.cancel().catch(() => {});
      throw failed(`proxy returned status ${answer.status}`);
    }
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(await readAll(answer.body));
    } catch (error) {
      throw failed("proxy returned a body that cannot be read", messageOf(error), error);
    }
  }
}

async function readAll(body: ReadableStream<Uint8Array> | null): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  // Leaving the loop by an error cancels the rest.
  for await (const part of body ?? []) {
    length += part.length;
    if (length > ANSWER_BYTES_MAX) {
      throw new RangeError(`it is longer than ${ANSWER_BYTES_MAX} bytes`);
    }
    parts.push(part);
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

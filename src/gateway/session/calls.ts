import { messageOf } from "../../base/mod.ts";
import type { Publication, StreamPosition } from "../broker/mod.ts";
import { cloudEventOf, eventOf, replyEvent } from "../codec/mod.ts";
import { type GatewayEvent, makeEvent, makeJsonEvent, textOf } from "../event.ts";
import { checkConcrete } from "../pattern/mod.ts";
import type { client, CloudEvent } from "../proto/mod.ts";
import type { SessionHost } from "./host.ts";
import type { Backend, RpcOutcome, RpcRequest } from "./ports.ts";
import type { Session } from "./session.ts";
import { badRequest, RequestError, type WireError, wireError } from "./wire_error.ts";

const HISTORY_DEFAULT = 100;
const HISTORY_MAX = 1_000;
/** Bytes of data from which on an answer takes no more publications; the caller asks for the rest. */
const HISTORY_BYTES = 1_048_576;
const PRESENCE_MAX = 256;

/** The calls of one session: to backends, and those that the gateway answers itself. */
export class Calls {
  readonly #session: Session;
  readonly #host: SessionHost;

  constructor(session: Session, host: SessionHost) {
    this.#session = session;
    this.#host = host;
  }

  /** Answers a call in its own time. */
  start(message: client.InboundMessage, payload: CloudEvent): void {
    const session = this.#session;
    const event = eventOf(payload);
    const request: RpcRequest = {
      id: message.id,
      channel: message.channel || event.source,
      method: message.method || event.type,
      event,
    };
    if (!session.scopes.hasRoom("rpcs")) {
      session.sendError(message, wireError("RATE_LIMITED", "too many calls are under way"));
      return;
    }
    session.scopes.count("rpcs", 1);
    this.#answer(request).then(
      (outcome) => this.#reply(message, request, outcome),
      (error) => session.fail(message, error),
    ).finally(() => session.scopes.count("rpcs", -1));
  }

  #reply(message: client.InboundMessage, request: RpcRequest, outcome: RpcOutcome): void {
    if (outcome.error !== undefined) return this.#session.sendError(message, outcome.error);
    const event = replyEvent(
      outcome.event ?? makeEvent({}),
      this.#host.settings.dataForm,
      request,
    );
    this.#session.answer(message, { case: "rpcReply", value: cloudEventOf(event) });
  }

  #answer(request: RpcRequest): Promise<RpcOutcome> {
    if (request.method.startsWith("$")) return this.#reserved(request);
    const { backends } = this.#host;
    const backend = backends.find(request.channel, request.method, "RPC");
    if (backend !== undefined) return this.#forward(backend, request);
    if (!backends.configured) return Promise.resolve({ event: request.event });
    return Promise.resolve({
      error: wireError("NO_PROXY", "no backend takes this method on this channel"),
    });
  }

  async #forward(backend: Backend, request: RpcRequest): Promise<RpcOutcome> {
    const { clock, settings, logger } = this.#host;
    const limitMs = Math.min(settings.rpcTimeoutMs, backend.timeoutMs);
    const began = clock.monotonic();
    const late = new AbortController();
    const timedOut = Promise.withResolvers<RpcOutcome>();
    const timer = clock.after(limitMs, () => {
      const elapsed = Math.round(clock.monotonic() - began);
      timedOut.resolve({
        error: wireError("RPC_TIMEOUT", `no answer from the backend within ${elapsed} ms`),
      });
      late.abort();
    });
    const signal = AbortSignal.any([late.signal, this.#session.signal]);
    const called = backend.rpc(request, this.#session.caller, signal).catch((error) => {
      if (!signal.aborted) {
        logger.warn("backend call failed", { backend: backend.name, error: messageOf(error) });
      }
      return { error: failureOf(error) };
    });
    try {
      return await Promise.race([called, timedOut.promise]);
    } finally {
      timer.cancel();
    }
  }

  #reserved(request: RpcRequest): Promise<RpcOutcome> {
    switch (request.method) {
      case "$history":
        return this.#history(request);
      case "$presence":
        return this.#presence(request);
      default:
        return Promise.resolve({ error: badRequest("methods that begin with $ are reserved") });
    }
  }

  async #history({ channel, event }: RpcRequest): Promise<RpcOutcome> {
    this.#check("history", channel);
    const { since, limit, reverse } = historyRequest(event);
    const page = await this.#host.broker.history(channel, {
      limit,
      reverse,
      ...(since === undefined ? {} : { since }),
    });
    return {
      event: makeJsonEvent({
        epoch: page.top.epoch,
        top_offset: String(page.top.offset),
        gap: page.gap,
        publications: upTo(HISTORY_BYTES, page.publications).map((publication) => ({
          offset: String(publication.offset),
          id: publication.event.id || publication.id,
          type: publication.event.type || `${publication.channel}.message`,
          source: publication.event.source,
          time: publication.timeMs,
          content_type: publication.event.contentType,
          data: publication.event.data.toBase64(),
          ...attributesOf(publication.event),
        })),
      }, { type: "$history" }),
    };
  }

  async #presence({ channel }: RpcRequest): Promise<RpcOutcome> {
    this.#check("presence", channel);
    const { occupancy, members } = await this.#host.broker.members(channel, PRESENCE_MAX);
    return {
      event: makeJsonEvent({
        occupancy,
        truncated: members.length < occupancy,
        clients: members.map(({ sessionId, clientId, userId, connectedAtMs }) => ({
          session_id: sessionId,
          client_id: clientId,
          user_id: userId,
          connected_at: connectedAtMs,
        })),
      }, { type: "$presence" }),
    };
  }

  #check(action: "history" | "presence", channel: string): void {
    checkConcrete(channel);
    const { user, subscriptions } = this.#session;
    if (subscriptions.covers(channel) && this.#host.authorizer.may(user, action, channel)) return;
    const why = `${action} of a channel is for those who may have it and are subscribed to it`;
    throw new RequestError(wireError("PERMISSION_DENIED", why));
  }
}

/** The first publications, until they have that many bytes; at least one. */
function upTo(bytesMax: number, publications: readonly Publication[]): readonly Publication[] {
  let bytes = 0;
  const end = publications.findIndex(({ event }) => (bytes += event.data.length) > bytesMax);
  return end < 0 ? publications : publications.slice(0, Math.max(1, end));
}

/** Subject, time and extensions, where there are any; bytes as base64. */
function attributesOf({ attributes }: GatewayEvent): { attributes?: Record<string, unknown> } {
  if (attributes.size === 0) return {};
  const named = Array.from(
    attributes,
    ([name, { value }]) => [name, value instanceof Uint8Array ? value.toBase64() : value] as const,
  );
  return { attributes: Object.fromEntries(named) };
}

function failureOf(error: unknown): WireError {
  if (error instanceof RequestError) return error.wire;
  return wireError("PROXY_ERROR", `the backend failed: ${messageOf(error)}`);
}

/** Reads the JSON of a history request; absent data is an empty one. */
export function historyRequest(
  event: GatewayEvent,
): { since: StreamPosition | undefined; limit: number; reverse: boolean } {
  const asked = event.data.length === 0 ? {} : parse(textOf(event));
  if (typeof asked !== "object" || asked === null || Array.isArray(asked)) {
    throw new RequestError(badRequest("a history request is a JSON object"));
  }
  const { since_offset, since_epoch, limit, reverse } = asked as Record<string, unknown>;
  const wanted = wholeNumber("limit", limit) ?? HISTORY_DEFAULT;
  const offset = wholeNumber("since_offset", since_offset);
  if (since_epoch !== undefined && since_epoch !== null && typeof since_epoch !== "string") {
    throw new RequestError(badRequest("since_epoch is a text"));
  }
  if (reverse !== undefined && reverse !== null && typeof reverse !== "boolean") {
    throw new RequestError(badRequest("reverse is true or false"));
  }
  return {
    since: offset === undefined ? undefined : { offset, epoch: since_epoch ?? "" },
    limit: wanted < 0 ? HISTORY_MAX : Math.min(wanted, HISTORY_MAX),
    reverse: reverse ?? false,
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new RequestError(badRequest("a history request is JSON"), { cause: error });
  }
}

function wholeNumber(name: string, value: unknown): number | undefined {
  if (value === undefined || value === null || value === "") return undefined;
  const number = typeof value === "string" ? Number(value) : value;
  if (Number.isSafeInteger(number) && (number as number) >= -1) return number as number;
  throw new RequestError(badRequest(`${name} is a whole number`));
}

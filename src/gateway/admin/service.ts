import {
  create,
  type DescMessage,
  fromBinary,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { Buffer } from "node:buffer";
import { createHash, timingSafeEqual } from "node:crypto";
import { type sendUnaryData, type ServerUnaryCall, status } from "@grpc/grpc-js";
import { type Logger, messageOf } from "../../base/mod.ts";
import {
  BEGINNING,
  BrokerUnavailableError,
  EventRefusedError,
  HISTORY_PAGE_MAX,
} from "../broker/mod.ts";
import {
  cloudEventOf,
  type DataForm,
  eventOf,
  plainEvent,
  publicationEvent,
} from "../codec/mod.ts";
import { makeEvent } from "../event.ts";
import { type Hub, TooManySurveysError } from "../hub/mod.ts";
import { ChannelRefusedError } from "../pattern/mod.ts";
import { server } from "../proto/mod.ts";
import { errorMessage } from "../session/mod.ts";
import type { GrpcService } from "../transport/mod.ts";
import { AdminError, invalid } from "./admin_error.ts";

const SERVICE = "messageloop.server.v1.APIService";
const MEMBERS_DEFAULT = 256;
const MEMBERS_MAX = 10_000;
const HISTORY_DEFAULT = 100;
/** Publications of one request. */
const PUBLICATIONS_MAX = 10_000;

/** What the admin API stands on. */
export interface AdminServiceOptions {
  readonly hub: Hub;
  /** What every call has to show; undefined lets anybody in. */
  readonly token: string | undefined;
  /** Form of the data of events that are returned. */
  readonly dataForm: DataForm;
  readonly logger: Logger;
}

type Handler<I extends DescMessage, O extends DescMessage> = (
  request: MessageShape<I>,
  signal: AbortSignal,
) => Promise<MessageShape<O>>;

/** The service that administrators call. */
export function adminService(options: AdminServiceOptions): GrpcService {
  const calls = new AdminCalls(options.hub, options.dataForm);
  const guard = new TokenGuard(options.token);
  const { method } = server.APIService;
  const offered = [
    unary(method.publish, (request) => calls.publish(request)),
    unary(method.disconnect, (request) => calls.disconnect(request)),
    unary(method.subscribe, (request) => calls.subscribe(request)),
    unary(method.unsubscribe, (request) => calls.unsubscribe(request)),
    unary(method.survey, (request, signal) => calls.survey(request, signal)),
    unary(method.getChannels, () => calls.channels()),
    unary(method.getPresence, (request) => calls.presence(request)),
    unary(method.getHistory, (request) => calls.history(request)),
  ];
  const pass = (bytes: Buffer): Buffer => bytes;
  return {
    definition: Object.fromEntries(offered.map(({ name }) => [name, {
      path: `/${SERVICE}/${name}`,
      requestStream: false,
      responseStream: false,
      requestSerialize: pass,
      requestDeserialize: pass,
      responseSerialize: pass,
      responseDeserialize: pass,
    }])),
    handlers: Object.fromEntries(offered.map(({ name, answer }) => [
      name,
      (call: ServerUnaryCall<Buffer, Buffer>, reply: sendUnaryData<Buffer>): void => {
        if (!guard.admits(call.metadata.get("authorization"))) {
          return reply({
            code: status.UNAUTHENTICATED,
            details: "a valid bearer token is required",
          });
        }
        const given = new AbortController();
        call.on("cancelled", () => given.abort());
        answer(call.request, given.signal).then(
          (bytes) => reply(null, Buffer.from(bytes)),
          (error) => {
            const { code, details } = statusOf(error);
            options.logger.warn("admin call failed", { call: name, error: messageOf(error) });
            reply({ code, details });
          },
        );
      },
    ])),
  };
}

interface Offered {
  readonly name: string;
  answer(request: Uint8Array, signal: AbortSignal): Promise<Uint8Array>;
}

function unary<I extends DescMessage, O extends DescMessage>(
  method: { readonly name: string; readonly input: I; readonly output: O },
  handle: Handler<I, O>,
): Offered {
  return {
    name: method.name,
    async answer(request, signal) {
      const bytes = new Uint8Array(request.buffer, request.byteOffset, request.byteLength);
      let message: MessageShape<I>;
      try {
        message = fromBinary(method.input, bytes);
      } catch {
        throw invalid("the request cannot be decoded");
      }
      return toBinary(method.output, await handle(message, signal));
    },
  };
}

/** Compares tokens in a time that tells nothing of them. */
class TokenGuard {
  readonly #expected: Uint8Array | undefined;

  constructor(token: string | undefined) {
    this.#expected = token === undefined ? undefined : hash(`Bearer ${token}`);
  }

  admits(values: readonly (string | Uint8Array)[]): boolean {
    if (this.#expected === undefined) return true;
    const [value] = values;
    if (values.length !== 1 || typeof value !== "string") return false;
    // The scheme's name has no case.
    return timingSafeEqual(hash(value.replace(/^bearer /i, "Bearer ")), this.#expected);
  }
}

function hash(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}

function statusOf(error: unknown): { readonly code: number; readonly details: string } {
  if (error instanceof AdminError) return { code: error.status, details: error.message };
  const { message } = error as Error;
  if (
    error instanceof ChannelRefusedError || error instanceof EventRefusedError ||
    error instanceof RangeError
  ) return { code: status.INVALID_ARGUMENT, details: message };
  if (error instanceof TooManySurveysError) {
    return { code: status.RESOURCE_EXHAUSTED, details: message };
  }
  if (error instanceof BrokerUnavailableError) {
    return { code: status.UNAVAILABLE, details: "the broker cannot be reached" };
  }
  return { code: status.INTERNAL, details: "internal error" };
}

/** What each call does. */
class AdminCalls {
  readonly #hub: Hub;
  readonly #dataForm: DataForm;

  constructor(hub: Hub, dataForm: DataForm) {
    this.#hub = hub;
    this.#dataForm = dataForm;
  }

  async publish({ publications }: server.PublishRequest): Promise<server.PublishResponse> {
    if (publications.length > PUBLICATIONS_MAX) {
      throw invalid(`a request takes at most ${PUBLICATIONS_MAX} publications`);
    }
    // All are looked at before the first is published: a faulty request does nothing.
    for (const [index, { destination }] of publications.entries()) {
      const { sessions = [], channels = [] } = destination ?? {};
      if (sessions.length + channels.length === 0) {
        throw invalid(`publication ${index} has no destination`);
      }
    }
    let delivered = 0;
    const failures: unknown[] = [];
    for (const { id, destination, options, payload } of publications) {
      const published = await this.#hub.admin.publish({
        id,
        event: payload === undefined ? makeEvent({}) : eventOf(payload),
        sessions: destination?.sessions ?? [],
        channels: destination?.channels ?? [],
        addHistory: options?.addHistory ?? false,
      });
      delivered += published.delivered;
      failures.push(...published.failures.map(({ error }) => error));
    }
    if (delivered === 0 && failures.length > 0) {
      const refusal = failures.find((error) => !(error instanceof BrokerUnavailableError));
      throw refusal ?? new AdminError(status.UNAVAILABLE, "no delivery succeeded");
    }
    return create(server.PublishResponseSchema);
  }

  disconnect(
    { sessions, code, reason }: server.DisconnectRequest,
  ): Promise<server.DisconnectResponse> {
    const results = this.#hub.admin.disconnect(sessions, code, reason);
    return Promise.resolve(
      create(server.DisconnectResponseSchema, { results: Object.fromEntries(results) }),
    );
  }

  async subscribe(
    { sessionId, channels }: server.SubscribeRequest,
  ): Promise<server.SubscribeResponse> {
    const results = await this.#hub.admin.subscribe(sessionId, channels);
    return create(server.SubscribeResponseSchema, { results: Object.fromEntries(results) });
  }

  unsubscribe(
    { sessionId, channels }: server.UnsubscribeRequest,
  ): Promise<server.UnsubscribeResponse> {
    const results = this.#hub.admin.unsubscribe(sessionId, channels);
    return Promise.resolve(
      create(server.UnsubscribeResponseSchema, { results: Object.fromEntries(results) }),
    );
  }

  async survey(
    { requestId, channel, payload, timeoutMs }: server.SurveyRequest,
    signal: AbortSignal,
  ): Promise<server.SurveyResponse> {
    if (timeoutMs < 0) throw invalid("timeout_ms is negative");
    const event = payload === undefined ? makeEvent({}) : eventOf(payload);
    const results = await this.#hub.admin.survey(channel, event, {
      signal,
      ...(timeoutMs === 0 ? {} : { timeoutMs }),
    });
    return create(server.SurveyResponseSchema, {
      requestId: requestId || crypto.randomUUID(),
      results: results.map((result) => ({
        sessionId: result.sessionId,
        ...("event" in result
          ? { payload: cloudEventOf(plainEvent(result.event, this.#dataForm)) }
          : { error: errorMessage(result.error) }),
      })),
    });
  }

  async channels(): Promise<server.GetChannelsResponse> {
    const channels = [...await this.#hub.admin.channels()].sort();
    return create(server.GetChannelsResponseSchema, { channels });
  }

  async presence(
    { channel, limit }: server.GetPresenceRequest,
  ): Promise<server.GetPresenceResponse> {
    const most = Math.min(limit || MEMBERS_DEFAULT, MEMBERS_MAX);
    const { occupancy, members } = await this.#hub.admin.presence(channel, most);
    return create(server.GetPresenceResponseSchema, {
      occupancy: BigInt(occupancy),
      members: members.map(({ connectedAtMs, ...member }) => ({
        ...member,
        connectedAt: BigInt(connectedAtMs),
      })),
    });
  }

  async history(request: server.GetHistoryRequest): Promise<server.GetHistoryResponse> {
    const { channel, sinceEpoch, sinceOffset, limit, reverse } = request;
    if (sinceOffset > Number.MAX_SAFE_INTEGER) throw invalid("since_offset is too large");
    const offset = Number(sinceOffset);
    const isGiven = sinceEpoch !== "" || offset > 0;
    const page = await this.#hub.admin.history(channel, {
      limit: Math.min(limit || HISTORY_DEFAULT, HISTORY_PAGE_MAX),
      reverse,
      ...(isGiven ? { since: { ...BEGINNING, offset, epoch: sinceEpoch } } : {}),
    });
    return create(server.GetHistoryResponseSchema, {
      epoch: page.top.epoch,
      topOffset: BigInt(page.top.offset),
      gap: page.gap,
      publications: page.publications.map((publication) => ({
        id: publication.id,
        offset: BigInt(publication.offset),
        time: BigInt(publication.timeMs),
        payload: cloudEventOf(publicationEvent(publication, this.#dataForm, false)),
      })),
    });
  }
}

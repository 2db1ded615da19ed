import { create, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import { type Clock, type Logger, messageOf } from "../../base/mod.ts";
import { cloudEventOf, type DataForm, eventOf, plainEvent } from "../codec/mod.ts";
import type { HookName } from "../config/mod.ts";
import { proxy, type shared } from "../proto/mod.ts";
import type {
  AuthenticateOutcome,
  AuthenticateRequest,
  Backend,
  Caller,
  ChannelNotice,
  RpcOutcome,
  RpcRequest,
  SessionNotice,
} from "../session/ports.ts";
import type { WireError } from "../session/wire_error.ts";
import { BackendError, type BackendLink, failed, late, type Method } from "./link.ts";

/** How long a notification may take, in milliseconds. */
const NOTIFICATION_MS = 5000;
/** Calls that one backend may have before it; more fail at once. */
const PENDING_MAX = 16_384;

const { method } = proxy.ProxyService;

/** What a backend needs to know of the gateway. */
export interface RemoteBackendOptions {
  /** As in the configuration. */
  readonly name: string;
  /** How long a call may take, in milliseconds. */
  readonly timeoutMs: number;
  /** How long a client's call may take, in milliseconds. */
  readonly rpcTimeoutMs: number;
  /** Form of the data that it is sent. */
  readonly dataForm: DataForm;
  /** Time. */
  readonly clock: Clock;
  /** Told about calls that fail. */
  readonly logger: Logger;
  /** Told how each call ended. */
  readonly observe?: (
    hook: HookName,
    outcome: "ok" | "error" | "timeout",
    elapsedMs: number,
  ) => void;
}

/** A backend behind a link: requests and answers become messages, and each call ends in time. */
export class RemoteBackend implements Backend {
  readonly name: string;
  readonly timeoutMs: number;
  readonly #link: BackendLink;
  readonly #options: RemoteBackendOptions;
  #pending = 0;
  #idle: PromiseWithResolvers<void> | undefined;

  /**
   * Makes the backend.
   *
   * @param link The way to it.
   * @param options Its name and times.
   */
  constructor(link: BackendLink, options: RemoteBackendOptions) {
    this.name = options.name;
    this.timeoutMs = options.timeoutMs;
    this.#link = link;
    this.#options = options;
  }

  async rpc(request: RpcRequest, caller: Caller, signal: AbortSignal): Promise<RpcOutcome> {
    const { id, channel, method: name, event } = request;
    const payload = cloudEventOf(plainEvent(event, this.#options.dataForm));
    const message = create(proxy.RPCRequestSchema, { id, channel, method: name, payload });
    const limitMs = Math.min(this.timeoutMs, this.#options.rpcTimeoutMs);
    const response = await this.#call(method.rPC, message, caller, limitMs, signal);
    if (response.error !== undefined) return { error: wireErrorOf(response.error) };
    return response.payload === undefined ? {} : { event: eventOf(response.payload) };
  }

  async authenticate(
    request: AuthenticateRequest,
    caller: Caller,
    signal: AbortSignal,
  ): Promise<AuthenticateOutcome> {
    const message = create(proxy.AuthenticateRequestSchema, request);
    const { error, userInfo } = await this.#call(
      method.authenticate,
      message,
      caller,
      this.timeoutMs,
      signal,
    );
    if (error !== undefined) return { error: wireErrorOf(error) };
    const { id = "", username = "", token = "", clientType = "", clientId = "" } = userInfo ?? {};
    return { user: { id, username, token, clientType, clientId } };
  }

  async subscribeAcl(
    request: { readonly channel: string; readonly token: string },
    caller: Caller,
    signal: AbortSignal,
  ): Promise<void> {
    const message = create(proxy.SubscribeAclRequestSchema, request);
    await this.#call(method.subscribeAcl, message, caller, this.timeoutMs, signal);
  }

  async onConnected(request: SessionNotice, caller: Caller, signal: AbortSignal): Promise<void> {
    const message = create(proxy.OnConnectedRequestSchema, request);
    await this.#call(method.onConnected, message, caller, this.#noticeMs, signal);
  }

  async onSubscribed(request: ChannelNotice, caller: Caller, signal: AbortSignal): Promise<void> {
    const message = create(proxy.OnSubscribedRequestSchema, request);
    await this.#call(method.onSubscribed, message, caller, this.#noticeMs, signal);
  }

  async onUnsubscribed(request: ChannelNotice, caller: Caller, signal: AbortSignal): Promise<void> {
    const message = create(proxy.OnUnsubscribedRequestSchema, request);
    await this.#call(method.onUnsubscribed, message, caller, this.#noticeMs, signal);
  }

  async onDisconnected(request: SessionNotice, caller: Caller, signal: AbortSignal): Promise<void> {
    const message = create(proxy.OnDisconnectedRequestSchema, request);
    await this.#call(method.onDisconnected, message, caller, this.#noticeMs, signal);
  }

  /** Settles once no call is under way. */
  idle(): Promise<void> {
    if (this.#pending === 0) return Promise.resolve();
    this.#idle ??= Promise.withResolvers();
    return this.#idle.promise;
  }

  /** Closes the connections to it. */
  close(): void {
    this.#link.close();
  }

  get #noticeMs(): number {
    return Math.min(NOTIFICATION_MS, this.timeoutMs);
  }

  async #call<I extends DescMessage, O extends DescMessage>(
    method: Method<I, O>,
    request: MessageShape<I>,
    caller: Caller,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<MessageShape<O>> {
    const { clock, logger, observe } = this.#options;
    if (this.#pending >= PENDING_MAX) throw failed("the backend has too many calls before it");
    const began = clock.monotonic();
    const tooLate = new AbortController();
    const expired = Promise.withResolvers<never>();
    const timer = clock.after(timeoutMs, () => {
      expired.reject(late(clock.monotonic() - began));
      tooLate.abort();
    });
    this.#pending++;
    let outcome: "ok" | "error" | "timeout" = "ok";
    try {
      const options = { caller, timeoutMs, signal: AbortSignal.any([signal, tooLate.signal]) };
      // The link may be slow to notice that it was aborted; nobody waits for that.
      return await Promise.race([this.#link.call(method, request, options), expired.promise]);
    } catch (error) {
      const isLate = error instanceof BackendError && error.wire.code === "RPC_TIMEOUT";
      outcome = isLate ? "timeout" : "error";
      if (!signal.aborted) {
        logger.debug("a call to a backend failed", {
          backend: this.name,
          call: method.name,
          session: caller.sessionId,
          reason: error instanceof BackendError ? error.detail : messageOf(error),
        });
      }
      throw error instanceof BackendError
        ? error
        : failed("the call failed", messageOf(error), error);
    } finally {
      if (--this.#pending === 0) {
        this.#idle?.resolve();
        this.#idle = undefined;
      }
      timer.cancel();
      observe?.(method.name as HookName, outcome, clock.monotonic() - began);
    }
  }
}

function wireErrorOf({ code, type, message, metadata }: shared.Error): WireError {
  return { code, type, message, ...(metadata === undefined ? {} : { metadata }) };
}

import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import type { Caller, Hook } from "../session/ports.ts";
import { RequestError, type WireError, wireError } from "../session/wire_error.ts";

/** Bytes of an answer of a backend. */
export const ANSWER_BYTES_MAX = 4 * 1024 * 1024;
/** Longest client id that is told to a backend beside a call, in characters. */
const IDENTITY_MAX = 256;

/** One of the calls of the backend protocol. */
export interface Method<I extends DescMessage, O extends DescMessage> {
  /** As it is called on the wire. */
  readonly name: string;
  readonly input: I;
  readonly output: O;
}

/** How one call is made. */
export interface CallOptions {
  /** On whose behalf. */
  readonly caller: Caller;
  /** How long it may take, in milliseconds. */
  readonly timeoutMs: number;
  /** Ends the call early. */
  readonly signal: AbortSignal;
}

/** The way to one backend. */
export interface BackendLink {
  /**
   * Makes one call.
   *
   * @throws {BackendError} When there is no good answer.
   */
  call<I extends DescMessage, O extends DescMessage>(
    method: Method<I, O>,
    request: MessageShape<I>,
    options: CallOptions,
  ): Promise<MessageShape<O>>;
  /** Closes its connections; calls that are under way fail. */
  close(): void;
}

/** A call to a backend that failed; what the client is told has nothing of the backend's own text. */
export class BackendError extends RequestError {
  /**
   * Makes the error.
   *
   * @param wire What the client is told.
   * @param detail What the log is told.
   * @param options The error that caused this one.
   */
  constructor(wire: WireError, readonly detail: string, options?: ErrorOptions) {
    super(wire, options);
  }
}

/** The error of a backend that gave no good answer. */
export function failed(why: string, detail = why, cause?: unknown): BackendError {
  return new BackendError(wireError("PROXY_ERROR", why), detail, { cause });
}

/** The error of a backend that took too long. */
export function late(elapsedMs: number): BackendError {
  const why = `no answer from the backend within ${Math.round(elapsedMs)} ms`;
  return new BackendError(wireError("RPC_TIMEOUT", why), why);
}

/**
 * What a backend is told beside a call: which one it is, and on whose behalf. Characters that no header can have,
 * and `%`, are percent-encoded, so that no two ids look the same.
 */
export function identityOf(hook: Hook, caller: Caller): readonly (readonly [string, string])[] {
  return [
    ["x-messageloop-hook", hook],
    ["x-messageloop-session-id", plain(caller.sessionId)],
    ["x-messageloop-client-id", plain(caller.clientId.slice(0, IDENTITY_MAX))],
    ["x-messageloop-user-id", plain(caller.userId)],
  ];
}

function plain(text: string): string {
  return text.toWellFormed().replace(
    /[^\x21-\x24\x26-\x7e]/gu,
    (character) => encodeURIComponent(character),
  );
}

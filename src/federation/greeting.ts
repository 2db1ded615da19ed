import type { Clock } from "../base/mod.ts";
import { CloseCode } from "./close_codes.ts";
import type { Frame, Link } from "./link.ts";
import { type Handshake, parseHandshake, type Role, WireError } from "./wire.ts";

/** The link ended before the other side had introduced itself. */
export class GreetingError extends Error {
  override readonly name = "GreetingError";
  /** WebSocket close code that ended it. */
  readonly closeCode: number;

  /**
   * @param closeCode WebSocket close code that ended it.
   * @param reason What the side that closed said.
   */
  constructor(closeCode: number, reason: string) {
    super(reason);
    this.closeCode = closeCode;
  }
}

/** Options of {@linkcode receiveHandshake}. */
export interface GreetingOptions {
  /** What the other side has to be. */
  readonly role: Role;
  readonly clock: Clock;
  /** Longest wait in milliseconds. */
  readonly timeoutMs: number;
}

/**
 * Waits for the other side's handshake. The link is paused when this settles, so that what comes after
 * it waits for the next listener. A bad handshake closes the link.
 *
 * @param link A link to which nobody listens yet.
 * @param options What to expect, and for how long.
 * @returns The handshake.
 * @throws {GreetingError} When there was none, or none that is right.
 */
export function receiveHandshake(link: Link, options: GreetingOptions): Promise<Handshake> {
  return new Promise((resolve, reject) => {
    const refuse = (code: number, reason: string) => {
      timer.cancel();
      link.close(code, reason);
      reject(new GreetingError(code, reason));
    };
    const timer = options.clock.after(options.timeoutMs, () => {
      refuse(CloseCode.badProtocol, `no handshake within ${options.timeoutMs} ms`);
    });
    link.closed.then(({ code, reason }) => {
      timer.cancel();
      reject(new GreetingError(code, reason));
    });
    let first = true;
    link.listen({
      frame(frame: Frame): void {
        if (!first) return;
        first = false;
        link.pause();
        try {
          const handshake = parseHandshake(frame, options.role);
          timer.cancel();
          resolve(handshake);
        } catch (error) {
          const code = error instanceof WireError ? error.closeCode : CloseCode.badProtocol;
          refuse(code, (error as Error).message);
        }
      },
      writable() {},
    });
  });
}

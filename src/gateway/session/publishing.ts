import { eventOf } from "../codec/mod.ts";
import { checkPublish } from "../pattern/mod.ts";
import type { client, CloudEvent } from "../proto/mod.ts";
import type { SessionHost } from "./host.ts";
import type { Session } from "./session.ts";
import { badRequest, RequestError, wireError } from "./wire_error.ts";

/** Publications of one connection that the broker may have at a time. */
const PUBLISHING_MAX = 256;
const TRANSIENT_KEY = "keyop-transient";

/** The publications of one session, in their order. */
export class Publishing {
  readonly #session: Session;
  readonly #host: SessionHost;
  #count = 0;
  #room: PromiseWithResolvers<void> | undefined;

  constructor(session: Session, host: SessionHost) {
    this.#session = session;
    this.#host = host;
  }

  /**
   * Publishes, and acknowledges once the broker has it.
   *
   * @returns Nothing when more may follow at once; else what settles when it may.
   * @throws {RequestError} When it may not be published.
   * @throws {ChannelRefusedError} When there can be no such channel.
   */
  publish(message: client.InboundMessage, payload: CloudEvent): Promise<void> | undefined {
    const session = this.#session;
    if (!session.scopes.take("publishes", 1)) {
      throw new RequestError(wireError("RATE_LIMITED", "too many publications a second"));
    }
    const channel = message.channel || payload.source;
    if (channel === "") throw new RequestError(badRequest("a publication needs a channel"));
    checkPublish(channel);
    if (!this.#host.authorizer.may(session.user, "publish", channel)) {
      throw new RequestError(wireError("PERMISSION_DENIED", "publishing there is not allowed"));
    }
    this.#count++;
    const transient = message.metadata[TRANSIENT_KEY] === "1";
    this.#host.broker.publish(channel, eventOf(payload), { transient }).then(
      ({ position }) => {
        const value = { offset: BigInt(position.offset) };
        session.answer(message, { case: "publishAck", value });
      },
      (error) => session.fail(message, error),
    ).finally(() => {
      if (--this.#count < PUBLISHING_MAX) this.stop();
    });
    if (this.#count < PUBLISHING_MAX) return undefined;
    this.#room ??= Promise.withResolvers();
    return this.#room.promise;
  }

  /** Holds up nothing any more. */
  stop(): void {
    this.#room?.resolve();
    this.#room = undefined;
  }
}

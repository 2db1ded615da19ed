import { create } from "@bufbuild/protobuf";
import { cloudEventOf, eventOf, plainEvent } from "../codec/mod.ts";
import { type client, CloudEventSchema } from "../proto/mod.ts";
import { wireErrorOf } from "./frames.ts";
import type { SessionHost } from "./host.ts";
import type { Session } from "./session.ts";
import { badRequest } from "./wire_error.ts";

/** Longest answer to a survey in bytes. */
const ANSWER_BYTES_MAX = 65_536;

/** What one client has to say in surveys. */
export class ClientSurveys {
  readonly #session: Session;
  readonly #host: SessionHost;
  #lastId = "";

  constructor(session: Session, host: SessionHost) {
    this.#session = session;
    this.#host = host;
  }

  /** A client's survey of nobody: what it asks comes back to itself. */
  request(message: client.InboundMessage, { requestId, payload }: client.SurveyRequest): void {
    this.#lastId = requestId;
    const echoed = payload && cloudEventOf(
      plainEvent({
        ...eventOf(payload),
        id: requestId,
        source: message.channel,
        type: "com.messageloop.survey.response",
      }, this.#host.settings.dataForm),
    );
    const value = { requestId, ...(echoed && { payload: echoed }) };
    this.#session.answer(message, { case: "surveyResponse", value });
  }

  /** An answer; without an id, to the survey that the client itself named last. */
  answer(message: client.InboundMessage, response: client.SurveyResponse): void {
    const session = this.#session;
    const requestId = response.requestId || this.#lastId;
    if (response.error !== undefined) {
      const error = wireErrorOf(response.error);
      return this.#host.surveyAnswered(session, requestId, { error });
    }
    const event = eventOf(response.payload ?? create(CloudEventSchema));
    if (event.data.length > ANSWER_BYTES_MAX) {
      const text = `an answer to a survey has at most ${ANSWER_BYTES_MAX} bytes`;
      return session.sendError(message, badRequest(text));
    }
    this.#host.surveyAnswered(session, requestId, { event });
  }
}

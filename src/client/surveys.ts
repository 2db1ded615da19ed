import type { WireEvent, WireSurveyResponse } from "./frames.ts";
import { makeEvent, readData } from "./message.ts";

/** A question to all who are subscribed to a channel. */
export interface Survey<T = unknown> {
  /** Names the question. */
  readonly requestId: string;
  /** The channel that is asked. */
  readonly channel: string;
  /** The question. */
  readonly data: T;
}

/** Answers a survey. */
export type SurveyHandler = (survey: Survey) => unknown;

/**
 * Answers a question with what a handler returns, or with the error that it throws.
 *
 * @param handler Answers.
 * @param source Names this client.
 * @param requestId Names the question.
 * @param question The question.
 */
export async function answerSurvey(
  handler: SurveyHandler,
  source: string,
  requestId: string,
  question: WireEvent,
): Promise<WireSurveyResponse> {
  try {
    const channel = surveyChannel(question);
    const answer = await handler({ requestId, channel, data: readSurveyData(question) });
    const type = "com.messageloop.survey.response";
    return { requestId, payload: makeEvent(channel, source, answer, { type }) };
  } catch (error) {
    // The answer goes to others: they learn that it failed, not more than its message.
    const message = error instanceof Error ? error.message : "the survey handler failed";
    return {
      requestId,
      error: { code: "SURVEY_FAILED", type: "client_error", message, metadata: {} },
    };
  }
}

/** The channel that a question is for. */
export function surveyChannel({ source, attributes }: WireEvent): string {
  const { mlchannel } = attributes;
  if (typeof mlchannel === "string") return mlchannel;
  try {
    return decodeURI(source);
  } catch {
    return source;
  }
}

/** Questions come as bytes of no type: JSON where they are JSON. */
function readSurveyData(question: WireEvent): unknown {
  const data = readData(question);
  if (!(data instanceof Uint8Array)) return data;
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(data));
  } catch {
    return data;
  }
}

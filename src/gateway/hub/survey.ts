import { type Clock, MessengerError } from "../../base/mod.ts";
import type { GatewayEvent } from "../event.ts";
import { type Session, type SurveyAnswer, surveyFrame, wireError } from "../session/mod.ts";

const TIMEOUT_DEFAULT_MS = 5_000;
const TIMEOUT_MAX_MS = 30_000;
/** Surveys at a time. */
const SURVEYS_MAX = 1_000;

/** Too many surveys are under way. */
export class TooManySurveysError extends MessengerError {
  /** The name of the class. */
  override readonly name = "TooManySurveysError";
  /** Makes the error. */
  constructor() {
    super("gateway_too_many_surveys", `Cannot begin a survey: ${SURVEYS_MAX} are under way`);
  }
}

/** What one subscriber answered. */
export type SurveyResult = { readonly sessionId: string } & SurveyAnswer;

/** Options of a survey. */
export interface SurveyOptions {
  /** Milliseconds to wait for answers; at most 30,000. @default {5_000} */
  readonly timeoutMs?: number;
  /** Ends the survey with what was gathered. */
  readonly signal?: AbortSignal;
}

interface Survey {
  readonly waiting: Set<Session>;
  readonly answers: Map<Session, SurveyAnswer>;
  readonly done: PromiseWithResolvers<void>;
}

/** Asks the subscribers of channels and gathers what they answer. */
export class Surveys {
  readonly #clock: Clock;
  readonly #running = new Map<string, Survey>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Surveys under way. */
  get size(): number {
    return this.#running.size;
  }

  /**
   * Asks sessions.
   *
   * @param channel The channel that they are subscribed to.
   * @param sessions Whom to ask.
   * @param event What to ask.
   * @returns One result for each that answered or went away. Empty when nobody is asked.
   * @throws {TooManySurveysError} When too many are under way.
   */
  async run(
    channel: string,
    sessions: ReadonlySet<Session>,
    event: GatewayEvent,
    options: SurveyOptions = {},
  ): Promise<SurveyResult[]> {
    if (sessions.size === 0) return [];
    if (this.#running.size >= SURVEYS_MAX) throw new TooManySurveysError();
    const requestId = crypto.randomUUID();
    const survey: Survey = {
      waiting: new Set(sessions),
      answers: new Map(),
      done: Promise.withResolvers(),
    };
    this.#running.set(requestId, survey);
    const timeoutMs = Math.min(options.timeoutMs || TIMEOUT_DEFAULT_MS, TIMEOUT_MAX_MS);
    const timer = this.#clock.after(timeoutMs, () => survey.done.resolve());
    const abort = () => survey.done.resolve();
    options.signal?.addEventListener("abort", abort, { once: true });
    if (options.signal?.aborted) abort();
    try {
      this.#ask(requestId, survey, channel, event);
      await survey.done.promise;
    } finally {
      timer.cancel();
      options.signal?.removeEventListener("abort", abort);
      this.#running.delete(requestId);
    }
    return [...survey.answers].map(([session, answer]) => ({ sessionId: session.id, ...answer }));
  }

  /** Takes an answer. Those of unknown surveys and of sessions that were not asked are dropped. */
  answered(session: Session, requestId: string, answer: SurveyAnswer): void {
    const survey = this.#running.get(requestId);
    if (survey === undefined) return;
    if (!survey.waiting.has(session) && !survey.answers.has(session)) return;
    survey.answers.set(session, answer);
    survey.waiting.delete(session);
    if (survey.waiting.size === 0) survey.done.resolve();
  }

  /** A session is over: it counts as having answered. */
  ended(session: Session): void {
    for (const [requestId, survey] of this.#running) {
      if (!survey.waiting.has(session)) continue;
      this.answered(session, requestId, {
        error: wireError("INTERNAL_ERROR", "the connection closed before it answered"),
      });
    }
  }

  #ask(requestId: string, survey: Survey, channel: string, event: GatewayEvent): void {
    const frames = new Map<string, ReturnType<typeof surveyFrame>>();
    for (const session of [...survey.waiting]) {
      const { codec } = session;
      let frame = frames.get(codec.name);
      if (frame === undefined) {
        frame = surveyFrame(codec, requestId, { channel, event }, this.#clock.now());
        frames.set(codec.name, frame);
      }
      session.send(frame);
    }
  }
}

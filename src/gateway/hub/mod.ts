/**
 * The hub: all sessions of a gateway, who they are, what they are subscribed to and what they get.
 *
 * @module
 */
export { type AdminPublication, type AdminPublished, HubAdmin } from "./admin.ts";
export type { HubCounters } from "./counters.ts";
export { Hub, type HubOptions } from "./hub.ts";
export { type SurveyOptions, type SurveyResult, TooManySurveysError } from "./survey.ts";

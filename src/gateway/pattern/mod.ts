/**
 * Names of channels, patterns of them, and finding the patterns that match. Needs no permission.
 *
 * @module
 */
export {
  CHANNEL_BYTES_MAX,
  ChannelRefusedError,
  checkConcrete,
  checkPublish,
  checkSubscription,
  companionOf,
  isCompanion,
  isPattern,
  PRESENCE_SUFFIX,
  withoutCompanion,
} from "./names.ts";
export { PatternIndex, patternMatches } from "./pattern_index.ts";

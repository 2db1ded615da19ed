/**
 * What configurations have in common: a table of keys from which a file or an object is read, strictly and with
 * every problem at once. Needs read permission on the file.
 *
 * @module
 */
export { deepFreeze } from "./deep_freeze.ts";
export { DURATION_MAX_MS, parseDuration } from "./duration.ts";
export { Findings, type Spelling, toCamel } from "./findings.ts";
export { formatHostPort, type HostPort, isLoopback, parseHostPort } from "./host_port.ts";
export type {
  BooleanKey,
  ChannelsKey,
  ChoiceKey,
  DurationKey,
  EntriesKey,
  Key,
  MapKey,
  NumberKey,
  RawKey,
  TextKey,
  TextsKey,
} from "./key.ts";
export { editDistance, nearestName } from "./nearest.ts";
export { describe, readSection, type Values } from "./read.ts";
export { readConfigText } from "./read_text.ts";
export { referenceOf } from "./reference.ts";
export { type Section, sectionsOf } from "./section.ts";
export { parseYaml } from "./yaml.ts";

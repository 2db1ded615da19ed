/** A point in time as RFC 3339 has it, in whole seconds: `2026-11-21T04:56:29Z`. */
export function formatTime(time: Date): string {
  return time.toISOString().replace(/\.\d+Z$/, "Z");
}

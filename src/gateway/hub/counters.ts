/** What has happened in a hub since it began. */
export interface HubCounters {
  /** Connections that opened. */
  accepted: number;
  /** Publications that the broker delivered. */
  publications: number;
  /** Publications that were handed to sessions, one for each receiver. */
  deliveries: number;
  /** Times that the broker lost sight of a channel. */
  interruptions: number;
}

/** Nothing has happened. */
export function newCounters(): HubCounters {
  return { accepted: 0, publications: 0, deliveries: 0, interruptions: 0 };
}

/** What has become of what was published. */
export interface Summary {
  /** Messages whose publishing has settled. */
  readonly published: number;
  /** Messages that were handled. */
  readonly received: number;
  /** Handlings beyond the first of each message. */
  readonly repeated: number;
  /** Messages that were published and never handled. */
  readonly lost: number;
}

/**
 * Compares what was published with what was handled.
 *
 * @param published Ids of the messages whose publishing has settled.
 * @param handlings The id of each handling, so that one that came again is there again.
 */
export function summarize(published: ReadonlySet<string>, handlings: readonly string[]): Summary {
  const received = new Set(handlings);
  return {
    published: published.size,
    received: received.size,
    repeated: handlings.length - received.size,
    lost: published.difference(received).size,
  };
}

/** The summary in one line. */
export function formatSummary({ published, received, repeated, lost }: Summary): string {
  return `published ${published}, received ${received}, repeated ${repeated}, lost ${lost}`;
}

import type { Broker, HistoryPage, StreamPosition } from "../broker/mod.ts";
import { isPattern, patternMatches } from "../pattern/mod.ts";

/** Why not everything missed is replayed. */
export type GapReason = "epoch_changed" | "trimmed" | "limit" | "no_history";

const RECOVER = "keyop-recover";
const SINCE = "keyop-since.";
/** Publications read at a time. */
export const REPLAY_PAGE = 1_000;

/** Whether a client knows about recovery and asks for it. */
export function wantsRecovery(metadata: Readonly<Record<string, string>>): boolean {
  return metadata[RECOVER] === "1";
}

/** A channel that a client wants to go on with. */
export interface RecoverRequest {
  readonly channel: string;
  /** The last position that the client has; undefined for a first subscription. */
  readonly since: StreamPosition | undefined;
}

/**
 * The channels that a client names positions of, or subscribes to by name, among those that it
 * subscribes to now.
 *
 * @param metadata Of the frame.
 * @param names Channels and patterns that are subscribed.
 */
export function recoverRequests(
  metadata: Readonly<Record<string, string>>,
  names: readonly string[],
): RecoverRequest[] {
  const requests = new Map<string, RecoverRequest>();
  for (const name of names) {
    if (!isPattern(name)) requests.set(name, { channel: name, since: undefined });
  }
  for (const [key, value] of Object.entries(metadata)) {
    if (!key.startsWith(SINCE)) continue;
    const channel = key.slice(SINCE.length);
    const since = parsePosition(value);
    if (since === undefined || isPattern(channel)) continue;
    if (!requests.has(channel) && !names.some((name) => patternMatches(name, channel))) continue;
    requests.set(channel, { channel, since });
  }
  return [...requests.values()];
}

/** Reads `<epoch>:<offset>`. */
export function parsePosition(text: string): StreamPosition | undefined {
  const found = /^(.*):(\d{1,16})$/s.exec(text);
  if (found === null) return undefined;
  const offset = Number(found[2]);
  return Number.isSafeInteger(offset) ? { epoch: found[1]!, offset } : undefined;
}

/** Where a replay begins, and what the client is told about it. */
export interface RecoverPlan {
  readonly channel: string;
  /** What is read after. */
  readonly from: StreamPosition;
  /** What was read already. */
  readonly page: HistoryPage | undefined;
  /** Undefined when nothing was asked for. */
  readonly recovered: true | GapReason | undefined;
  /** The end of the history when the plan was made. */
  readonly top: StreamPosition;
}

/**
 * Finds out what a client missed.
 *
 * @param broker Where the history is.
 * @param request The channel and the client's position in it.
 * @param limit Publications replayed at most; beyond it none are. -1 for a client that has no
 *   history, whatever there is.
 */
export async function planRecovery(
  broker: Broker,
  { channel, since }: RecoverRequest,
  limit: number,
): Promise<RecoverPlan> {
  if (since === undefined) {
    const top = await broker.position(channel);
    return { channel, from: top, page: undefined, recovered: undefined, top };
  }
  if (limit < 0) {
    const top = await broker.position(channel);
    const isUpToDate = top.offset === since.offset && top.epoch === since.epoch;
    return { channel, from: top, page: undefined, recovered: isUpToDate || "no_history", top };
  }
  const page = await broker.history(channel, { since, limit: REPLAY_PAGE });
  const { top } = page;
  if (await exceeds(broker, channel, page, limit)) {
    return { channel, from: top, page: undefined, recovered: "limit", top };
  }
  return { channel, from: since, page, recovered: reasonOf(page, since), top };
}

function reasonOf(page: HistoryPage, since: StreamPosition): true | GapReason {
  if (!page.gap) return true;
  if (since.epoch !== page.top.epoch) return "epoch_changed";
  return page.publications.length === 0 ? "no_history" : "trimmed";
}

/** Whether more than so many publications follow. */
async function exceeds(
  broker: Broker,
  channel: string,
  first: HistoryPage,
  limit: number,
): Promise<boolean> {
  let page = first;
  let count = page.publications.length;
  const start = page.publications[0]?.offset ?? page.top.offset;
  // Offsets grow by one at least, so that their distance is the most that it can be.
  if (page.top.offset - start < limit) return count > limit;
  while (page.more && count <= limit) {
    const { offset, epoch } = page.publications.at(-1)!;
    page = await broker.history(channel, { since: { offset, epoch }, limit: -1 });
    if (page.publications.length === 0) break;
    count += page.publications.length;
  }
  return count > limit;
}

/** What the answer says about the plans. */
export function recoveryMetadata(plans: readonly RecoverPlan[]): Record<string, string> {
  const metadata: Record<string, string> = {};
  for (const { channel, recovered, top } of plans) {
    if (recovered !== undefined) {
      metadata[`keyop-recovered.${channel}`] = recovered === true ? "true" : `false:${recovered}`;
    }
    metadata[`keyop-position.${channel}`] = `${top.epoch}:${top.offset}`;
  }
  return metadata;
}

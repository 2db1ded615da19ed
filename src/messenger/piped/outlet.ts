/** A record, ready to be stored. */
export interface MadeRecord {
  /** Its line. */
  readonly record: string;
  /** Its UUID. */
  readonly id: string;
}

/** Where records go that have passed the pipes. */
export interface Outlet<P> {
  /** Throws when nothing more is taken. */
  mustBeOpen(): void;
  /** Stores it at once; undefined when something on the channel is to be waited for. */
  storeNow(
    channel: string,
    record: string,
    id: string,
    signal: AbortSignal | undefined,
  ): Promise<P> | undefined;
  /**
   * Stores it in the order of these calls.
   *
   * @param channel The channel.
   * @param making Settles with the record; when this rejects, it is left out.
   * @param signal Leaves it out as well, unless it was stored by then.
   */
  storeInTurn(
    channel: string,
    making: Promise<MadeRecord>,
    signal: AbortSignal | undefined,
  ): Promise<P>;
  /** Stores it as soon as the channel can take it, whoever waits. */
  storeAnyway(channel: string, record: string, id: string): Promise<P>;
}

/** An outlet that takes several records as one group. */
export interface GroupOutlet<P> extends Outlet<P> {
  /** {@linkcode Outlet.storeInTurn} of several. */
  storeAllInTurn(
    channel: string,
    making: Promise<readonly MadeRecord[]>,
    signal: AbortSignal | undefined,
  ): Promise<P[]>;
}

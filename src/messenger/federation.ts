/** The links of a messenger, as far as the messenger itself has to do with them. */
export interface Federation {
  /** Where the hub listens; empty when none runs. */
  readonly hubAddr: string;
  /** Ends all links. */
  close(): Promise<void>;
}

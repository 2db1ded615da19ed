/** What to do after a connection has ended. */
export interface AfterClose {
  /** Whether to connect again. */
  readonly reconnect: boolean;
  /** Whether the token was refused: worth another attempt with a fresh one. */
  readonly freshToken?: boolean;
  /** Whether trying again soon is of no use. */
  readonly waitLong?: boolean;
}

const STOP: AfterClose = { reconnect: false };

const TABLE: Readonly<Record<number, AfterClose>> = {
  // Policy violation: a proxy or a gateway that does not want this client.
  1008: STOP,
  3500: { reconnect: false, freshToken: true },
  3501: STOP,
  3503: STOP,
  // Another connection of the user may end.
  3504: { reconnect: true, waitLong: true },
  3505: STOP,
  3506: STOP,
  3507: STOP,
  3508: { reconnect: true, waitLong: true },
  3509: STOP,
};

/**
 * What a close code asks for. Codes that are not known mean trying again, but for 4500 to 4999, with
 * which an application ends a connection for good.
 */
export function afterClose(code: number): AfterClose {
  return TABLE[code] ?? { reconnect: code < 4500 || code > 4999 };
}

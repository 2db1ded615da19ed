/** Lowest version of TLS that is spoken. */
export type TlsVersion = "1.2" | "1.3";

/** What a TLS server shows and asks for, as PEM text. */
export interface ServerCredentials {
  /** Certificate, with intermediate ones after it. */
  readonly cert: string;
  /** Its private key. */
  readonly key: string;
  /** Authorities that clients' certificates must come from; without them no certificate is asked for. */
  readonly ca?: string;
  /** When the authority's certificate expires; the TLS stack itself never asks. */
  readonly caNotAfter?: Date;
}

/** What a TLS client shows and trusts, as PEM text. */
export interface ClientCredentials {
  /** Certificate; left out where the server asks for none. */
  readonly cert?: string;
  /** Its private key. */
  readonly key?: string;
  /** Authorities that the server's certificate must come from; the system's when left out. */
  readonly ca?: string;
  /** When the authority's certificate expires. */
  readonly caNotAfter?: Date;
}

/** Who is at the other end of a socket. */
export interface SocketPeer {
  /**
   * Name that its certificate proves: empty when that has none that is of use, undefined when nobody
   * asked for one.
   */
  readonly name: string | undefined;
  /** Where it is, for people: `127.0.0.1:41873`. */
  readonly address: string;
}

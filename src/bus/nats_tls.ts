/** Certificates of a TLS connection, as PEM. */
export interface NatsTls {
  /** The authority that the server's certificate has to come from. */
  readonly ca?: string;
  /** The client's certificate. */
  readonly cert?: string;
  /** Its key. */
  readonly key?: string;
}

import type { TlsVersion } from "../sockets/mod.ts";

export type { TlsVersion };

/** What federation asks of the memory of seen ids. */
export interface SeenIds {
  /** Whether the id is remembered. */
  has(id: string): boolean;
  /** Remembers the id. @returns Whether it was new. */
  add(id: string): boolean;
  /** Forgets the id. */
  delete(id: string): void;
}

/** Certificate, private key and authority of this instance, as PEM text. */
export interface Credentials {
  /** Certificate, with intermediate ones after it. */
  readonly cert: string;
  /** Its private key. */
  readonly key: string;
  /** Certificates of the authorities that peers must come from. */
  readonly ca: string;
  /** Common Name of the certificate. */
  readonly commonName: string;
  /** When the authority's certificate expires; the TLS stack itself never asks. */
  readonly caNotAfter?: Date;
}

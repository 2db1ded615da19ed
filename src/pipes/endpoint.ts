import type { EncodingName } from "./encoding.ts";

/** Certificates of a server, as PEM text. */
export interface ServeTls {
  /** Certificate, with intermediate ones after it. */
  readonly cert: string;
  /** Its private key. */
  readonly key: string;
  /**
   * Authorities that clients' certificates must come from: with them TLS is mutual, and `peer` of a
   * connection is the name in its certificate. @default no certificate is asked for
   */
  readonly ca?: string;
  /** Lowest version of TLS. @default {"1.3"} */
  readonly minVersion?: "1.2" | "1.3";
}

/** Options of `MessageBroker.serve`. */
export interface ServeOptions {
  /** Port; 0 for any free one. */
  readonly port: number;
  /** Host name or IP address to listen on; `0.0.0.0` for every one. @default {"127.0.0.1"} */
  readonly hostname?: string;
  /** Certificates. @default plain connections */
  readonly tls?: ServeTls;
  /** The only path that is answered, without a query; another is answered 404. @default any */
  readonly path?: string;
}

/** Where a broker listens. */
export interface ServeInfo {
  /** Host name or IP address. */
  readonly hostname: string;
  /** The port that it got. */
  readonly port: number;
  /** What a client gives to `connect`. */
  readonly url: string;
}

/** Certificates of a client, as PEM text. */
export interface ConnectTls {
  /** Authorities that the server's certificate must come from. @default the system's */
  readonly ca?: string;
  /** Certificate to show, where the server asks for one. */
  readonly cert?: string;
  /** Its private key. */
  readonly key?: string;
  /** Common Name that the server's certificate must have, in place of the host of the URL. */
  readonly name?: string;
  /** Lowest version of TLS. @default {"1.3"} */
  readonly minVersion?: "1.2" | "1.3";
}

/** Options of `MessageBroker.connect`. */
export interface ConnectOptions {
  /** The encoding, or several, the preferred one first. @default the broker's `encodings` */
  readonly encoding?: EncodingName | readonly EncodingName[];
  /** Certificates, for `wss:`. */
  readonly tls?: ConnectTls;
  /** Gives up; once connected it does nothing. */
  readonly signal?: AbortSignal;
}

/** A listener of a broker. */
export interface Endpoint {
  readonly info: ServeInfo;
  /** Takes no more connections. Settles once there are none. */
  close(): Promise<void>;
}

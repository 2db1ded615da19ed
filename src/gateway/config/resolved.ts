import type { ResolvedConfig } from "../../messenger/mod.ts";
import type { HookName } from "./text_checks.ts";

/** Names with texts, as `claims` and `headers` have them. */
export type TextMap = Readonly<Record<string, readonly string[]>>;

/** A certificate and its key; both "" is no TLS. */
export interface ResolvedServerTls {
  /** PEM file of the certificate and its chain. */
  readonly certFile: string;
  /** PEM file of its private key. */
  readonly keyFile: string;
}

/** How a server that is connected to is known. */
export interface ResolvedClientTls {
  /** Whether any certificate is taken. */
  readonly insecureSkipVerify: boolean;
  /** The name that the certificate must show; "" is the host's. */
  readonly serverName: string;
  /** PEM file of the authorities; "" is those of the system. */
  readonly caFile: string;
}

/** One route of a backend. */
export interface ResolvedRoute {
  /** Pattern of channels. */
  readonly channel: string;
  /** Pattern of methods. */
  readonly method: string;
}

/** A backend. */
export interface ResolvedProxy {
  /** Its name. */
  readonly name: string;
  /** Which protocol it speaks. */
  readonly kind: "http" | "grpc";
  /** Where it listens. */
  readonly endpoint: string;
  /** How long a call may take, in milliseconds. */
  readonly timeoutMs: number;
  /** The calls that it gets. */
  readonly hooks: readonly HookName[];
  /** What concerns HTTP. */
  readonly http: { readonly headers: TextMap; readonly tls: ResolvedClientTls };
  /** What concerns gRPC. */
  readonly grpc: { readonly insecure: boolean; readonly tls: ResolvedClientTls };
  /** What it is for. */
  readonly routes: readonly ResolvedRoute[];
}

/** A token that is known beforehand. */
export interface ResolvedToken {
  /** The token; "" when its hash is given. */
  readonly token: string;
  /** Its SHA-256, hexadecimal; "" when the token is given. */
  readonly sha256: string;
  /** The user's id. */
  readonly user: string;
  /** What rules may ask. */
  readonly claims: TextMap;
}

/** How JSON Web Tokens are checked. */
export interface ResolvedJwt {
  /** Accepted signatures; empty is no JWT. */
  readonly algorithms: readonly ("HS256" | "RS256" | "EdDSA")[];
  /** Secret of HS256; "" is none. */
  readonly secret: string;
  /** File that holds it; "" is none. */
  readonly secretFile: string;
  /** PEM file of the public key; "" is none. */
  readonly publicKeyFile: string;
  /** File of a key set; "" is none. */
  readonly jwksFile: string;
  /** What `iss` must be; "" is any. */
  readonly issuer: string;
  /** What `aud` must name; "" is any. */
  readonly audience: string;
  /** The claim with the user's id. */
  readonly userClaim: string;
  /** How far clocks may be apart, in milliseconds. */
  readonly leewayMs: number;
  /** Whether a token without `exp` is accepted. */
  readonly allowNoExpiry: boolean;
}

/** What a rule may allow. */
export type RuleAction = "subscribe" | "publish" | "presence" | "history";

/** Who may do what on which channels. */
export interface ResolvedRule {
  /** Patterns of channels. */
  readonly channels: readonly string[];
  /** What is allowed. */
  readonly allow: readonly RuleAction[];
  /** Users; empty is every one with an id. */
  readonly users: readonly string[];
  /** Claims that the user must have. */
  readonly claims: TextMap;
  /** Whether it holds for users without an id. */
  readonly anonymous: boolean;
}

/** Limits of one connection; 0 is any number. */
export interface ResolvedLimitScope {
  /** Subscriptions. */
  readonly subscriptions: number;
  /** Publications in a second, on average. */
  readonly publishesPerSecond: number;
  /** Bytes of frames in a second, on average. */
  readonly bytesPerSecond: number;
  /** Calls that are under way. */
  readonly pendingRpcs: number;
}

/** Limits of all connections of one user, or from one address; 0 is any number. */
export interface ResolvedSharedLimits extends ResolvedLimitScope {
  /** Connections. */
  readonly connections: number;
}

/** Every limit. */
export interface ResolvedLimits {
  /** Bytes of one frame. */
  readonly frameBytes: number;
  /** Metadata entries of one frame. */
  readonly metadataEntries: number;
  /** Bytes of the metadata of one frame. */
  readonly metadataBytes: number;
  /** Subscriptions that one frame may name. */
  readonly subscriptionsPerFrame: number;
  /** Frames that may wait for a client. */
  readonly outboundFrames: number;
  /** Bytes that may wait for a client. */
  readonly outboundBytes: number;
  /** How long a client may take nothing while something waits, in milliseconds; 0 is any time. */
  readonly writeTimeoutMs: number;
  /** Publications of one channel that are replayed to a client that comes back. */
  readonly replay: number;
  /** Bad frames after which a client is closed. */
  readonly badFrames: number;
  /** How long a bad frame counts, in milliseconds. */
  readonly badFramesWindowMs: number;
  /** Connections in all; 0 is any number. */
  readonly connections: number;
  /** Of one connection. */
  readonly connection: ResolvedLimitScope;
  /** Of one user. */
  readonly user: ResolvedSharedLimits;
  /** From one IP address. */
  readonly address: ResolvedSharedLimits;
}

/** A gateway's configuration, checked, with every default filled in and durations in milliseconds. */
export interface ResolvedGatewayConfig {
  /** What holds for all clients. */
  readonly server: {
    readonly http: { readonly addr: string; readonly enabled: boolean };
    readonly heartbeat: { readonly idleTimeoutMs: number };
    readonly rpcTimeoutMs: number;
    readonly authTimeoutMs: number;
    readonly requireAuth: boolean;
    readonly allowAnonymous: boolean;
    readonly aclFailure: "disconnect" | "error";
    readonly drainTimeoutMs: number;
  };
  /** How clients connect. */
  readonly transport: {
    readonly websocket: {
      readonly enabled: boolean;
      readonly addr: string;
      readonly path: string;
      readonly readTimeoutMs: number;
      readonly allowedOrigins: readonly string[];
      readonly allowAllOrigins: boolean;
      readonly tls: ResolvedServerTls;
    };
    readonly sse: { readonly enabled: boolean };
    readonly grpc: {
      readonly enabled: boolean;
      readonly addr: string;
      readonly tls: ResolvedServerTls;
    };
  };
  /** The admin API. */
  readonly admin: {
    readonly enabled: boolean;
    readonly addr: string;
    readonly authToken: string;
    readonly authTokenFile: string;
    readonly allowInsecure: boolean;
    readonly shareClientPort: boolean;
    readonly notifyClient: boolean;
    readonly tls: ResolvedServerTls;
  };
  /** What carries publications. */
  readonly broker: {
    readonly type: "memory" | "redis" | "messenger";
    readonly redis: ResolvedRedis;
    /** The instance whose channels are used: a file, or its configuration. */
    readonly messenger: {
      readonly config: string;
      readonly instance: ResolvedConfig | undefined;
    };
  };
  /** The backends, in their order. */
  readonly proxy: readonly ResolvedProxy[];
  /** How events are delivered. */
  readonly delivery: { readonly dataForm: "binary" | "preserve" };
  /** Members of channels. */
  readonly presence: { readonly enabled: boolean };
  /** What the memory broker keeps. */
  readonly history: { readonly size: number; readonly ttlMs: number };
  /** Who is admitted, and to what. */
  readonly security: {
    readonly tokens: readonly ResolvedToken[];
    readonly jwt: ResolvedJwt;
    readonly rules: readonly ResolvedRule[];
  };
  /** Every limit. */
  readonly limits: ResolvedLimits;
}

/** The connection to Redis. */
export interface ResolvedRedis {
  /** `host:port`. */
  readonly addr: string;
  /** User name; "" is none. */
  readonly username: string;
  /** Password; "" is none. */
  readonly password: string;
  /** Number of the database. */
  readonly db: number;
  /** Accepted, unused. */
  readonly poolSize: number;
  /** Accepted, unused. */
  readonly minIdleConns: number;
  /** How often a command is sent again. */
  readonly maxRetries: number;
  /** How long connecting may take, in milliseconds. */
  readonly dialTimeoutMs: number;
  /** How long a command may wait for its answer, in milliseconds. */
  readonly readTimeoutMs: number;
  /** Accepted, unused. */
  readonly writeTimeoutMs: number;
  /** Publications that a channel's history keeps. */
  readonly streamMaxLength: number;
  /** Whether it may keep a few more. */
  readonly streamApproximate: boolean;
  /** How long it is kept, in milliseconds. */
  readonly historyTtlMs: number;
  /** Accepted, unused. */
  readonly consumerGroup: string;
  /** TLS. */
  readonly tls: { readonly enabled: boolean; readonly caFile: string; readonly serverName: string };
}

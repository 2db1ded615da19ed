import { type Key, type Section, sectionsOf } from "../../config/mod.ts";

// Timers take no longer wait.
const MS_MAX = 2_147_483_647;
const MB_MAX = 1_048_576;

/**
 * Every key there is, in the order of the reference. Parsing, defaults, limits, both spellings, the nearest
 * name to an unknown one and the reference all come from here.
 */
// deno-fmt-ignore
export const KEYS: readonly Key[] = [
  { path: "name", type: "text", form: "name", shownDefault: "the certificate's Common Name, else the host name",
    summary: "The instance's name. Peers know it by this name; with TLS it has to be the certificate's Common Name." },

  { path: "storage.data_dir", type: "text", form: "path", required: true,
    summary: "The folder that holds channels, cursors and the audit log. One process owns it at a time." },
  { path: "storage.sync_policy", type: "choice", choices: ["none", "periodic", "always"], default: "periodic",
    summary: "When what was published is forced to the disk: left to the system, by a timer, or before `publish` resolves." },
  { path: "storage.sync_interval_ms", type: "integer", default: 200, min: 1, max: MS_MAX, zeroIsDefault: true,
    summary: "Milliseconds between two syncs under `periodic`." },
  { path: "storage.max_subscriber_lag_mb", type: "integer", default: 512, min: 1, max: MB_MAX, zeroIsDefault: true,
    summary: "MiB of unread backlog of a subscriber beyond which a warning is logged." },
  { path: "storage.compaction_threshold_mb", type: "integer", default: 256, min: 1, max: MB_MAX, zeroIsDefault: true,
    summary: "MiB at which a channel begins a new segment file; whole segments are removed once everybody has read them." },
  { path: "storage.offset_flush_interval_ms", type: "integer", default: 0, min: 0, max: MS_MAX,
    summary: "Milliseconds between two writes of a cursor; 0 writes it after every message." },
  { path: "storage.max_files", type: "integer", default: 0, min: 0, max: 1_000_000_000,
    summary: "Segment files that a channel keeps, read or not; 0 is any number." },
  { path: "storage.retention", type: "duration", default: "0",
    summary: "How long a segment is kept after its last message, read or not; 0 is for ever." },

  { path: "subscribers.max_retries", type: "integer", default: 5, min: 0, max: 1_000_000,
    summary: "Retries before a failing message goes to the dead-letter channel; 0 is none." },
  { path: "subscribers.retry_backoff_base_ms", type: "integer", default: 100, min: 0, max: MS_MAX,
    summary: "Milliseconds before the first retry; each further wait is twice as long." },
  { path: "subscribers.retry_backoff_max_ms", type: "integer", default: 5000, min: 0, max: MS_MAX,
    summary: "Milliseconds that the wait between retries grows to." },

  { path: "hub.enabled", type: "boolean", default: false,
    summary: "Whether other instances may connect to this one." },
  { path: "hub.listen_addr", type: "text", form: "host:port", use: "listen", shownDefault: "none; required by `hub.enabled`",
    summary: "Where to listen; port 0 takes a free one, an empty host is every interface." },
  { path: "hub.allowed_peers", type: "entries",
    summary: "The instances that may connect; nobody else may." },
  { path: "hub.allowed_peers[].name", type: "text", form: "name", required: true,
    summary: "The instance's name: its certificate's Common Name." },
  { path: "hub.allowed_peers[].subscribe", type: "channels",
    summary: "Channels that the peer may receive; empty allows every one." },
  { path: "hub.allowed_peers[].publish", type: "channels",
    summary: "Channels that the peer may send to; empty allows every one." },
  { path: "hub.fed_client_offset_ttl", type: "duration", default: "168h",
    summary: "How long the cursor of a disconnected peer is kept; 0 is for ever." },
  { path: "hub.insecure", type: "boolean", default: false,
    summary: "Lets a hub without TLS listen on an address that is not a loopback one." },

  { path: "client.enabled", type: "boolean", default: false,
    summary: "Whether this instance connects to hubs." },
  { path: "client.hubs", type: "entries",
    summary: "The hubs; at least one when `client.enabled`." },
  { path: "client.hubs[].addr", type: "text", form: "host:port", use: "dial", required: true,
    summary: "Where the hub listens." },
  { path: "client.hubs[].name", type: "text", form: "name", optional: true, shownDefault: "none: the dialled host counts",
    summary: "Common Name that the hub's certificate must show, in place of the dialled host." },
  { path: "client.hubs[].subscribe", type: "channels",
    summary: "Channels to receive from the hub; empty receives none." },
  { path: "client.hubs[].publish", type: "channels",
    summary: "Channels to send to the hub; empty sends every one." },

  { path: "tls.cert", type: "text", form: "path", shownDefault: "none: no TLS",
    summary: "PEM file of the instance's certificate." },
  { path: "tls.key", type: "text", form: "path", shownDefault: "none: no TLS",
    summary: "PEM file of its private key." },
  { path: "tls.ca", type: "text", form: "path", shownDefault: "none: no TLS",
    summary: "PEM file of the authority that signed the certificates of all instances." },
  { path: "tls.min_version", type: "choice", choices: ["1.2", "1.3"], default: "1.3",
    summary: "The oldest TLS version that is spoken." },
  { path: "tls.expiry_warn_days", type: "integer", default: 30, min: 1, max: 36_500, zeroIsDefault: true,
    summary: "Days before a certificate's expiry at which warnings begin." },

  { path: "federation.reconnect_base_ms", type: "integer", default: 500, min: 1, max: MS_MAX, zeroIsDefault: true,
    summary: "Milliseconds before the first reconnection; each further wait is twice as long." },
  { path: "federation.reconnect_max_ms", type: "integer", default: 60_000, min: 1, max: MS_MAX, zeroIsDefault: true,
    summary: "Milliseconds that the wait between reconnections grows to." },
  { path: "federation.reconnect_jitter", type: "number", default: 0.2, min: 0, max: 1,
    summary: "Share of the wait that chance adds or takes." },
  { path: "federation.send_buffer_messages", type: "integer", default: 10_000, min: 1, max: 10_000_000, zeroIsDefault: true,
    summary: "Messages that may be unacknowledged on a link; the log on disk holds the rest, nothing is dropped." },
  { path: "federation.max_batch_bytes", type: "integer", default: 65_536, min: 1, max: 67_108_864, zeroIsDefault: true,
    summary: "Bytes of records in one frame." },

  { path: "dedup.seen_id_lru_size", type: "integer", default: 100_000, min: 1, max: 100_000_000, zeroIsDefault: true,
    summary: "Message ids that are remembered to recognise what arrives twice." },

  { path: "audit.max_size_mb", type: "integer", default: 100, min: 1, max: MB_MAX, zeroIsDefault: true,
    summary: "MiB at which `audit/audit.jsonl` is rotated." },
  { path: "audit.max_files", type: "integer", default: 10, min: 1, max: 10_000, zeroIsDefault: true,
    summary: "Rotated audit files that are kept." },
];

/** The same by sections. */
export const ROOT: Section = sectionsOf(KEYS);

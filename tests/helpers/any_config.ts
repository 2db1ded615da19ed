import fc, { type Arbitrary } from "fast-check";
import type { Config } from "../../src/messenger/config/mod.ts";

const text = (maxLength: number): Arbitrary<string> =>
  fc.oneof(
    fc.string({ unit: "grapheme", minLength: 1, maxLength })
      .filter((made) => made.length <= 255 && !/[\p{Cc}\p{Zl}\p{Zp}]/u.test(made)),
    // What YAML takes for something else when it stands there bare.
    fc.constantFrom("null", "~", "true", "no", "1e3", "0x1f", "2024-01-31", "007", "#", "a: b"),
  );
const channels = fc.array(fc.stringMatching(/^[a-zA-Z0-9_-][a-zA-Z0-9._-]{0,20}$/), {
  maxLength: 4,
});
const duration = fc.oneof(
  fc.nat(10_000_000_000),
  fc.constantFrom("0", "168h", "1h30m", "250ms", "7d", "2w", "1.5h"),
);
const port = fc.integer({ min: 1, max: 65535 });
const remote = fc.oneof(
  fc.tuple(fc.domain(), port).map(([host, at]) => `${host}:${at}`),
  fc.tuple(fc.ipV4(), port).map(([host, at]) => `${host}:${at}`),
  fc.tuple(fc.ipV6(), port).map(([host, at]) => `[${host}]:${at}`),
);
const loopback = fc.constantFrom("127.0.0.1:0", "[::1]:7740", "localhost:7740");
const whole = (max: number): Arbitrary<number> => fc.nat(max);

/** Two numbers, the first of them not the larger one. */
function ordered<Low extends string, High extends string>(
  low: Low,
  high: High,
): Arbitrary<Record<Low | High, number>> {
  const number = fc.integer({ min: 1, max: 100_000 });
  return fc.tuple(number, number).map(([a, b]) =>
    ({ [low]: Math.min(a, b), [high]: Math.max(a, b) }) as Record<Low | High, number>
  );
}

function partial<T>(model: { [K in keyof T]: Arbitrary<T[K]> }): Arbitrary<Partial<T>> {
  return fc.record(model, { requiredKeys: [] }) as Arbitrary<Partial<T>>;
}

const storage = fc.tuple(
  text(40),
  partial({
    syncPolicy: fc.constantFrom("none", "periodic", "always"),
    syncIntervalMs: whole(100_000),
    maxSubscriberLagMb: whole(10_000),
    compactionThresholdMb: whole(10_000),
    offsetFlushIntervalMs: whole(100_000),
    maxFiles: whole(1000),
    retention: duration,
  }),
).map(([dataDir, rest]) => ({ dataDir, ...rest }));

const subscribers = fc.tuple(
  partial({ maxRetries: whole(100) }),
  fc.oneof(fc.constant({}), ordered("retryBackoffBaseMs", "retryBackoffMaxMs")),
).map(([a, b]) => ({ ...a, ...b }));

const peers = fc.uniqueArray(
  fc.tuple(text(20), partial({ subscribe: channels, publish: channels }))
    .map(([name, lists]) => ({ name, ...lists })),
  { selector: ({ name }) => name, maxLength: 4 },
);
const hub = fc.tuple(
  fc.oneof(
    fc.constantFrom({}, { enabled: false }),
    fc.record({ enabled: fc.boolean(), listenAddr: loopback }),
    fc.record({ enabled: fc.boolean(), listenAddr: remote, insecure: fc.constant(true) }),
  ),
  partial({ allowedPeers: peers, fedClientOffsetTtl: duration }),
).map(([a, b]) => ({ ...a, ...b }));

const hubs = fc.uniqueArray(
  fc.tuple(remote, partial({ name: text(20), subscribe: channels, publish: channels }))
    .map(([addr, rest]) => ({ addr, ...rest })),
  { selector: ({ addr }) => addr.toLowerCase(), minLength: 1, maxLength: 4 },
);
const client = fc.oneof(fc.constant({}), fc.record({ enabled: fc.boolean(), hubs }));

const tls = fc.tuple(
  fc.oneof(fc.constant({}), fc.record({ cert: text(20), key: text(20), ca: text(20) })),
  partial({ minVersion: fc.constantFrom("1.2", "1.3"), expiryWarnDays: whole(1000) }),
).map(([a, b]) => ({ ...a, ...b }));

const federation = fc.tuple(
  fc.oneof(fc.constant({}), ordered("reconnectBaseMs", "reconnectMaxMs")),
  partial({
    reconnectJitter: fc.double({ min: 0, max: 1, noNaN: true }),
    sendBufferMessages: whole(100_000),
    maxBatchBytes: whole(1_000_000),
  }),
).map(([a, b]) => ({ ...a, ...b }));

/** Any configuration that is valid. */
export function anyConfig(): Arbitrary<Config> {
  const rest = partial({
    name: text(40),
    subscribers,
    hub,
    client,
    tls,
    federation,
    dedup: partial({ seenIdLruSize: whole(1_000_000) }),
    audit: partial({ maxSizeMb: whole(1000), maxFiles: whole(100) }),
  });
  return fc.tuple(storage, rest).map(([storage, others]) => ({ storage, ...others }) as Config);
}

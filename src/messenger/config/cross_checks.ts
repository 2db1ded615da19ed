import { quote } from "../../base/mod.ts";
import { type Findings, isLoopback, parseHostPort } from "../../config/mod.ts";
import type { ResolvedConfig } from "./resolved.ts";

/**
 * Notes what is wrong between keys that are each right by themselves. A check is left out when one of its keys
 * already has a problem.
 *
 * @param config The configuration, read and filled in.
 * @param findings Has the problems of single keys, takes those between them.
 */
export function checkAcross(config: ResolvedConfig, findings: Findings): void {
  checkOrder(
    findings,
    ["subscribers.retry_backoff_base_ms", config.subscribers.retryBackoffBaseMs],
    ["subscribers.retry_backoff_max_ms", config.subscribers.retryBackoffMaxMs],
  );
  checkHub(config, findings);
  checkClient(config, findings);
  checkTls(config, findings);
  checkOrder(
    findings,
    ["federation.reconnect_base_ms", config.federation.reconnectBaseMs],
    ["federation.reconnect_max_ms", config.federation.reconnectMaxMs],
  );
}

type PathAndValue = readonly [path: string, value: number];

function checkOrder(findings: Findings, low: PathAndValue, high: PathAndValue): void {
  if (findings.has(low[0]) || findings.has(high[0]) || low[1] <= high[1]) return;
  findings.add(low[0], `is ${low[1]}, more than ${findings.spell(high[0])}, which is ${high[1]}`);
}

function checkHub({ hub, tls }: ResolvedConfig, findings: Findings): void {
  noteRepeated(
    findings,
    hub.allowedPeers.map(({ name }, index) => [`hub.allowed_peers[${index}].name`, name]),
  );
  const path = "hub.listen_addr";
  if (!hub.enabled || findings.has(path)) return;
  if (hub.listenAddr === "") {
    findings.add(
      path,
      `is required when ${findings.spell("hub.enabled")} is true, as in "0.0.0.0:7740"`,
    );
    return;
  }
  const tlsIsWanted = [tls.cert, tls.key, tls.ca].some((file) => file !== "") ||
    ["tls", "tls.cert", "tls.key", "tls.ca", "hub.insecure"].some((other) => findings.has(other));
  if (tlsIsWanted || hub.insecure || isLoopback(parseHostPort(hub.listenAddr).host)) return;
  findings.add(
    path,
    `${quote(hub.listenAddr)} can be reached from other machines and there is no TLS: set ` +
      `${spellAll(findings, ["tls.cert", "tls.key"])} and ${findings.spell("tls.ca")}, or listen ` +
      `on 127.0.0.1, or set ${findings.spell("hub.insecure")} to true`,
  );
}

function checkClient({ client }: ResolvedConfig, findings: Findings): void {
  if (client.enabled && client.hubs.length === 0 && !findings.has("client.hubs")) {
    findings.add(
      "client.hubs",
      `needs at least one hub when ${findings.spell("client.enabled")} is true`,
    );
  }
  noteRepeated(
    findings,
    client.hubs.map(({ addr }, index) => [`client.hubs[${index}].addr`, addr.toLowerCase()]),
  );
}

function checkTls({ tls }: ResolvedConfig, findings: Findings): void {
  const files = ["cert", "key", "ca"] as const;
  if (findings.has("tls") || files.every((file) => tls[file] === "")) return;
  if (files.some((file) => findings.has(`tls.${file}`))) return;
  const given = files.filter((file) => tls[file] !== "").map((file) => `tls.${file}`);
  for (const file of files) {
    if (tls[file] !== "") continue;
    findings.add(`tls.${file}`, `is required together with ${given.join(" and ")}`);
  }
}

function noteRepeated(findings: Findings, values: readonly (readonly [string, string])[]): void {
  const first = new Map<string, string>();
  for (const [path, value] of values) {
    if (findings.has(path)) continue;
    const earlier = first.get(value);
    if (earlier === undefined) first.set(value, path);
    else findings.add(path, `${quote(value)} is at ${findings.spell(earlier)} already`);
  }
}

function spellAll(findings: Findings, paths: readonly string[]): string {
  return paths.map((path) => findings.spell(path)).join(", ");
}

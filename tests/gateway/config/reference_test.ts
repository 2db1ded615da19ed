import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { parse } from "@std/yaml";
import { loadGatewayConfig } from "../../../gateway.ts";
import { KEYS } from "../../../src/gateway/config/schema.ts";
import { gatewayConfigReference } from "../../../src/gateway/mod.ts";
import { tempDir } from "../../helpers/temp.ts";

const documentUrl = new URL("../../../docs/gateway.md", import.meta.url);

Deno.test("the document has the reference as it is made from the table", async () => {
  assertStringIncludes(
    await Deno.readTextFile(documentUrl),
    gatewayConfigReference(),
    "docs/gateway.md is behind the table: put the output of gatewayConfigReference() into it",
  );
});

Deno.test("the reference has a line for every key, each as wide as the others", () => {
  const lines = gatewayConfigReference().trimEnd().split("\n");
  assertEquals(lines.length, KEYS.length + 2);
  assertEquals(new Set(lines.map((line) => line.length)).size, 1);
});

Deno.test("the example of the document is read", async () => {
  const found = /```yaml\n(.*?)```/s.exec(await Deno.readTextFile(documentUrl));
  assert(found);
  await using dir = await tempDir();
  await Deno.writeTextFile(`${dir.path}/gateway.yaml`, found[1]!);
  const config = await loadGatewayConfig(`${dir.path}/gateway.yaml`);
  assertEquals(config.broker.type, "messenger");
  assertEquals(config.security.rules.length, 3);
  assertEquals(Object.keys(parse(found[1]!) as object).length, 6);
});

// The keys of the protocol document's table 16 with their defaults, spelt out once more by hand.
const TABLE: readonly (readonly [path: string, shown: string])[] = [
  ["server.http.addr", "`:8080`"],
  ["server.heartbeat.idle_timeout", "`300s`"],
  ["server.rpc_timeout", "`30s`"],
  ["server.auth_timeout", "`10s`"],
  ["server.allow_anonymous", "`false`"],
  ["server.acl_failure", "`disconnect`"],
  ["transport.websocket.addr", "`:9080`"],
  ["transport.websocket.path", "`/ws`"],
  ["transport.websocket.read_timeout", "`10s`"],
  ["transport.websocket.allowed_origins", "`[]`"],
  ["transport.websocket.allow_all_origins", "`false`"],
  ["transport.websocket.tls.cert_file", "none: no TLS"],
  ["transport.websocket.tls.key_file", "none: no TLS"],
  ["transport.grpc.addr", "`:9090`"],
  ["transport.grpc.tls.cert_file", "none: no TLS"],
  ["transport.grpc.tls.key_file", "none: no TLS"],
  ["admin.addr", "`127.0.0.1:9091`"],
  ["admin.allow_insecure", "`false`"],
  ["broker.type", "`memory`"],
  ["broker.redis.db", "`0`"],
  ["broker.redis.pool_size", "`10`"],
  ["broker.redis.min_idle_conns", "`5`"],
  ["broker.redis.max_retries", "`3`"],
  ["broker.redis.dial_timeout", "`5s`"],
  ["broker.redis.read_timeout", "`3s`"],
  ["broker.redis.write_timeout", "`3s`"],
  ["broker.redis.stream_max_length", "`10000`"],
  ["broker.redis.stream_approximate", "`true`"],
  ["broker.redis.history_ttl", "`24h`"],
  ["broker.redis.consumer_group", "`messageloop`"],
  ["proxy[].name", "required"],
  ["proxy[].endpoint", "required"],
  ["proxy[].timeout", "`30s`"],
  ["proxy[].http.headers", "none"],
  ["proxy[].http.tls.insecure_skip_verify", "`false`"],
  ["proxy[].grpc.insecure", "`false`"],
  ["delivery.data_form", "`binary`"],
  ["presence.enabled", "`true`"],
  ["history.size", "`256`"],
  ["history.ttl", "`24h`"],
  ["limits.frame_bytes", "`65536`"],
  ["limits.metadata_entries", "`256`"],
  ["limits.metadata_bytes", "`8192`"],
  ["limits.subscriptions_per_frame", "`100`"],
  ["limits.connection.subscriptions", "`1000`"],
  ["limits.user.connections", "`0`"],
  ["limits.connection.publishes_per_second", "`0`"],
  ["limits.connection.pending_rpcs", "`64`"],
  ["limits.outbound_frames", "`1024`"],
  ["limits.outbound_bytes", "`8388608`"],
  ["limits.bad_frames", "`20`"],
  ["limits.bad_frames_window", "`60s`"],
];

for (const [path, shown] of TABLE) {
  Deno.test(`${path} is there, with the default ${shown}`, () => {
    const line = gatewayConfigReference().split("\n").find((row) =>
      row.startsWith(`| \`${path}\` `)
    );
    assert(line, `there is no ${path}`);
    const defaults = line.split(" | ").at(-2)!.trim();
    assertEquals(defaults, shown);
  });
}

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Gateway, type GatewayConfig } from "../../../gateway.ts";
import { DurationHistogram, prometheusText } from "../../../src/gateway/http/mod.ts";
import { startHttpBackend } from "../../helpers/backend.ts";
import { GrpcTestClient } from "../helpers/grpc_client.ts";
import { TestClient } from "../helpers/client.ts";

function open(more: GatewayConfig = {}): Promise<Gateway> {
  return Gateway.open({
    ...more,
    server: { requireAuth: false, http: { addr: "127.0.0.1:0" }, ...more.server },
    transport: { websocket: { addr: "127.0.0.1:0" }, grpc: { addr: "127.0.0.1:0" } },
  });
}

/** One sample of the text. */
function sample(text: string, name: string): number {
  const line = text.split("\n").find((each) => each.startsWith(`keyop_gateway_${name} `));
  assert(line, `${name} is not there:\n${text}`);
  return Number(line.split(" ").at(-1));
}

Deno.test("/health says that clients are served, as JSON", async () => {
  await using gateway = await open();
  const response = await fetch(`http://${gateway.addresses.http}/health`);
  assertEquals([response.status, response.headers.get("content-type")], [200, "application/json"]);
  const { status, broker, stopping } = await response.json();
  assertEquals([status, broker, stopping], ["ok", { type: "memory", ready: true }, false]);
});

Deno.test("/metrics counts connections, publications and calls, in Prometheus' format", async () => {
  await using backend = await startHttpBackend(() => ({}));
  await using gateway = await open({
    proxy: [{ name: "b", endpoint: backend.endpoint, hooks: ["RPC"], routes: [{}] }],
  });
  const read = async (): Promise<string> => {
    const response = await fetch(`http://${gateway.addresses.http}/metrics`);
    assertStringIncludes(response.headers.get("content-type")!, "version=0.0.4");
    return await response.text();
  };
  await using one = await TestClient.connected(`ws://${gateway.addresses.websocket}/ws`);
  await using _two = await GrpcTestClient.connected(gateway.addresses.grpc!);
  await one.subscribe("room");
  await one.publish("room", "x");
  await one.ask({ id: "r", channel: "c", method: "m", rpc_request: { type: "t" } });
  const text = await read();
  assertEquals(sample(text, 'connections{transport="websocket"}'), 1);
  assertEquals(sample(text, 'connections{transport="grpc"}'), 1);
  assertEquals(sample(text, "sessions"), 2);
  assertEquals(sample(text, "subscriptions"), 1);
  assertEquals(sample(text, "connections_accepted_total"), 2);
  assertEquals(sample(text, "publications_total"), 1);
  assertEquals(sample(text, "deliveries_total"), 1);
  assertEquals(sample(text, 'broker_ready{broker="memory"}'), 1);
  const labels = '{backend="b",hook="RPC",outcome="ok"}';
  assertEquals(sample(text, `backend_call_duration_seconds_count${labels}`), 1);
  for (const line of text.trimEnd().split("\n")) {
    assertMatch(
      line,
      /^(?:# (?:HELP|TYPE) keyop_gateway_\w+ .+|keyop_gateway_\w+(?:\{.*\})? [\d.eE+-]+)$/,
    );
  }
});

Deno.test("other paths and methods are refused, and HEAD has no body", async () => {
  await using gateway = await open();
  const at = (path: string, init?: RequestInit) =>
    fetch(`http://${gateway.addresses.http}${path}`, init);
  const cases: readonly (readonly [string, string, number])[] = [
    ["/", "GET", 404],
    ["/metrics/", "GET", 404],
    ["/health", "POST", 405],
    ["/metrics", "DELETE", 405],
    ["/health?verbose=1", "GET", 200],
  ];
  for (const [path, method, expected] of cases) {
    const response = await at(path, { method });
    assertEquals(response.status, expected, `${method} ${path}`);
    await response.body?.cancel();
  }
  const head = await at("/health", { method: "HEAD" });
  assertEquals([head.status, await head.text()], [200, ""]);
});

Deno.test("labels are escaped, and a histogram adds up", () => {
  const histogram = new DurationHistogram();
  for (const elapsedMs of [1, 30, 40_000]) histogram.observe({ name: 'a"\\\nb' }, elapsedMs);
  const text = prometheusText([{
    name: "calls",
    kind: "histogram",
    help: "Calls.",
    samples: histogram.samples(),
  }]);
  const label = 'name="a\\"\\\\\\nb"';
  assertStringIncludes(text, `# TYPE keyop_gateway_calls histogram\n`);
  assertStringIncludes(text, `keyop_gateway_calls_bucket{${label},le="0.005"} 1\n`);
  assertStringIncludes(text, `keyop_gateway_calls_bucket{${label},le="0.05"} 2\n`);
  assertStringIncludes(text, `keyop_gateway_calls_bucket{${label},le="30"} 2\n`);
  assertStringIncludes(text, `keyop_gateway_calls_bucket{${label},le="+Inf"} 3\n`);
  assertStringIncludes(text, `keyop_gateway_calls_sum{${label}} 40.031\n`);
  assertStringIncludes(text, `keyop_gateway_calls_count{${label}} 3\n`);
});

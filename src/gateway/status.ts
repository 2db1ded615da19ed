import { memoryUsage } from "node:process";
import type { Clock } from "../base/mod.ts";
import type { HookName } from "./config/mod.ts";
import { DurationHistogram, type Health, type Metric } from "./http/mod.ts";
import type { Hub } from "./hub/mod.ts";

/** What `/health` and `/metrics` tell. */
export class GatewayStatus {
  readonly #calls = new DurationHistogram();
  readonly #clock: Clock;
  readonly #startedMs: number;
  /** Whether the gateway is stopping. */
  isStopping = false;

  /** @param clock Time. */
  constructor(clock: Clock) {
    this.#clock = clock;
    this.#startedMs = clock.now();
  }

  /** Notes how a call to a backend ended. */
  observe(
    backend: string,
    hook: HookName,
    outcome: "ok" | "error" | "timeout",
    elapsedMs: number,
  ): void {
    this.#calls.observe({ backend, hook, outcome }, elapsedMs);
  }

  /** How it goes. */
  health(hub: Hub): Health {
    const { broker } = hub;
    return {
      ok: broker.ready && !this.isStopping,
      details: {
        broker: { type: broker.name, ready: broker.ready },
        stopping: this.isStopping,
        connections: hub.connections,
        uptime_seconds: Math.floor((this.#clock.now() - this.#startedMs) / 1000),
      },
    };
  }

  /** What there is to count. */
  metrics(hub: Hub): readonly Metric[] {
    const { counters, broker } = hub;
    const gauge = (name: string, help: string, value: number): Metric => ({
      name,
      kind: "gauge",
      help,
      samples: [{ value }],
    });
    const counter = (name: string, help: string, value: number): Metric => ({
      name,
      kind: "counter",
      help,
      samples: [{ value }],
    });
    const byTransport = new Map([["websocket", 0], ["grpc", 0], ["sse", 0]]);
    for (const { transport: { kind } } of hub.sessions()) {
      byTransport.set(kind, (byTransport.get(kind) ?? 0) + 1);
    }
    return [
      {
        name: "connections",
        kind: "gauge",
        help: "Connections that exist, by transport.",
        samples: [...byTransport].map(([transport, value]) => ({ labels: { transport }, value })),
      },
      gauge("sessions", "Connections that have logged in.", hub.connected),
      gauge("users", "Users with a connection.", hub.users),
      gauge("subscriptions", "Subscriptions of all connections.", hub.registry.size),
      gauge("surveys", "Surveys that are under way.", hub.surveys.size),
      {
        name: "broker_ready",
        kind: "gauge",
        help: "Whether the broker can serve.",
        samples: [{ labels: { broker: broker.name }, value: broker.ready ? 1 : 0 }],
      },
      gauge("start_time_seconds", "When the gateway started.", this.#startedMs / 1000),
      gauge("resident_memory_bytes", "Memory of the process.", memoryUsage().rss),
      counter("connections_accepted_total", "Connections that opened.", counters.accepted),
      counter(
        "publications_total",
        "Publications that the broker delivered.",
        counters.publications,
      ),
      counter(
        "deliveries_total",
        "Publications handed to connections, one for each receiver.",
        counters.deliveries,
      ),
      counter(
        "broker_interruptions_total",
        "Times that the broker lost sight of a channel.",
        counters.interruptions,
      ),
      {
        name: "backend_call_duration_seconds",
        kind: "histogram",
        help: "How long calls to backends took.",
        samples: this.#calls.samples(),
      },
    ];
  }
}

/**
 * How a gateway goes, over HTTP. Needs net permission for its address.
 *
 * @module
 */
export { DurationHistogram, type Labels, type Metric, prometheusText } from "./metrics.ts";
export { type Health, listenForStatus, type StatusServerOptions } from "./status_server.ts";

/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
import { GatewayClient, type GatewayMessage } from "@keyop/messenger/client";
import { READINGS } from "../../demo/events.ts";
import { parseReading, type Reading } from "../../demo/readings.ts";
import { Chart } from "./charts.ts";
import { Tally } from "./tally.ts";
import { viewerName, Viewers } from "./viewers.ts";

const HISTORY = 1_000;
const IDS_KEPT = 50_000;
const STORY_LINES = 8;

const element = (id: string) => document.getElementById(id)!;
const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`;
const percent = (share: number) => `${Math.round(share * 100)} %`;

const charts = {
  cpu: new Chart({ id: "cpu", lines: ["busy"], format: percent, max: 1 }),
  load: new Chart({
    id: "load",
    lines: ["1 min", "5 min", "15 min"],
    format: (value) => value.toFixed(2),
  }),
  memory: new Chart({ id: "memory", lines: ["in use"], format: gigabytes }),
  arrival: new Chart({
    id: "arrival",
    lines: ["delay"],
    format: (ms) => `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`,
  }),
};
const tally = new Tally();
/** Ids of what has arrived, for whoever wants to compare. */
const ids: string[] = [];
Object.assign(globalThis, { readings: { ids, tally } });

const client = new GatewayClient(document.body.dataset.gateway!, {
  clientId: viewerName(),
  reconnectMaxMs: 2_000,
});
const readings = client.channel(READINGS, parseReading);
const viewers = new Viewers(readings, () => client.sessionId);

client.on("state", (state) => document.body.dataset.state = state);
client.on("connected", ({ transport, reconnected }) => {
  const how = transport === "websocket" ? "WebSocket" : "server-sent events";
  say(`Live over ${how}`);
  tell(reconnected ? "The gateway is back" : `Connected over ${how}`);
  if (reconnected) viewers.refresh();
});
let isAway = false;
client.on("disconnected", ({ retryInMs }) => {
  say(`Gateway away, next try in ${(retryInMs / 1_000).toFixed(1)} s`);
  if (!isAway) tell("The gateway is gone");
  isAway = true;
});
client.on("connected", () => isAway = false);
client.on("recovered", () => tell("What was missed is repeated"));
client.on("gap", ({ reason }) => tell(`There is a hole: ${reason}`));
client.on("closed", ({ message }) => {
  say("Closed");
  tell(message);
});
client.on("error", (error) => tell(String(error)));

let latestDelayMs: number | undefined;
setInterval(draw, 100);
await client.connect();
await readings.subscribe(show, { history: HISTORY });
await viewers.follow();

function show({ id, data, time, replayed }: GatewayMessage<Reading>): void {
  tally.add(data.number, replayed);
  if (ids.push(id) > IDS_KEPT) ids.shift();
  const atMs = time?.getTime() ?? Date.now();
  const atS = atMs / 1_000;
  const { kind, values, text } = data;
  if (kind === "cpu" || kind === "load") charts[kind].add(atS, values);
  if (kind === "memory") charts.memory.add(atS, [values[1]! - values[0]!]);
  if (kind === "network") element("network").textContent = text || "none";
  // What was repeated took as long as it was away, and would hide the rest.
  if (replayed) return;
  latestDelayMs = Math.max(0, Date.now() - atMs);
  charts.arrival.add(atS, [latestDelayMs]);
}

function draw(): void {
  for (const chart of Object.values(charts)) chart.draw();
  for (const name of ["received", "replayed", "missing", "doubled"] as const) {
    element(name).textContent = tally[name].toLocaleString("en");
  }
  element("missing").classList.toggle("wrong", tally.missing > 0);
  element("doubled").classList.toggle("wrong", tally.doubled > 0);
  if (latestDelayMs !== undefined) element("delay").textContent = `${latestDelayMs} ms`;
}

function say(text: string): void {
  element("state").querySelector("span")!.textContent = text;
}

function tell(text: string): void {
  const line = document.createElement("li");
  const time = document.createElement("time");
  time.textContent = new Date().toLocaleTimeString("en-GB");
  line.append(time, text);
  const story = element("story");
  story.prepend(line);
  while (story.children.length > STORY_LINES) story.lastChild!.remove();
}

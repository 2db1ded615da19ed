/** Measures the bus over NATS beside NATS's own client; started by `bench/bus_nats.ts`. */
import { NatsBus } from "@keyop/messenger/bus";
import { silentLogger } from "@keyop/messenger";
import { connect } from "@nats-io/transport-node";
import { NatsServer } from "../../tests/helpers/nats_server.ts";
import { answer } from "../lib/child.ts";
import type { Scale } from "../lib/question.ts";
import { measureInTurn } from "../lib/rounds.ts";
import { inFlight, PAYLOAD_BYTES, timed } from "./calls.ts";

const PUBLISH = "limit: publish of NATS's own client, in a loop";
const REQUEST = "limit: request of NATS's own client, 64 at a time";
const TOGETHER = 256;

const scale = JSON.parse(Deno.args[0]!) as Scale;
const { quick } = scale;
const messages = quick ? 2 * TOGETHER : 400 * TOGETHER;
const calls = quick ? 64 : 10_000;
await using server = await NatsServer.start();
const bare = await connect({ servers: server.url });
const bus = await NatsBus.connect({ servers: server.url, logger: silentLogger });
const data = new Uint8Array(PAYLOAD_BYTES).fill(0x78);
bare.subscribe("bare", { queue: "q", callback: (_error, message) => void message.respond(data) });
await bare.flush();
await bus.serve("bus", () => data);

answer(
  await measureInTurn([
    {
      what: PUBLISH,
      count: messages,
      run: () =>
        timed(async () => {
          for (let i = 0; i < messages; i++) bare.publish("nobody", data);
          await bare.flush();
        }),
    },
    {
      what: "bus over NATS: publish, one by one",
      count: messages,
      limit: PUBLISH,
      required: 0.8,
      run: () =>
        timed(async () => {
          for (let i = 0; i < messages; i++) await bus.publish("nobody", data);
          await arrived();
        }),
    },
    {
      what: `bus over NATS: publish, ${TOGETHER} at a time`,
      count: messages,
      limit: PUBLISH,
      required: 0.8,
      run: () =>
        timed(async () => {
          for (let i = 0; i < messages; i += TOGETHER) {
            await Promise.all(
              Array.from({ length: TOGETHER }, () => bus.publish("nobody", data)),
            );
          }
          await arrived();
        }),
    },
    {
      what: REQUEST,
      count: calls,
      run: () =>
        timed(() => inFlight(calls, 64, () => bare.request("bare", data, { timeout: 1e5 }))),
    },
    {
      what: "bus over NATS: request, 64 at a time",
      count: calls,
      limit: REQUEST,
      run: () => timed(() => inFlight(calls, 64, () => bus.request("bus", data))),
    },
  ], scale),
);
await bare.close();
await bus.close();

/** Settles when the server has everything that was published before. */
async function arrived(): Promise<void> {
  await (await bus.stream("mark")).close();
}

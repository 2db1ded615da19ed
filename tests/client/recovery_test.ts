import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { GatewayClient, type TransportKind } from "../../client.ts";
import { MemoryBroker } from "../../src/gateway/broker/mod.ts";
import { makeJsonEvent } from "../../src/gateway/event.ts";
import { testGateway } from "../gateway/helpers/gateway.ts";
import { LinkProxy } from "../helpers/link_proxy.ts";

/** What happens between the gateway and one reader, in order. */
type Step =
  | { readonly publish: number }
  /** The network drops every connection. */
  | { readonly cut: true }
  /** The gateway ends the session. */
  | { readonly disconnect: true };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ publish: fc.integer({ min: 1, max: 25 }) }) },
    { weight: 1, arbitrary: fc.constant({ cut: true } as const) },
    { weight: 1, arbitrary: fc.constant({ disconnect: true } as const) },
  ),
  { minLength: 4, maxLength: 14 },
);

/** Publications that the channel keeps: sometimes fewer than are missed. */
const KEPT = 40;

for (const transport of ["websocket", "sse"] as const satisfies TransportKind[]) {
  Deno.test(`over ${transport}, whatever breaks: in order, never twice, and no hole that is not told`, async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (steps) => {
        await using running = await testGateway({
          broker: new MemoryBroker({ historySize: KEPT }),
        });
        await using proxy = LinkProxy.start(`127.0.0.1:${running.port}`);
        await using reader = new GatewayClient(`ws://${proxy.address}/ws`, {
          transport,
          reconnectBaseMs: 1,
          reconnectMaxMs: 10,
        });
        await reader.connect();
        /** What the reader was told: numbers, and holes. */
        const told: (number | "hole")[] = [];
        let wake = () => {};
        await reader.channel<number>("numbers").subscribe(({ data }) => {
          told.push(data);
          wake();
        }, { onGap: () => told.push("hole") });
        let last = 0;
        const publish = async () => {
          const event = makeJsonEvent(++last, { type: "n" });
          await running.hub.broker.publish("numbers", event, {});
        };
        for (const step of steps) {
          if ("publish" in step) { for (let n = 0; n < step.publish; n++) await publish(); }
          if ("cut" in step) proxy.cut();
          const { sessionId } = reader;
          if ("disconnect" in step && sessionId) {
            running.hub.admin.disconnect([sessionId], 3511, "");
          }
          await new Promise((resolve) => setTimeout(resolve, 0));
        }
        await publish();
        while (told.at(-1) !== last) await new Promise<void>((resolve) => wake = resolve);
        assertSound(told, last);
      }),
      { numRuns: 15 },
    );
  });
}

function assertSound(told: readonly (number | "hole")[], last: number): void {
  let expected = 1;
  let hole = false;
  for (const each of told) {
    if (each === "hole") {
      hole = true;
      continue;
    }
    assert(each >= expected, `${each} came again or late: ${told}`);
    if (each > expected) assert(hole, `nobody told that ${expected} is missing: ${told}`);
    expected = each + 1;
    hole = false;
  }
  assertEquals(expected, last + 1);
}

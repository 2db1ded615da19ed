import { assertEquals, assertRejects } from "@std/assert";
import { BusPayloadInvalidError, RemoteError, subject } from "@keyop/messenger/bus";
import * as v from "valibot";
import { z } from "zod";
import type { BusRule } from "../suite.ts";

const reading = z.object({ sensor: z.string(), celsius: z.number() });
const thermostat = subject("thermostat", {
  request: reading,
  response: v.object({ heat: v.boolean() }),
});
const untyped = subject("thermostat");

const warm = { sensor: "kitchen", celsius: 21.5 };

export const TYPED_RULES: readonly BusRule[] = [
  {
    name: "typed values go there and back",
    async run(place) {
      await using a = await place.open();
      await using b = await place.open();
      await thermostat.serve(a, ({ celsius }) => ({ heat: celsius < 20 }));
      assertEquals(await thermostat.request(b, warm), { heat: false });
      const stream = (await thermostat.stream(b))[Symbol.asyncIterator]();
      await thermostat.publish(a, warm);
      assertEquals((await stream.next()).value, warm);
    },
  },
  {
    name: "typed replies come one by one",
    async run(place) {
      await using a = await place.open();
      await using b = await place.open();
      const count = subject("count", { request: z.int(), response: z.int() });
      await count.serve(a, async function* (n) {
        for (let i = 0; i < n; i++) yield await Promise.resolve(i);
      });
      assertEquals(await Array.fromAsync(count.requestMany(b, 4)), [0, 1, 2, 3]);
    },
  },
  {
    name: "a value that a schema refuses is refused by whichever end meets it first",
    async run(place) {
      await using a = await place.open();
      await using b = await place.open();
      let handled = 0;
      await thermostat.serve(a, ({ sensor }) => {
        handled++;
        return (sensor === "odd" ? { heat: "yes" } : { heat: true }) as { heat: boolean };
      });
      const cold = { sensor: "kitchen" } as unknown as typeof warm;
      const error = await assertRejects(
        () => thermostat.request(b, cold),
        BusPayloadInvalidError,
        "celsius: ",
      );
      assertEquals([error.part, error.side, error.issues.length], ["request", "sender", 1]);
      await assertRejects(() => thermostat.publish(b, cold), BusPayloadInvalidError);
      await assertRejects(() => untyped.request(b, cold), RemoteError, "celsius: ");
      await assertRejects(() => b.request("thermostat", "{"), RemoteError, "not JSON");
      await assertRejects(
        () => b.request("thermostat", new Uint8Array([0xff])),
        RemoteError,
        "not JSON",
      );
      assertEquals(handled, 0);
      await assertRejects(
        () => thermostat.request(b, { ...warm, sensor: "odd" }),
        RemoteError,
        "heat: ",
      );
      assertEquals(await thermostat.request(b, warm), { heat: true });
    },
  },
  {
    name: "an answer that the caller's schema refuses is an error there",
    async run(place) {
      await using a = await place.open();
      await using b = await place.open();
      await untyped.serve(a, () => ({ heat: 1 }));
      const error = await assertRejects(
        () => thermostat.request(b, warm),
        BusPayloadInvalidError,
        "heat: ",
      );
      assertEquals([error.part, error.side], ["response", "receiver"]);
    },
  },
  {
    name: "an invalid message is thrown or handed over, and the stream goes on behind it",
    async run(place) {
      await using a = await place.open();
      await using b = await place.open();
      const throwing = await thermostat.stream(b);
      const invalid: BusPayloadInvalidError[] = [];
      const skipping = await thermostat.stream(b, { onInvalid: (error) => invalid.push(error) });
      await a.publish("thermostat", "no JSON");
      await untyped.publish(a, { sensor: 1, celsius: "x" });
      await thermostat.publish(a, warm);
      const iterator = throwing[Symbol.asyncIterator]();
      await assertRejects(() => iterator.next(), BusPayloadInvalidError, "not JSON");
      const { issues } = await assertRejects(() => iterator.next(), BusPayloadInvalidError);
      assertEquals(issues.length, 2);
      assertEquals((await iterator.next()).value, warm);
      const skipped = skipping.messages()[Symbol.asyncIterator]();
      const { value } = await skipped.next();
      assertEquals([value?.subject, value?.value], ["thermostat", warm]);
      assertEquals([invalid.length, skipping.invalid, throwing.invalid], [2, 2, 2]);
    },
  },
];

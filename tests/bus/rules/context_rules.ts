import { assertEquals } from "@std/assert";
import { correlationId, serviceName, withCorrelationId, withServiceName } from "@keyop/messenger";
import type { BusMessage } from "@keyop/messenger/bus";
import type { BusRule } from "../suite.ts";
import { text } from "./tools.ts";

/** Calls with both set. */
const within = <R>(id: string, service: string, call: () => R): R =>
  withCorrelationId(id, () => withServiceName(service, call));

export const CONTEXT_RULES: readonly BusRule[] = [
  {
    name: "headers arrive as they were sent",
    async run(place) {
      await using a = await place.open();
      await using b = await place.open();
      const stream = (await b.stream("s")).messages()[Symbol.asyncIterator]();
      const headers = {
        "plain": "1",
        "empty": "",
        "spaces": "  a  b  ",
        "lines": "a\r\nx: y\n\tb\0",
        "text": 'żółć 🎉 %41 "quoted" \\',
        "x-0": "=",
      };
      await a.publish("s", "1", { headers });
      await a.publish("s", "2");
      const { subject, data, headers: got } = (await stream.next()).value as BusMessage;
      assertEquals([subject, text(data), { ...got }], ["s", "1", headers]);
      assertEquals({ ...((await stream.next()).value as BusMessage).headers }, {});
      await a.serve("r", (_, { headers }) => JSON.stringify({ ...headers }));
      assertEquals(JSON.parse(text(await b.request("r", "", { headers }))), headers);
    },
  },
  {
    name: "correlation id and service name travel with messages",
    async run(place) {
      await using a = await place.open();
      await using b = await place.open();
      const stream = (await b.stream("s")).messages()[Symbol.asyncIterator]();
      await within("order-17", "shop", () => a.publish("s", "1"));
      const own = { headers: { "correlation-id": "own" } };
      await within("order-17", "shop", () => a.publish("s", "2", own));
      const headersOf = async () => ({ ...((await stream.next()).value as BusMessage).headers });
      assertEquals(await headersOf(), { "correlation-id": "order-17", "service-name": "shop" });
      assertEquals(await headersOf(), { "correlation-id": "own", "service-name": "shop" });
    },
  },
  {
    name: "a request's correlation id and service name are current in its handler",
    async run(place) {
      await using a = await place.open();
      await using b = await place.open();
      const current = () => `${correlationId()}/${serviceName()}`;
      await within("server", "server", () =>
        a.serve("inner", async () => {
          await Promise.resolve();
          return current();
        }));
      await a.serve("outer", (data) => a.request("inner", data));
      await a.serve("many", async function* () {
        yield await Promise.resolve(current());
        yield await Promise.resolve(current());
      });
      const asked = within("order-17", "shop", () => b.request("outer", ""));
      const other = within("order-18", "", () => b.request("outer", ""));
      assertEquals([text(await asked), text(await other)], ["order-17/shop", "order-18/"]);
      assertEquals(text(await b.request("outer", "")), "/");
      const many = await within(
        "order-19",
        "shop",
        () => Array.fromAsync(b.requestMany("many", "")),
      );
      assertEquals(many.map(text), ["order-19/shop", "order-19/shop"]);
    },
  },
];

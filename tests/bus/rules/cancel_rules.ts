import { assertEquals, assertRejects } from "@std/assert";
import { RequestTimeoutError } from "@keyop/messenger/bus";
import type { BusRule } from "../suite.ts";
import { aborted, rest, serveAs, StuckHandler, take, text } from "./tools.ts";

class Enough extends Error {}

export const CANCEL_RULES: readonly BusRule[] = [
  {
    name: "every call rejects with the reason of a signal that is aborted already",
    async run(place) {
      await using bus = await place.open();
      const options = { signal: AbortSignal.abort(new Enough("enough")) };
      await assertRejects(() => bus.publish("s", "1", options), Enough);
      await assertRejects(() => bus.stream("s", options), Enough);
      await assertRejects(() => bus.request("s", "1", options), Enough);
      await assertRejects(() => Array.fromAsync(bus.requestMany("s", "1", options)), Enough);
      await assertRejects(() => bus.serve("s", () => "", options), Enough);
      const { streams, servers, pendingRequests } = bus.stats();
      assertEquals([streams, servers, pendingRequests], [0, 0, 0]);
    },
  },
  {
    name: "aborting a stream's signal ends its iteration and its deliveries at once",
    async run(place) {
      await using a = await place.open();
      await using b = await place.open();
      const controller = new AbortController();
      const stream = await b.stream("s", { signal: controller.signal });
      const other = await b.stream("s");
      const waiting = rest(stream);
      controller.abort();
      assertEquals(await waiting, []);
      await stream.closed;
      await a.publish("s", "1");
      assertEquals(await take(other, 1), ["1"]);
      assertEquals(await rest(stream), []);
    },
  },
  {
    name: "aborting a request rejects it with the reason and aborts the handler's signal",
    async run(place) {
      await using a = await place.open();
      await using b = await place.open();
      const stuck = new StuckHandler();
      await a.serve("r", stuck.handle);
      const controller = new AbortController();
      const request = b.request("r", "1", { signal: controller.signal, timeoutMs: 50_000 });
      const signal = await stuck.begun;
      assertEquals(signal.aborted, false);
      controller.abort(new Enough("enough"));
      await assertRejects(() => request, Enough);
      await aborted(signal);
      assertEquals(b.stats().pendingRequests, 0);
    },
  },
  {
    name: "the handler's signal is aborted when the caller's time is up",
    async run(place) {
      await using a = await place.open();
      await using b = await place.open();
      const stuck = new StuckHandler();
      await a.serve("r", stuck.handle);
      const request = b.request("r", "1", { timeoutMs: 300 });
      const signal = await stuck.begun;
      await assertRejects(() => request, RequestTimeoutError);
      await aborted(signal);
    },
  },
  {
    name: "aborting replies rejects them with the reason and aborts the handler's signal",
    async run(place) {
      await using a = await place.open();
      await using b = await place.open();
      const begun = Promise.withResolvers<AbortSignal>();
      await a.serve("r", async function* (_, { signal }) {
        begun.resolve(signal);
        yield "1";
        await aborted(signal);
      });
      const controller = new AbortController();
      const options = { signal: controller.signal, timeoutMs: 50_000 };
      const replies = b.requestMany("r", "", options)[Symbol.asyncIterator]();
      assertEquals(text((await replies.next()).value as Uint8Array), "1");
      const waiting = replies.next();
      controller.abort(new Enough("enough"));
      await assertRejects(() => waiting, Enough);
      await aborted(await begun.promise);
    },
  },
  {
    name: "aborting a server's signal ends it; others go on",
    async run(place) {
      await using a = await place.open();
      await using b = await place.open();
      const controller = new AbortController();
      const server = await a.serve("r", () => "first", { signal: controller.signal });
      assertEquals(text(await b.request("r", "")), "first");
      controller.abort();
      await server.closed;
      await serveAs(a, "r", "second");
      assertEquals(text(await b.request("r", "1")), "second:1");
      assertEquals(a.stats().servers, 1);
    },
  },
];

import { assert, assertEquals, assertRejects } from "@std/assert";
import { BusClosedError } from "@keyop/messenger/bus";
import type { BusRule } from "../suite.ts";
import { aborted, numbers, publishAll, rest, serveAs, StuckHandler, take, text } from "./tools.ts";

/** A handler that answers when it is let. */
class HeldHandler {
  readonly begun = Promise.withResolvers<void>();
  readonly go = Promise.withResolvers<void>();
  readonly handle = async (data: Uint8Array): Promise<Uint8Array> => {
    this.begun.resolve();
    await this.go.promise;
    return data;
  };
}

export const CLOSE_RULES: readonly BusRule[] = [
  {
    name: "after close everything rejects, and close again does nothing",
    async run(place) {
      const bus = await place.open();
      const stream = await bus.stream("s");
      const server = await bus.serve("r", () => "");
      await bus.close();
      await assertRejects(() => bus.publish("s", "1"), BusClosedError);
      await assertRejects(() => bus.stream("s"), BusClosedError);
      await assertRejects(() => bus.request("s", "1"), BusClosedError);
      await assertRejects(() => Array.fromAsync(bus.requestMany("s", "1")), BusClosedError);
      await assertRejects(() => bus.serve("s", () => ""), BusClosedError);
      await bus.close();
      await bus[Symbol.asyncDispose]();
      await Promise.all([stream.closed, server.closed, stream.close(), server.close()]);
      assertEquals(await rest(stream), []);
      const { closed, streams, servers } = bus.stats();
      assertEquals([closed, streams, servers], [true, 0, 0]);
    },
  },
  {
    name: "close ends streams; what they got can still be read, and other buses go on",
    async run(place) {
      await using a = await place.open();
      const b = await place.open();
      const stream = await b.stream("s");
      const mark = await b.stream("s");
      const other = await a.stream("s");
      await publishAll(a, "s", numbers(5));
      await take(mark, 5);
      const waiting = rest(mark);
      await b.close();
      assertEquals(await waiting, []);
      assertEquals(await rest(stream), numbers(5));
      await a.publish("s", "more");
      assertEquals(await take(other, 6), [...numbers(5), "more"]);
    },
  },
  {
    name: "close fails the requests that wait",
    async run(place) {
      await using a = await place.open({ drainMs: 0 });
      const b = await place.open();
      const stuck = new StuckHandler();
      await a.serve("r", stuck.handle);
      const waiting = assertRejects(
        () => b.request("r", "", { timeoutMs: 50_000 }),
        BusClosedError,
      );
      const signal = await stuck.begun;
      await b.close();
      await waiting;
      await aborted(signal);
    },
  },
  {
    name: "close lets a handler that runs finish, and its answer arrives",
    async run(place) {
      const a = await place.open({ drainMs: 50_000 });
      await using b = await place.open();
      const held = new HeldHandler();
      await a.serve("r", held.handle);
      const answer = b.request("r", "1", { timeoutMs: 50_000 });
      await held.begun.promise;
      const closing = a.close();
      await assertRejects(() => a.publish("s", "1"), BusClosedError);
      held.go.resolve();
      assertEquals(text(await answer), "1");
      await closing;
    },
  },
  {
    name: "closing a server lets its handlers finish; it takes no new requests",
    async run(place) {
      await using a = await place.open({ drainMs: 50_000 });
      await using b = await place.open();
      const held = new HeldHandler();
      const server = await a.serve("r", held.handle);
      const answer = b.request("r", "1", { timeoutMs: 50_000 });
      await held.begun.promise;
      const closing = server.close();
      const second = await serveAs(b, "r", "second");
      assertEquals(text(await b.request("r", "2")), "second:2");
      held.go.resolve();
      assertEquals(text(await answer), "1");
      await closing;
      await second.close();
      assertEquals([a.stats().servers, a.stats().served], [0, 1]);
    },
  },
  {
    name: "close does not wait for ever for a handler, whose signal it aborts",
    async run(place) {
      const a = await place.open({ drainMs: 50 });
      await using b = await place.open();
      const stuck = new StuckHandler();
      await a.serve("r", stuck.handle);
      const request = b.request("r", "", { timeoutMs: 50_000 });
      const failed = assertRejects(() => request, Error, "closed before it answered");
      const signal = await stuck.begun;
      await a.close();
      assert(signal.aborted);
      await failed;
    },
  },
  {
    name: "several replies that are under way when the bus closes arrive to their end",
    async run(place) {
      const a = await place.open({ drainMs: 50_000 });
      await using b = await place.open();
      const go = Promise.withResolvers<void>();
      await a.serve("r", async function* () {
        yield "0";
        await go.promise;
        yield "1";
      });
      const replies = b.requestMany("r", "", { timeoutMs: 50_000 });
      const got: string[] = [];
      let closing: Promise<void> | undefined;
      for await (const reply of replies) {
        got.push(text(reply));
        closing ??= a.close();
        go.resolve();
      }
      await closing;
      assertEquals(got, ["0", "1"]);
    },
  },
];

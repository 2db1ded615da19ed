import { assert, assertEquals, assertGreater, assertLess, assertRejects } from "@std/assert";
import { NoResponderError, RemoteError, RequestTimeoutError } from "@keyop/messenger/bus";
import type { BusRule } from "../suite.ts";
import { numbers, serveAs, StuckHandler, text } from "./tools.ts";

export const REQUEST_RULES: readonly BusRule[] = [
  {
    name: "after a server settled a request reaches it, from the same bus and from another",
    async run(place) {
      await using a = await place.open();
      await using b = await place.open();
      await serveAs(a, "r", "a");
      assertEquals(text(await a.request("r", "1")), "a:1");
      assertEquals(text(await b.request("r", "2")), "a:2");
    },
  },
  {
    name: "requests and answers are any bytes",
    async run(place) {
      await using a = await place.open();
      await using b = await place.open();
      await a.serve("r", (data, { subject }) => {
        assertEquals(subject, "r");
        return data.toReversed();
      });
      const all = Uint8Array.from({ length: 256 }, (_, n) => n);
      assertEquals(await b.request("r", all), all.toReversed());
      assertEquals(await b.request("r", new Uint8Array()), new Uint8Array());
      const large = new Uint8Array(Math.min(a.stats().maxPayloadBytes - 1_000, 500_000)).fill(7);
      assertEquals((await b.request("r", large)).length, large.length);
    },
  },
  {
    name: "servers of one subject share its requests, each of which is handled once",
    async run(place) {
      await using a = await place.open();
      await using b = await place.open();
      await using c = await place.open();
      const handled: string[] = [];
      for (const [name, bus] of [["a", a], ["b", b]] as const) {
        await bus.serve("r", async (data) => {
          handled.push(text(data));
          await new Promise((resolve) => setTimeout(resolve, 5));
          return name;
        }, { concurrency: 4 });
      }
      const answers = await Promise.all(
        numbers(80).map(async (number) => text(await c.request("r", number))),
      );
      assertEquals(handled.toSorted((x, y) => Number(x) - Number(y)), numbers(80));
      const ofA = answers.filter((name) => name === "a").length;
      assertGreater(ofA, 0);
      assertLess(ofA, 80);
    },
  },
  {
    name: "many requests at once are answered each with its own answer",
    async run(place) {
      await using a = await place.open();
      await using b = await place.open();
      await serveAs(a, "r", "r");
      await serveAs(b, "q", "q");
      const asked = numbers(150).flatMap((number) => [
        a.request("q", number).then((answer) => assertEquals(text(answer), `q:${number}`)),
        b.request("r", number).then((answer) => assertEquals(text(answer), `r:${number}`)),
        a.request("r", number).then((answer) => assertEquals(text(answer), `r:${number}`)),
      ]);
      await Promise.all(asked);
      assertEquals([a.stats().pendingRequests, b.stats().pendingRequests], [0, 0]);
    },
  },
  {
    name: "a subject is streamed and served at once, and neither gets the other's",
    async run(place) {
      await using a = await place.open();
      await using b = await place.open();
      const stream = await b.stream("s");
      await serveAs(b, "s", "b");
      await a.publish("s", "message");
      assertEquals(text(await a.request("s", "request")), "b:request");
      await a.publish("s", "message");
      const iterator = stream[Symbol.asyncIterator]();
      for (let n = 0; n < 2; n++) {
        assertEquals(text((await iterator.next()).value as Uint8Array), "message");
      }
      assertEquals(b.stats().served, 1);
    },
  },
  {
    name: "a handler that throws answers with its message, and goes on",
    async run(place) {
      await using a = await place.open();
      await using b = await place.open();
      await a.serve("r", (data) => {
        switch (text(data)) {
          case "throw":
            throw new Error("the boiler is cold");
          case "reject":
            return Promise.reject(new TypeError("żółć 🎉"));
          case "text":
            throw "just text";
          case "empty":
            throw new Error("");
          default:
            return "error: no error";
        }
      });
      for (
        const [request, message] of [
          ["throw", "the boiler is cold"],
          ["reject", "żółć 🎉"],
          ["text", "just text"],
          ["empty", "Error"],
        ] as const
      ) {
        const error = await assertRejects(() => b.request("r", request), RemoteError);
        assertEquals([error.message, error.subject, error.code], [message, "r", "remote_error"]);
      }
      assertEquals(text(await b.request("r", "")), "error: no error");
    },
  },
  {
    name: "a request that nobody serves fails at once",
    needs: "knowsServers",
    async run(place) {
      await using a = await place.open();
      await using b = await place.open();
      const ask = () => b.request("r", "1", { timeoutMs: 50_000 });
      const began = performance.now();
      const error = await assertRejects(ask, NoResponderError);
      assertEquals(error.subject, "r");
      const server = await serveAs(a, "r", "a");
      assertEquals(text(await ask()), "a:1");
      await server.close();
      await assertRejects(ask, NoResponderError);
      const many = b.requestMany("r", "1", { timeoutMs: 50_000 });
      await assertRejects(() => Array.fromAsync(many), NoResponderError);
      assertLess(performance.now() - began, 50_000);
    },
  },
  {
    name: "a server that comes within the time limit answers",
    needs: "keepsRequests",
    async run(place) {
      await using a = await place.open();
      await using b = await place.open();
      const early = numbers(20).map((number) => b.request("r", number, { timeoutMs: 50_000 }));
      await assertRejects(
        () => b.request("r", "probe", { timeoutMs: 100 }),
        RequestTimeoutError,
      );
      await serveAs(a, "r", "late");
      assertEquals((await Promise.all(early)).map(text), numbers(20, "late:"));
    },
  },
  {
    name: "no answer in time is an error, and other requests go on",
    async run(place) {
      await using a = await place.open();
      await using b = await place.open();
      const stuck = new StuckHandler();
      await a.serve("stuck", stuck.handle);
      await serveAs(a, "r", "a");
      const error = await assertRejects(
        () => b.request("stuck", "1", { timeoutMs: 150 }),
        RequestTimeoutError,
      );
      assertEquals([error.subject, error.timeoutMs], ["stuck", 150]);
      assertEquals(text(await b.request("r", "2")), "a:2");
      assert((await stuck.begun) instanceof AbortSignal);
    },
  },
  {
    name: "a handler that never answers does not keep others from being answered",
    async run(place) {
      await using a = await place.open();
      await using b = await place.open();
      await a.serve("r", (data) => {
        if (text(data) !== "stuck") return "answer";
        return new Promise<string>(() => {});
      }, { concurrency: 2 });
      const stuck = [1, 2].map(() => b.request("r", "stuck", { timeoutMs: 300 }));
      const answer = b.request("r", "1", { timeoutMs: 50_000 });
      for (const request of stuck) await assertRejects(() => request, RequestTimeoutError);
      assertEquals(text(await answer), "answer");
    },
  },
  {
    name: "no more requests are handled at the same time than a server wants",
    async run(place) {
      await using a = await place.open();
      await using b = await place.open();
      let running = 0;
      let most = 0;
      await a.serve("r", async (data) => {
        most = Math.max(most, ++running);
        await new Promise((resolve) => setTimeout(resolve, 1));
        running--;
        return data;
      }, { concurrency: 3 });
      const answers = await Promise.all(
        numbers(60).map(async (number) => text(await b.request("r", number))),
      );
      assertEquals(answers, numbers(60));
      assertEquals(most, 3);
    },
  },
  {
    name: "a handler may make requests itself",
    async run(place) {
      await using a = await place.open();
      await using b = await place.open();
      await serveAs(a, "inner", "inner");
      await a.serve("outer", (data) => a.request("inner", data));
      assertEquals(text(await b.request("outer", "1")), "inner:1");
    },
  },
];

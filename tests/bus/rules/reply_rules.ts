import { assertEquals, assertRejects } from "@std/assert";
import { type Bus, RemoteError, RequestTimeoutError } from "@keyop/messenger/bus";
import { eventually } from "../../helpers/eventually.ts";
import type { BusRule } from "../suite.ts";
import { aborted, numbers, serveAs, StuckHandler, text } from "./tools.ts";

/** Serves a count: as many replies as the request says. */
function serveCount(bus: Bus, subject: string) {
  return bus.serve(subject, async function* (data) {
    for (let n = 0; n < Number(text(data)); n++) yield await Promise.resolve(String(n));
  });
}

const all = async (replies: AsyncIterable<Uint8Array>) =>
  (await Array.fromAsync(replies)).map(text);

export const REPLY_RULES: readonly BusRule[] = [
  {
    name: "several replies come in order, until the server ends them",
    async run(place) {
      await using a = await place.open();
      await using b = await place.open();
      await serveCount(a, "count");
      assertEquals(await all(b.requestMany("count", "5")), numbers(5));
      assertEquals(await all(a.requestMany("count", "3")), numbers(3));
      assertEquals(await all(b.requestMany("count", "0")), []);
      assertEquals(b.stats().pendingRequests, 0);
    },
  },
  {
    name: "thousands of replies come in order",
    async run(place) {
      await using a = await place.open();
      await using b = await place.open();
      await serveCount(a, "count");
      const replies = await all(b.requestMany("count", "3000", { timeoutMs: 50_000 }));
      assertEquals(replies, numbers(3_000));
    },
  },
  {
    name: "a reader of replies that is slow gets all of them",
    async run(place) {
      await using a = await place.open();
      await using b = await place.open();
      let sent = 0;
      await a.serve("count", async function* () {
        for (; sent < 4_000; sent++) yield await Promise.resolve(String(sent));
      });
      const replies = b.requestMany("count", "", { timeoutMs: 55_000 })[Symbol.asyncIterator]();
      const got = [text((await replies.next()).value as Uint8Array)];
      let before = -1;
      await eventually("the handler to wait, or to end", async () => {
        await new Promise((resolve) => setTimeout(resolve, 200));
        const isWaiting = sent === before;
        before = sent;
        return isWaiting;
      });
      for (let reply = await replies.next(); !reply.done; reply = await replies.next()) {
        got.push(text(reply.value));
      }
      assertEquals(got, numbers(4_000));
    },
  },
  {
    name: "replies of several requests at once do not mix",
    async run(place) {
      await using a = await place.open();
      await using b = await place.open();
      await a.serve("count", async function* (data) {
        for (let n = 0; n < 20; n++) yield await Promise.resolve(`${text(data)}${n}`);
      });
      const asked = ["x", "y", "z"].map((name) => all(b.requestMany("count", name)));
      assertEquals(await Promise.all(asked), ["x", "y", "z"].map((name) => numbers(20, name)));
    },
  },
  {
    name: "a single answer is the only reply, and request takes the first of several",
    async run(place) {
      await using a = await place.open();
      await using b = await place.open();
      await serveAs(a, "single", "a");
      await serveCount(a, "count");
      assertEquals(await all(b.requestMany("single", "1")), ["a:1"]);
      assertEquals(text(await b.request("count", "5")), "0");
      await assertRejects(() => b.request("count", "0"), RemoteError, "without an answer");
    },
  },
  {
    name: "replies end when the time is up, with an error only when there was none",
    async run(place) {
      await using a = await place.open();
      await using b = await place.open();
      await a.serve("some", async function* (_, { signal }) {
        yield "1";
        yield "2";
        await aborted(signal);
      });
      await a.serve("none", new StuckHandler().handle);
      assertEquals(await all(b.requestMany("some", "", { timeoutMs: 1_000 })), ["1", "2"]);
      await assertRejects(
        () => all(b.requestMany("none", "", { timeoutMs: 150 })),
        RequestTimeoutError,
      );
    },
  },
  {
    name: "a handler that throws between replies ends them with its message",
    async run(place) {
      await using a = await place.open();
      await using b = await place.open();
      await a.serve("r", async function* () {
        yield await Promise.resolve("1");
        throw new Error("out of paper");
      });
      const got: string[] = [];
      await assertRejects(
        async () => {
          for await (const reply of b.requestMany("r", "")) got.push(text(reply));
        },
        RemoteError,
        "out of paper",
      );
      assertEquals(got, ["1"]);
    },
  },
  {
    name: "leaving the replies stops the handler",
    async run(place) {
      await using a = await place.open();
      await using b = await place.open();
      const stopped = Promise.withResolvers<string>();
      await a.serve("r", async function* (_, { signal }) {
        try {
          for (let n = 0;; n++) {
            yield String(n);
            if (n === 5) await aborted(signal);
          }
        } finally {
          stopped.resolve(signal.aborted ? "aborted" : "returned");
        }
      });
      for await (const reply of b.requestMany("r", "", { timeoutMs: 50_000 })) {
        assertEquals(text(reply), "0");
        break;
      }
      assertEquals(await stopped.promise, "aborted");
      assertEquals(b.stats().pendingRequests, 0);
    },
  },
];

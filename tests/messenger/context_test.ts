import { assertEquals } from "@std/assert";
import {
  correlationId,
  type Message,
  type PublishOptions,
  serviceName,
  withCorrelationId,
  withServiceName,
} from "@keyop/messenger";
import { turn } from "../helpers/fake_clock.ts";
import { Inbox } from "../helpers/inbox.ts";
import { TestMessenger } from "../helpers/test_messenger.ts";

const TYPE = "com.example.Reading";

/** Correlation ids and service names of a channel's records, in order. */
function senders(pi: TestMessenger, channel: string): unknown[] {
  return pi.lines(channel).map((line) => [line.correlation_id ?? "", line.service_name ?? ""]);
}

Deno.test("what is published carries the ids of the calls around it, unless it brings its own", async () => {
  await using pi = await TestMessenger.open();
  const publish = (channel: string, options?: PublishOptions) =>
    pi.messenger.publish(channel, TYPE, 1, options);
  await withServiceName("heating", () =>
    withCorrelationId("order-17", async () => {
      await publish("readings");
      await turn(1);
      await publish("readings", { signal: new AbortController().signal });
      await publish("readings", { correlationId: "own" });
      await publish("readings", { serviceName: "" });
      await pi.messenger.publishBatch("readings", [
        { payloadType: TYPE, payload: 1 },
        { payloadType: TYPE, payload: 1, correlationId: "own", serviceName: "own" },
      ]);
      await withCorrelationId("inner", () => publish("readings"));
      await publish("readings");
    }));
  await publish("readings");
  assertEquals(senders(pi, "readings"), [
    ["order-17", "heating"],
    ["order-17", "heating"],
    ["own", "heating"],
    ["order-17", ""],
    ["order-17", "heating"],
    ["own", "own"],
    ["inner", "heating"],
    ["order-17", "heating"],
    ["", ""],
  ]);
  assertEquals([correlationId(), serviceName()], ["", ""]);
});

Deno.test("inside a handler the message's correlation id is current, and goes on with what it publishes", async () => {
  await using pi = await TestMessenger.open();
  const inbox = new Inbox();
  const seen: string[] = [];
  inbox.react = async ({ payload }: Message) => {
    await turn(2);
    seen.push(correlationId());
    await pi.messenger.publish("answers", TYPE, payload);
    await pi.messenger.publish("answers-to-nobody", TYPE, payload, { correlationId: "" });
  };
  await pi.messenger.subscribe("readings", "answerer", inbox.handler);
  for (const id of ["a", "", "b", "", ""]) {
    await pi.messenger.publish("readings", TYPE, id, { correlationId: id });
  }
  await inbox.until(5);
  const answers = new Inbox();
  await pi.messenger.subscribe("answers", "asker", answers.handler, { from: "start" });
  await answers.until(5);
  assertEquals(seen, ["a", "", "b", "", ""]);
  assertEquals(answers.calls.map(({ correlationId }) => correlationId), ["a", "", "b", "", ""]);
  assertEquals(pi.lines("answers-to-nobody").some((line) => "correlation_id" in line), false);
});

Deno.test("a handler does not see the context of whoever subscribed, published or retried", async () => {
  await using pi = await TestMessenger.open({ subscribers: { retryBackoffBaseMs: 1 } });
  const inbox = new Inbox();
  const seen: unknown[] = [];
  inbox.react = ({ attempt }) => {
    seen.push([correlationId(), serviceName()]);
    if (attempt === 1) throw new Error("once more");
  };
  await withCorrelationId("subscriber", () =>
    withServiceName(
      "subscribing",
      () => pi.messenger.subscribe("readings", "display", inbox.handler),
    ));
  const none = { correlationId: "", serviceName: "" };
  await withCorrelationId("publisher", () =>
    withServiceName("publishing", async () => {
      await pi.messenger.publish("readings", TYPE, 1, none);
      await inbox.until(2);
      await pi.messenger.publish("readings", TYPE, 2);
      await inbox.until(4);
    }));
  assertEquals(seen, [["", ""], ["", ""], ["publisher", ""], ["publisher", ""]]);
  assertEquals(inbox.calls.map(({ serviceName }) => serviceName), [
    "",
    "",
    "publishing",
    "publishing",
  ]);
});

Deno.test("handlers that run at the same time do not mix up their ids", async () => {
  await using pi = await TestMessenger.open();
  const seen: string[] = [];
  const handler = async ({ correlationId: own }: Message) => {
    for (let n = 0; n < 5; n++) {
      await turn(1);
      if (correlationId() !== own) seen.push(`${correlationId()} instead of ${own}`);
    }
  };
  const inboxes = ["a", "b", "c"].map(() => new Inbox());
  for (const [index, inbox] of inboxes.entries()) {
    inbox.react = handler;
    await pi.messenger.subscribe("readings", `reader-${index}`, inbox.handler);
  }
  for (let n = 0; n < 10; n++) {
    const options = n % 3 === 0 ? {} : { correlationId: `id-${n}` };
    await pi.messenger.publish("readings", TYPE, n, options);
  }
  await Promise.all(inboxes.map((inbox) => inbox.until(10)));
  await turn(10);
  assertEquals(seen, []);
});

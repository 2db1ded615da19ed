import { assertEquals, assertRejects } from "@std/assert";
import {
  InvalidChannelNameError,
  MessengerClosedError,
  SubscriberNotFoundError,
} from "@keyop/messenger";
import { FakeClock, turn } from "../helpers/fake_clock.ts";
import { Inbox } from "../helpers/inbox.ts";
import { TestMessenger } from "../helpers/test_messenger.ts";

const TYPE = "com.example.Reading";

Deno.test("unsubscribe ends a subscriber and forgets where it was", async () => {
  await using pi = await TestMessenger.open();
  const inbox = new Inbox();
  const subscription = await pi.messenger.subscribe("readings", "display", inbox.handler);
  await pi.messenger.publish("readings", TYPE, 1);
  await inbox.until(1);
  await pi.messenger.unsubscribe("readings", "display");
  assertEquals(pi.messenger.stats().subscribers, []);
  assertEquals(pi.cursor("readings", "display"), undefined);
  await pi.messenger.publish("readings", TYPE, 2);
  await turn();
  assertEquals(inbox.payloads, [1]);
  await subscription.close();
  assertEquals(pi.cursor("readings", "display"), undefined);
  const next = new Inbox();
  await pi.messenger.subscribe("readings", "display", next.handler, { from: "start" });
  await next.until(2);
  assertEquals(next.payloads, [1, 2]);
});

Deno.test("unsubscribe forgets a subscriber that does not run, also of a channel not opened yet", async () => {
  await using pi = await TestMessenger.open();
  await pi.messenger.publish("readings", TYPE, 1);
  await (await pi.messenger.subscribe("readings", "display", () => {})).close();
  await pi.reopen();
  await pi.messenger.unsubscribe("readings", "display");
  assertEquals(pi.cursor("readings", "display"), undefined);
  await assertRejects(
    () => pi.messenger.unsubscribe("readings", "display"),
    SubscriberNotFoundError,
    'Channel "readings" has no subscriber "display"',
  );
});

Deno.test("unsubscribe of nobody is an error, and makes no channel", async () => {
  await using pi = await TestMessenger.open();
  await assertRejects(
    () => pi.messenger.unsubscribe("readings", "display"),
    SubscriberNotFoundError,
  );
  await assertRejects(() => pi.messenger.unsubscribe("..", "display"), InvalidChannelNameError);
  assertEquals(pi.messenger.stats().channels, []);
  assertEquals([...Deno.readDirSync(`${pi.dataDir}/channels`)], []);
  await pi.messenger.close();
  await assertRejects(() => pi.messenger.unsubscribe("readings", "display"), MessengerClosedError);
});

Deno.test("unsubscribe waits for a subscriber that is starting, and subscribe for one that is ending", async () => {
  await using pi = await TestMessenger.open();
  await pi.messenger.publish("readings", TYPE, 1);
  const [first, second] = [new Inbox(), new Inbox()];
  const options = { from: "start" } as const;
  const outcomes = await Promise.allSettled([
    pi.messenger.subscribe("readings", "display", first.handler, options),
    pi.messenger.unsubscribe("readings", "display"),
    pi.messenger.unsubscribe("readings", "display"),
    pi.messenger.subscribe("readings", "display", second.handler, options),
    pi.messenger.subscribe("readings", "display", second.handler, options),
  ]);
  assertEquals(
    outcomes.map((outcome) => outcome.status === "fulfilled" ? "done" : outcome.reason.code),
    ["done", "done", "subscriber_not_found", "done", "already_subscribed"],
  );
  await second.until(1);
  assertEquals(pi.messenger.stats().subscribers.length, 1);
});

Deno.test("a handler that outlasts its subscriber brings no cursor back", async () => {
  const clock = new FakeClock();
  await using pi = await TestMessenger.open({}, { clock });
  const inbox = new Inbox();
  const finish = Promise.withResolvers<void>();
  inbox.react = () => finish.promise;
  await pi.messenger.subscribe("readings", "display", inbox.handler);
  await pi.messenger.publish("readings", TYPE, 1);
  await inbox.until(1);
  const forgetting = pi.messenger.unsubscribe("readings", "display");
  await clock.fire(5_000);
  await forgetting;
  finish.resolve();
  await turn();
  assertEquals(pi.cursor("readings", "display"), undefined);
});

Deno.test("a subscriber may be forgotten from within its own handler, which then is not waited for long", async () => {
  const clock = new FakeClock();
  await using pi = await TestMessenger.open({}, { clock });
  const inbox = new Inbox();
  const forgotten = Promise.withResolvers<void>();
  inbox.react = async () => {
    await pi.messenger.unsubscribe("readings", "display");
    forgotten.resolve();
  };
  await pi.messenger.subscribe("readings", "display", inbox.handler);
  await pi.messenger.publish("readings", TYPE, 1);
  await inbox.until(1);
  await clock.fire(5_000);
  await forgotten.promise;
  await turn();
  assertEquals(pi.cursor("readings", "display"), undefined);
  assertEquals(pi.messenger.stats().subscribers, []);
});

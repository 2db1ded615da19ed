import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import {
  correlationId,
  EphemeralMessenger,
  InvalidChannelNameError,
  MessengerClosedError,
  PayloadInvalidError,
  PublishStoppedError,
  ReservedChannelNameError,
  RetryLater,
  silentLogger,
  StorageError,
  withCorrelationId,
} from "@keyop/messenger";
import {
  InvalidConfigError,
  Pipe,
  type PipeConnection,
  type PipeHost,
  type PipeMessage,
  type PipeMessageChange,
} from "@keyop/messenger/pipes";
import { eventually } from "../helpers/eventually.ts";
import { turn } from "../helpers/fake_clock.ts";
import { FaultyFiles } from "../helpers/faulty_files.ts";
import { Inbox } from "../helpers/inbox.ts";
import { noting, StepPipe } from "../helpers/pipes.ts";
import { QUICK } from "../helpers/site.ts";
import { TestMessenger } from "../helpers/test_messenger.ts";

const TYPE = "com.example.Reading";

function open(...pipes: Pipe[]): Promise<TestMessenger> {
  return TestMessenger.open({
    subscribers: { maxRetries: 2, retryBackoffBaseMs: 1, retryBackoffMaxMs: 1 },
  }, { pipes, anyPayloadType: true });
}

Deno.test("what is published passes C, B, A, and what is delivered A, B, C", async () => {
  const steps: string[] = [];
  await using pi = await open(...["A", "B", "C"].map((name) => noting(name, steps)));
  const inbox = new Inbox();
  await pi.messenger.subscribe("words", "display", inbox.handler);
  const published = await pi.messenger.publish("words", TYPE, "-");
  await inbox.until(1);
  assertEquals(steps, [
    "C send -",
    "B send -C",
    "A send -CB",
    "A handle -CBA",
    "B handle -CBAA",
    "C handle -CBAAB",
  ]);
  assertEquals(inbox.payloads, ["-CBAABC"]);
  assertEquals(pi.payloads("words"), ["-CBA"]);
  assertEquals([inbox.calls[0]!.id, inbox.calls[0]!.position], [published.id, 0]);
});

Deno.test("messages stay in the order of the calls, however long a pipe takes for each", async () => {
  const released = Array.from({ length: 5 }, () => Promise.withResolvers<void>());
  const slow = new StepPipe({
    send: async (message, pass) => {
      await released[message.value as number]?.promise;
      await pass();
    },
  });
  await using pi = await open(slow);
  const publishing = Array.from(
    { length: 6 },
    (_, n) => pi.messenger.publish("numbers", TYPE, n),
  );
  await pi.messenger.publish("others", TYPE, 9);
  assertEquals(pi.payloads("numbers"), []);
  for (const n of [3, 1, 0, 4, 2]) {
    released[n]!.resolve();
    await turn(2);
  }
  const published = await Promise.all(publishing);
  assertEquals(pi.payloads("numbers"), [0, 1, 2, 3, 4, 5]);
  assertEquals(pi.lines("numbers").map(({ id }) => id), published.map(({ id }) => id));
  const positions = published.map(({ position }) => position);
  assertEquals(positions, positions.toSorted((a, b) => a - b));
});

Deno.test("publish tells of a message that a pipe has stopped, and those behind it are stored", async () => {
  const odd = new StepPipe({
    send: async (message, pass) => {
      await turn(1);
      if ((message.value as number) % 2 === 1) await pass();
    },
  });
  await using pi = await open(odd);
  const results = await Promise.allSettled(
    [1, 2, 3].map((n) => pi.messenger.publish("numbers", TYPE, n)),
  );
  assertEquals(results.map(({ status }) => status), ["fulfilled", "rejected", "fulfilled"]);
  const error = await assertRejects(
    () => pi.messenger.publish("numbers", TYPE, 4),
    PublishStoppedError,
    'Did not publish to "numbers": a pipe has stopped the message',
  );
  assertEquals([error.code, error.channel], ["publish_stopped", "numbers"]);
  assertEquals(pi.payloads("numbers"), [1, 3]);
});

Deno.test("what a pipe throws in send rejects publish, at once or later, and stores nothing", async () => {
  for (const early of [true, false]) {
    const failing = new StepPipe({
      send: (message, pass) => {
        if (message.value !== "bad") return pass();
        if (early) throw new Error("no");
        return turn(1).then(() => Promise.reject(new Error("no")));
      },
    });
    await using pi = await open(failing);
    const bad = assertRejects(() => pi.messenger.publish("words", TYPE, "bad"), Error, "no");
    const good = pi.messenger.publish("words", TYPE, "good");
    await Promise.all([bad, good]);
    assertEquals(pi.payloads("words"), ["good"]);
  }
});

Deno.test("a batch is one group that is stored when all of it has passed, in its order", async () => {
  const slow = new StepPipe({
    send: async (message, pass) => {
      await turn(4 - (message.value as number));
      await pass(message.with((message.value as number) * 10));
    },
  });
  await using pi = await open(slow);
  const messages = [1, 2, 3].map((payload) => ({ payloadType: TYPE, payload }));
  const batch = pi.messenger.publishBatch("numbers", messages);
  const single = pi.messenger.publish("numbers", TYPE, 4);
  const published = [...await batch, await single];
  assertEquals(pi.payloads("numbers"), [10, 20, 30, 40]);
  assertEquals(pi.lines("numbers").map(({ id }) => id), published.map(({ id }) => id));
  assertEquals(await pi.messenger.publishBatch("numbers", []), []);
});

Deno.test("a batch of which a pipe stops one, or throws for one, is not stored", async () => {
  const picky = new StepPipe({
    send: async (message, pass) => {
      if (message.value === "stop") return;
      if (message.value === "throw") throw new Error("no");
      await pass();
    },
  });
  await using pi = await open(picky);
  const publish = (...payloads: string[]) =>
    pi.messenger.publishBatch(
      "words",
      payloads.map((payload) => ({ payloadType: TYPE, payload })),
    );
  await assertRejects(
    () => publish("a", "stop", "b"),
    PublishStoppedError,
    "message 1 of the batch",
  );
  await assertRejects(() => publish("a", "b", "throw"), Error, "no");
  await publish("a", "b");
  assertEquals(pi.payloads("words"), ["a", "b"]);
});

Deno.test("a pipe that throws in handle is a failing handler: retries, then a dead letter as stored", async () => {
  let calls = 0;
  const failing = new StepPipe({
    handle: () => {
      calls++;
      throw new Error("no use");
    },
  });
  const changing = new StepPipe({ send: (message, pass) => pass(message.with("sealed")) });
  await using pi = await open(changing, failing);
  const inbox = new Inbox();
  await pi.messenger.subscribe("words", "display", inbox.handler);
  await pi.messenger.publish("words", TYPE, "word");
  await pi.logger.until("moved a message");
  assertEquals([calls, inbox.calls.length], [3, 0]);
  const letters = new Inbox();
  await pi.messenger.subscribe("words.dead-letter", "display", letters.handler, { from: "start" });
  await letters.until(1);
  // The pipes are left out here: nothing has sent a dead letter through them.
  const letter = letters.payloads[0] as { original: { payload: unknown }; last_error: string };
  assertEquals([letter.original.payload, letter.last_error], ["sealed", "no use"]);
  assertEquals(calls, 3);
});

Deno.test("a message that a pipe stops in handle is done with; RetryLater from a pipe holds it", async () => {
  let held = 2;
  const picky = new StepPipe({
    handle: (message, pass) => {
      if (message.value === "stop") return;
      if (message.value === "hold" && held-- > 0) throw new RetryLater(1);
      return pass();
    },
  });
  await using pi = await open(picky);
  const inbox = new Inbox();
  const subscription = await pi.messenger.subscribe("words", "display", inbox.handler);
  for (const word of ["stop", "hold", "end"]) await pi.messenger.publish("words", TYPE, word);
  await inbox.until(2);
  await eventually("the end", () => subscription.lagBytes === 0);
  assertEquals(inbox.payloads, ["hold", "end"]);
  assertEquals(inbox.calls[0]!.attempt, 3);
  assertEquals(pi.messenger.stats().subscribers[0]!.deadLettered, 0);
});

Deno.test("schemas see payloads at the program's end of the pipes, both ways", async () => {
  const sealing = new StepPipe({
    send: (message, pass) => pass(message.with({ sealed: message.value })),
    handle: (message, pass) => pass(message.with((message.value as { sealed: unknown }).sealed)),
  });
  await using pi = await open(sealing);
  const numbers = (value: unknown) => {
    if (typeof value !== "number") throw new Error("no number");
    return value * 2;
  };
  pi.messenger.registerPayloadType("number", numbers);
  pi.messenger.registerPayloadType("slow", async (value) => {
    await turn(1);
    return numbers(value);
  });
  await assertRejects(() => pi.messenger.publish("n", "number", "x"), PayloadInvalidError);
  await assertRejects(() => pi.messenger.publish("n", "slow", "x"), PayloadInvalidError);
  const inbox = new Inbox();
  await pi.messenger.subscribe("n", "display", inbox.handler);
  const slow = pi.messenger.publish("n", "slow", 1);
  await Promise.all([slow, pi.messenger.publish("n", "number", 2)]);
  await inbox.until(2);
  assertEquals(pi.payloads("n"), [{ sealed: 1 }, { sealed: 2 }]);
  assertEquals(inbox.payloads, [2, 4]);
});

Deno.test("a payload that the schema refuses behind the pipes is a dead letter without retries", async () => {
  const spoiling = new StepPipe({ handle: (message, pass) => pass(message.with("spoilt")) });
  await using pi = await open(spoiling);
  for (const type of ["now", "later"]) {
    pi.messenger.registerPayloadType(type, (value) => {
      if (type === "later") return turn(1).then(() => value === 1 ? 1 : Promise.reject("no"));
      if (value !== 1) throw new Error("no");
    });
  }
  const inbox = new Inbox();
  await pi.messenger.subscribe("n", "display", inbox.handler);
  await pi.messenger.publish("n", "now", 1);
  await pi.messenger.publish("n", "later", 1);
  await pi.logger.until("moved a message", 2);
  const { retries, deadLettered } = pi.messenger.stats().subscribers[0]!;
  assertEquals([inbox.calls.length, retries, deadLettered], [0, 0, 2]);
});

Deno.test("pipes see and replace type, channel and headers, and the handler gets what they left", async () => {
  const seen: unknown[] = [];
  const renaming = new StepPipe({
    send: (message, pass) => {
      seen.push([message.type, message.channel, message.headers]);
      return pass(message.with(message.value, {
        type: "renamed",
        channel: "elsewhere",
        headers: { correlationId: "changed" },
      }));
    },
    handle: (message, pass) => {
      seen.push([message.type, message.channel, message.headers]);
      return pass(message.with(2, { type: "again", headers: { serviceName: "pipe" } }));
    },
  });
  await using pi = await open(renaming);
  const inbox = new Inbox();
  const current: string[] = [];
  inbox.react = () => void current.push(correlationId());
  await pi.messenger.subscribe("elsewhere", "display", inbox.handler);
  const { id } = await withCorrelationId("order-17", () => pi.messenger.publish("n", TYPE, 1));
  await inbox.until(1);
  assertEquals(seen, [
    [TYPE, "n", { id, origin: "pi", correlationId: "order-17" }],
    ["renamed", "elsewhere", { id, origin: "pi", correlationId: "changed" }],
  ]);
  const [message] = inbox.calls;
  assertEquals([message!.payloadType, message!.channel, message!.payload], [
    "again",
    "elsewhere",
    2,
  ]);
  assertEquals([message!.id, message!.correlationId, message!.serviceName], [
    id,
    "changed",
    "pipe",
  ]);
  assertEquals(current, ["changed"]);
  assertEquals(pi.payloads("n"), []);
});

Deno.test("a pipe answers and sends others, each with an id of its own", async () => {
  let host: PipeHost | undefined;
  class Answering extends Pipe {
    override attached(attachedTo: PipeHost): void {
      host = attachedTo;
    }
    override async handle(connection: PipeConnection, message: PipeMessage): Promise<void> {
      if (message.channel === "questions") {
        await super.send(message.with("fine", { channel: "answers" }), host!.connections);
        await super.send(host!.message("note", 1, { channel: "notes" }), host!.connections);
      }
      await super.handle(connection, message);
    }
  }
  await using pi = await open(new Answering());
  const inbox = new Inbox();
  await pi.messenger.subscribe("questions", "desk", inbox.handler);
  const { id } = await pi.messenger.publish("questions", TYPE, "well?", { correlationId: "c" });
  await inbox.until(1);
  const [answer] = pi.lines("answers");
  assertEquals([answer!.payload, answer!.correlation_id], ["fine", "c"]);
  assertNotEquals(answer!.id, id);
  assertEquals(pi.payloads("notes"), [1]);
  const error = await assertRejects(async () => await host!.message("note", 1), InvalidConfigError);
  assertEquals(error.message, "Cannot make a message around a messenger: give its channel");
});

Deno.test("messages() passes the pipes too, and acknowledges when the next is asked for", async () => {
  const steps: string[] = [];
  await using pi = await open(noting("A", steps));
  await pi.messenger.publish("words", TYPE, "x");
  await pi.messenger.publish("words", TYPE, "y");
  const got: unknown[] = [];
  for await (const { payload } of pi.messenger.messages("words", "loop", { from: "start" })) {
    if (got.push(payload) === 2) break;
  }
  assertEquals(got, ["xAA", "yAA"]);
  assertEquals(pi.cursor("words", "loop"), pi.messenger.stats().channels[0]!.end / 2);
});

Deno.test("a pipe hears of subscribers that come and go, and of the messenger's end", async () => {
  const heard: string[] = [];
  class Listening extends Pipe {
    override attached({ kind, connections }: PipeHost): void {
      heard.push(`attached ${kind} ${connections.map(({ id }) => id)}`);
    }
    override opened({ id }: PipeConnection): void {
      heard.push(`opened ${id}`);
    }
    override closed({ id }: PipeConnection): void {
      heard.push(`closed ${id}`);
    }
    override detached(): void {
      heard.push("detached");
      throw new Error("a pipe's own fault");
    }
  }
  {
    await using pi = await open(new Listening());
    const one = await pi.messenger.subscribe("words", "one", () => {});
    await pi.messenger.subscribe("words", "two", () => {});
    await one.close();
    await assertRejects(() => pi.messenger.subscribe("words", "two", () => {}));
    await pi.messenger.close();
    await assertRejects(() => pi.messenger.publish("words", TYPE, 1), MessengerClosedError);
  }
  assertEquals(heard, [
    "attached messenger channels",
    "opened channels",
    "opened words/one",
    "opened words/two",
    "closed words/one",
    "closed words/two",
    "closed channels",
    "detached",
  ]);
});

Deno.test("what a pipe still has when the messenger closes is stored before", async () => {
  const slow = new StepPipe({ send: (_message, pass) => turn(5).then(() => pass()) });
  await using pi = await open(slow);
  const publishing = [1, 2].map((n) => pi.messenger.publish("n", TYPE, n));
  await pi.messenger.close();
  await Promise.all(publishing);
  assertEquals(pi.payloads("n"), [1, 2]);
});

Deno.test("a signal ends the waiting for a pipe, and the message is not stored", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const waiting = new StepPipe({
    send: async (message, pass) => {
      if (message.value === 1) await promise;
      await pass();
    },
  });
  await using pi = await open(waiting);
  const giving = new AbortController();
  const first = pi.messenger.publish("n", TYPE, 1, { signal: giving.signal });
  const second = pi.messenger.publish("n", TYPE, 2);
  giving.abort(new Error("enough"));
  await assertRejects(() => first, Error, "enough");
  await second;
  resolve();
  await turn();
  assertEquals(pi.payloads("n"), [2]);
});

Deno.test("what is no pipe, or is there twice, is refused, and the directory is free again", async () => {
  await using pi = await TestMessenger.open();
  await pi.messenger.close();
  const pipe = new StepPipe({});
  for (const pipes of [[pipe, pipe], [{} as Pipe]]) {
    await assertRejects(
      () => TestMessenger.openAt(pi.dataDir, {}, { pipes }),
      InvalidConfigError,
    );
  }
  await pi.reopen();
});

Deno.test("an ephemeral messenger's pipes stand around what it publishes and hears", async () => {
  const allowedPeers = [{ name: "sensor" }];
  await using hub = await TestMessenger.open({
    name: "hub",
    hub: { enabled: true, listenAddr: "127.0.0.1:0", allowedPeers },
  });
  const steps: string[] = [];
  const slow = new StepPipe({
    send: async (message, pass) => {
      if (message.value === "stop") return;
      await turn(message.value === "1" ? 5 : 0);
      await pass();
    },
  });
  await using sensor = new EphemeralMessenger({
    hubAddr: hub.messenger.hubAddr,
    instanceName: "sensor",
    ...QUICK,
  }, { logger: silentLogger, pipes: [noting("A", steps), slow] });
  const inbox = new Inbox();
  const end = sensor.subscribe("commands", inbox.handler);
  const published = await Promise.all(["1", "2", "3"].map((n) => sensor.publish("n", TYPE, n)));
  assertEquals(hub.payloads("n"), ["1A", "2A", "3A"]);
  assertEquals(hub.lines("n").map(({ id }) => id), published.map(({ id }) => id));
  await assertRejects(() => sensor.publish("n", TYPE, "stop"), PublishStoppedError);
  await hub.messenger.publish("commands", TYPE, "go");
  await inbox.until(1);
  assertEquals(inbox.payloads, ["goA"]);
  end();
  assert(steps.includes("A handle go"));
});

Deno.test("what a pipe sends beside goes at once, and publish tells of the message itself", async () => {
  const copying = new StepPipe({
    send: async (message, pass) => {
      await pass(message.with("copy", { channel: "copies", headers: { id: crypto.randomUUID() } }));
      await turn(1);
      await pass();
      await pass(message.with("again", { headers: { id: crypto.randomUUID() } }));
    },
  });
  await using pi = await open(copying);
  const published = await Promise.all([
    pi.messenger.publish("words", TYPE, 1),
    pi.messenger.publish("words", TYPE, 2),
  ]);
  assertEquals(pi.payloads("copies"), ["copy", "copy"]);
  // What is sent beside has no place in the order; what was published has.
  const lines = pi.lines("words");
  assertEquals(lines.map(({ payload }) => payload).toSorted(), [1, 2, "again", "again"]);
  const own = lines.filter(({ payload }) => payload !== "again");
  assertEquals(own.map(({ payload, id }) => [payload, id]), [
    [1, published[0]!.id],
    [2, published[1]!.id],
  ]);
  assertEquals(new Set(lines.map(({ id }) => id)).size, 4);
  const batch = await pi.messenger.publishBatch(
    "batch",
    [1, 2].map((payload) => ({ payloadType: TYPE, payload })),
  );
  await eventually("the rest", () => pi.payloads("batch").length === 4);
  assertEquals(pi.payloads("batch"), [1, 2, "again", "again"]);
  assertEquals(batch.map(({ id }) => id), pi.lines("batch").slice(0, 2).map(({ id }) => id));
});

Deno.test("two publishers whose pipes send to each other's channel do not wait for each other", async () => {
  const crossing = new StepPipe({
    send: async (message, pass) => {
      if (message.value === "copy") return await pass();
      await turn(1);
      const channel = message.channel === "a" ? "b" : "a";
      await pass(message.with("copy", { channel, headers: { id: crypto.randomUUID() } }));
      await pass();
    },
  });
  await using pi = await open(crossing);
  await Promise.all(["a", "b"].map((channel) => pi.messenger.publish(channel, TYPE, "own")));
  for (const channel of ["a", "b"]) {
    assertEquals(pi.payloads(channel).toSorted(), ["copy", "own"]);
  }
});

Deno.test("a pipe that throws after it has passed a message on rejects publish; the message is stored", async () => {
  const late = new StepPipe({
    send: (_message, pass) => {
      pass();
      throw new Error("too late");
    },
  });
  await using pi = await open(late);
  await assertRejects(() => pi.messenger.publish("n", TYPE, 1), Error, "too late");
  await eventually("the message", () => pi.payloads("n").length === 1);
});

Deno.test("a disk that refuses rejects publish also where a pipe has swallowed the error", async () => {
  const files = new FaultyFiles();
  const swallowing = new StepPipe({ send: (_message, pass) => pass().catch(() => {}) });
  await using pi = await TestMessenger.open({ storage: { syncPolicy: "always" } }, {
    pipes: [swallowing],
    files,
  });
  await pi.messenger.publish("n", TYPE, 1);
  files.fail("sync");
  await assertRejects(() => pi.messenger.publish("n", TYPE, 2), StorageError);
});

Deno.test("a pipe that leaves no connection stops the message; one that makes no sense is told so", async () => {
  class Nobody extends Pipe {
    override send(message: PipeMessage): Promise<void> {
      return super.send(message, []);
    }
  }
  await using nobody = await open(new Nobody());
  await assertRejects(() => nobody.messenger.publish("n", TYPE, 1), PublishStoppedError);
  const wrong: [
    PipeMessageChange, // deno-lint-ignore no-explicit-any -- any class of errors
    new (...args: any[]) => Error,
  ][] = [
    [{ channel: "no channel" }, InvalidChannelNameError],
    [{ channel: "n.dead-letter" }, ReservedChannelNameError],
    [{ type: "" }, PayloadInvalidError],
    [{ headers: { id: "no-uuid" } }, RangeError],
  ];
  for (const [change, error] of wrong) {
    const changing = new StepPipe({ send: (message, pass) => pass(message.with(1, change)) });
    await using pi = await open(changing);
    await assertRejects(() => pi.messenger.publish("n", TYPE, 1), error);
    assertEquals(pi.messenger.channels(), []);
  }
  const odd = new StepPipe({ send: (message, pass) => pass(message.with(() => {})) });
  await using pi = await open(odd);
  await assertRejects(() => pi.messenger.publish("n", TYPE, 1), PayloadInvalidError);
});

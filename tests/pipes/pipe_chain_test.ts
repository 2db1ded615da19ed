import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  InvalidConfigError,
  Pipe,
  PipeChain,
  type PipeConnection,
  type PipeHost,
  PipeMessage,
  type PipeMessageChange,
  type PipeSendOptions,
} from "../../src/pipes/mod.ts";

class TestMessage extends PipeMessage<string> {
  readonly headers = {};
  readonly channel = undefined;
  constructor(readonly chain: PipeChain, readonly value: string, readonly type = "Text") {
    super(chain);
  }
  with(value: unknown, change: PipeMessageChange = {}): TestMessage {
    return new TestMessage(this.chain, value as string, change.type ?? this.type);
  }
}

const PEER: PipeConnection = { id: "1", peer: "here" };

/** Notes what passes and appends its name. */
class Note extends Pipe {
  constructor(readonly name: string, readonly steps: string[]) {
    super();
  }
  override handle(connection: PipeConnection, message: PipeMessage<string>): Promise<void> {
    this.steps.push(`${this.name} handle ${message.value}`);
    return super.handle(connection, message.with(message.value + this.name));
  }
  override send(
    message: PipeMessage<string>,
    connections: readonly PipeConnection[],
    options?: PipeSendOptions,
  ): Promise<void> {
    this.steps.push(`${this.name} send ${message.value}`);
    return super.send(message.with(message.value + this.name), connections, options);
  }
}

function noted(pipes: readonly Pipe[], steps: string[]): PipeChain {
  return new PipeChain(pipes, {
    handle: (_connection, message) => {
      steps.push(`handler ${message.value}`);
      return Promise.resolve();
    },
    send: (message, connections) => {
      steps.push(`wire ${message.value} to ${connections.map(({ id }) => id)}`);
      return Promise.resolve();
    },
  });
}

Deno.test("what is received goes from the first pipe to the last, what is sent the other way", async () => {
  const steps: string[] = [];
  const chain = noted(["A", "B", "C"].map((name) => new Note(name, steps)), steps);
  await chain.handle(PEER, new TestMessage(chain, "x"));
  await chain.send(new TestMessage(chain, "y"), [PEER]);
  assertEquals(steps, [
    "A handle x",
    "B handle xA",
    "C handle xAB",
    "handler xABC",
    "C send y",
    "B send yC",
    "A send yCB",
    "wire yCBA to 1",
  ]);
});

Deno.test("a chain without pipes joins its ends", async () => {
  const steps: string[] = [];
  const chain = noted([], steps);
  await chain.handle(PEER, new TestMessage(chain, "x"));
  await chain.send(new TestMessage(chain, "y"), [PEER]);
  assertEquals(steps, ["handler x", "wire y to 1"]);
});

Deno.test("a pipe that does not call super stops the message", async () => {
  class Stop extends Pipe {
    override handle(): Promise<void> {
      return Promise.resolve();
    }
    override send(): Promise<void> {
      return Promise.resolve();
    }
  }
  const steps: string[] = [];
  const chain = noted([new Note("A", steps), new Stop(), new Note("C", steps)], steps);
  await chain.handle(PEER, new TestMessage(chain, "x"));
  await chain.send(new TestMessage(chain, "y"), [PEER]);
  assertEquals(steps, ["A handle x", "C send y"]);
});

Deno.test("a pipe answers through the pipes further out alone", async () => {
  class Answer extends Pipe {
    override handle(connection: PipeConnection, message: PipeMessage): Promise<void> {
      return super.send(message.with("answer"), [connection]);
    }
  }
  const steps: string[] = [];
  const chain = noted([new Note("A", steps), new Answer(), new Note("C", steps)], steps);
  await chain.handle(PEER, new TestMessage(chain, "x"));
  assertEquals(steps, ["A handle x", "A send answer", "wire answerA to 1"]);
});

Deno.test("one pipe works in two chains at a time", async () => {
  const steps: string[] = [];
  const shared = new Note("S", steps);
  const first = noted([shared, new Note("A", steps)], steps);
  const second = noted([new Note("B", steps), shared], steps);
  await first.handle(PEER, new TestMessage(first, "1"));
  await second.handle(PEER, new TestMessage(second, "2"));
  assertEquals(steps, [
    "S handle 1",
    "A handle 1S",
    "handler 1SA",
    "B handle 2",
    "S handle 2B",
    "handler 2BS",
  ]);
});

Deno.test("what a later pipe or the handler throws comes back through the pipes", async () => {
  let caught: unknown;
  class Catch extends Pipe {
    override async handle(connection: PipeConnection, message: PipeMessage): Promise<void> {
      try {
        await super.handle(connection, message);
      } catch (error) {
        caught = error;
        throw error;
      }
    }
  }
  const problem = new Error("no");
  const chain = new PipeChain([new Catch()], {
    handle: () => Promise.reject(problem),
    send: () => Promise.resolve(),
  });
  await assertRejects(() => chain.handle(PEER, new TestMessage(chain, "x")), Error, "no");
  assertEquals(caught, problem);
});

Deno.test("every pipe hears of its host and of connections", () => {
  const heard: string[] = [];
  class Listen extends Pipe {
    override attached(host: PipeHost): void {
      heard.push(`attached ${host.kind}`);
    }
    override opened(connection: PipeConnection): void {
      heard.push(`opened ${connection.id}`);
    }
    override closed(connection: PipeConnection): void {
      heard.push(`closed ${connection.id}`);
    }
    override detached(host: PipeHost): void {
      heard.push(`detached ${host.kind}`);
    }
  }
  const chain = noted([new Listen()], []);
  const host: PipeHost = {
    kind: "broker",
    connections: [],
    message: (type, value) => new TestMessage(chain, value as string, type),
  };
  chain.attached(host);
  chain.opened(PEER, host);
  chain.closed(PEER, host);
  chain.detached(host);
  assertEquals(heard, ["attached broker", "opened 1", "closed 1", "detached broker"]);
});

Deno.test("a chain refuses what is no pipe, a pipe twice, and a message of another chain", () => {
  const steps: string[] = [];
  const pipe = new Note("A", steps);
  assertThrows(() => noted([{} as Pipe], steps), InvalidConfigError, "pipe 0");
  assertThrows(() => noted([pipe, pipe], steps), InvalidConfigError, "Note twice");
  const other = noted([], steps);
  assertThrows(
    () => pipe.handle(PEER, new TestMessage(other, "x")),
    InvalidConfigError,
    "travels along other pipes",
  );
});

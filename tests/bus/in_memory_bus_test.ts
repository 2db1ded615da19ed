import { assertEquals, assertRejects } from "@std/assert";
import { InMemoryBus, NoResponderError, RemoteError } from "@keyop/messenger/bus";

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

Deno.test("memory buses of one name are one, others are alone", async () => {
  await using a = new InMemoryBus({ name: "plant" });
  await using b = new InMemoryBus({ name: "plant" });
  await using alone = new InMemoryBus();
  await a.serve("greet", (data) => `hello ${text(data)}`);
  assertEquals(text(await b.request("greet", "world")), "hello world");
  await assertRejects(() => alone.request("greet", "world"), NoResponderError);
});

Deno.test("the name of memory buses is free again when the last of them has closed", async () => {
  const first = new InMemoryBus({ name: "plant" });
  await first.stream("a");
  await first.close();
  await using second = new InMemoryBus({ name: "plant" });
  const stream = await second.stream("a");
  await second.publish("a", "1");
  await stream.close();
  assertEquals((await Array.fromAsync(stream)).map(text), ["1"]);
});

Deno.test("a request that waits for a busy server fails when the last server goes", async () => {
  await using bus = new InMemoryBus({ drainMs: 0 });
  const begun = Promise.withResolvers<void>();
  const server = await bus.serve("a", (_, { signal }) => {
    begun.resolve();
    return new Promise((_, reject) =>
      signal.addEventListener("abort", () => reject(signal.reason))
    );
  }, { concurrency: 1 });
  const running = assertRejects(
    () => bus.request("a", "1", { timeoutMs: 60_000 }),
    RemoteError,
    "the server was closed before it answered",
  );
  const waiting = assertRejects(
    () => bus.request("a", "2", { timeoutMs: 60_000 }),
    NoResponderError,
  );
  await begun.promise;
  await server.close();
  await waiting;
  await running;
});

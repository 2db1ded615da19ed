import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { InMemoryBus, InvalidBusUrlError, openBus, SqliteBus } from "@keyop/messenger/bus";
import { tempDir } from "../helpers/temp.ts";

Deno.test("a URL names the bus", async () => {
  await using dir = await tempDir();
  const path = `${dir.path}/bus.db`;
  for (
    const [url, kind] of [
      ["memory:", InMemoryBus],
      ["memory:plant", InMemoryBus],
      [`sqlite:${path}`, SqliteBus],
      [`sqlite://${path}`, SqliteBus],
      [`SQLITE:${path}`, SqliteBus],
      ["sqlite::memory:", SqliteBus],
    ] as const
  ) {
    await using bus = await openBus(url);
    assertEquals(bus.constructor, kind, url);
  }
});

Deno.test("a URL that names no bus is refused with the ones that do, without its password", async () => {
  for (
    const [url, why] of [
      ["", "it has no scheme"],
      ["bus.db", "it has no scheme"],
      ["mqtt://host", 'there is no scheme "mqtt"'],
      ["constructor:", 'there is no scheme "constructor"'],
      ["sqlite:", "it names no file"],
      ["sqlite://", "it names no file"],
    ] as const
  ) {
    const { message, code } = await assertRejects(() => openBus(url), InvalidBusUrlError, why);
    assertEquals(code, "invalid_bus_url");
    assertStringIncludes(message, "sqlite:PATH");
  }
  const error = await assertRejects(() => openBus("mqtt://me:secret@host/x"), InvalidBusUrlError);
  assertEquals(error.url, "mqtt://host/x");
  assertEquals(error.message.includes("secret"), false);
  await assertRejects(() => openBus(undefined as unknown as string), InvalidBusUrlError);
});

Deno.test("a bus loads no client of a server that it does not use", async () => {
  const modules = async (url: string, more = "") => {
    const script = `
      import { openBus } from "@keyop/messenger/bus";
      import { createRequire } from "node:module";
      ${more}
      await using bus = await openBus(${JSON.stringify(url)});
      await bus.publish("s", "1");
      const loaded = Object.keys(createRequire(import.meta.url).cache);
      console.log(JSON.stringify(loaded.filter((name) => /ioredis|nats|[/]ws[/]|x509/.test(name))));`;
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["eval", script],
      stderr: "piped",
    }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    return JSON.parse(new TextDecoder().decode(stdout)) as string[];
  };
  await using dir = await tempDir();
  assertEquals(await modules(`sqlite:${dir.path}/bus.db`), []);
  assertEquals(await modules("memory:"), []);
  const clients = `await import("ioredis"); await import("@nats-io/transport-node");`;
  const loaded = await modules("memory:", clients);
  assert(loaded.some((name) => name.includes("ioredis")), "what is loaded cannot be seen");
  assert(loaded.some((name) => name.includes("nats")), "what is loaded cannot be seen");
});

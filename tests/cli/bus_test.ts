import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { type Bus, openBus } from "@keyop/messenger/bus";
import { tempDir } from "../helpers/temp.ts";
import { type MemoryIo, memoryIo, runCli } from "./helpers.ts";

const decoder = new TextDecoder();
const DENO = Deno.execPath();

/** A file for buses, its URL, and a bus on it. */
async function place() {
  const dir = await tempDir();
  const url = `sqlite:${dir.path}/bus.db`;
  const bus = await openBus(url);
  return {
    path: dir.path,
    url,
    bus,
    run: (words: readonly string[], io?: MemoryIo) => runCli(["bus", ...words, "--url", url], io),
    async [Symbol.asyncDispose]() {
      await bus.close();
      await dir[Symbol.asyncDispose]();
    },
  };
}

/** A command that runs until it is interrupted. */
function running(words: readonly string[], url: string) {
  const controller = new AbortController();
  const io = memoryIo({ signal: controller.signal });
  const ended = runCli(["bus", words[0]!, words[1]!, "--url", url, ...words.slice(2)], io);
  return {
    io,
    ended,
    async [Symbol.asyncDispose]() {
      controller.abort();
      await ended;
    },
  };
}

async function served(bus: Bus, subject: string) {
  await bus.serve(subject, (data, { headers }) => {
    const text = decoder.decode(data);
    if (text === "fail") throw new Error("the boiler\nis cold");
    return text === "headers" ? JSON.stringify(headers) : `got ${text}`;
  });
}

Deno.test("bus publish sends data, files and lines, with headers", async () => {
  await using here = await place();
  const stream = (await here.bus.stream("s")).messages()[Symbol.asyncIterator]();
  const next = async () => {
    const { data, headers } = (await stream.next()).value!;
    return [decoder.decode(data), { ...headers }];
  };
  const words = [
    "publish",
    "s",
    "21.5",
    "--header",
    "A=b=c",
    "--header",
    "x=",
    "--service",
    "kitchen",
  ];
  const done = await here.run([...words, "--correlation-id", "c-1"]);
  assertEquals(done, { code: 0, stdout: "", stderr: "" });
  const headers = { a: "b=c", x: "", "service-name": "kitchen", "correlation-id": "c-1" };
  assertEquals(await next(), ["21.5", headers]);
  await Deno.writeTextFile(`${here.path}/data`, "of a file\n");
  await here.run(["publish", "s", "--file", `${here.path}/data`]);
  assertEquals(await next(), ["of a file\n", {}]);
  await here.run(["publish", "s", btoa("bytes"), "--base64"]);
  assertEquals(await next(), ["bytes", {}]);
  const lines = await here.run(["publish", "s", "-"], memoryIo({ stdin: "one\n\nthree" }));
  assertEquals(lines.stdout, "published 3 messages\n");
  assertEquals([await next(), await next(), await next()], [["one", {}], ["", {}], ["three", {}]]);
});

Deno.test("bus stream prints text, objects or base64, and ends after a count", async () => {
  await using here = await place();
  const plain = runWhenStreaming(here.url, ["s", "--count", "3"]);
  const json = runWhenStreaming(here.url, ["s", "--count", "3", "--json"]);
  const base64 = runWhenStreaming(here.url, ["s", "--count", "3", "--base64"]);
  for (const { ready } of [plain, json, base64]) await ready;
  await here.bus.publish("s", "21.5\n", { headers: { a: "b" } });
  await here.bus.publish("s", new Uint8Array([0xff, 0]));
  await here.bus.publish("s", "");
  assertEquals((await plain.ended).stdout, "21.5\n\ufffd\0\n\n");
  assertEquals((await json.ended).stdout.trimEnd().split("\n").map((line) => JSON.parse(line)), [
    { subject: "s", headers: { a: "b" }, data: "21.5\n" },
    { subject: "s", headers: {}, data_base64: "/wA=" },
    { subject: "s", headers: {}, data: "" },
  ]);
  assertEquals((await base64.ended).stdout, `${btoa("21.5\n")}\n/wA=\n\n`);
});

/** Runs `bus stream`, and tells when it is there. */
function runWhenStreaming(url: string, words: readonly string[]) {
  const io = memoryIo();
  const ended = runCli(["bus", "stream", ...words, "--url", url], io);
  return { ready: io.stderr.until("streaming"), ended };
}

Deno.test("bus stream ends cleanly when it is interrupted", async () => {
  await using here = await place();
  await using stream = running(["stream", "s"], here.url);
  await stream.io.stderr.until("streaming s");
  await here.bus.publish("s", "1");
  await stream.io.stdout.until("1\n");
  await stream[Symbol.asyncDispose]();
  assertEquals((await stream.ended).code, 0);
});

Deno.test("bus request prints the answer, or says what went wrong", async () => {
  await using here = await place();
  await served(here.bus, "r");
  assertEquals(await here.run(["request", "r", "1"]), { code: 0, stdout: "got 1\n", stderr: "" });
  assertEquals((await here.run(["request", "r"])).stdout, "got \n");
  const json = await here.run(["request", "r", "headers", "--header", "a=b", "--json"]);
  assertEquals(JSON.parse(JSON.parse(json.stdout).data), { a: "b" });
  const base64 = await here.run(["request", "r", btoa("x"), "--base64"]);
  assertEquals(base64.stdout, `${btoa("got x")}\n`);
  const failed = await here.run(["request", "r", "fail"]);
  assertEquals([failed.code, failed.stdout], [1, ""]);
  assertStringIncludes(failed.stderr, "the boiler; is cold");
  const late = await here.run(["request", "nobody", "", "--timeout", "50"]);
  assertEquals(late.code, 1);
  assertStringIncludes(late.stderr, 'No answer on "nobody" within 50 ms');
});

Deno.test("bus request --many prints every reply", async () => {
  await using here = await place();
  await here.bus.serve("count", async function* (data) {
    for (let n = 0; n < Number(decoder.decode(data)); n++) yield await Promise.resolve(`${n}`);
  });
  assertEquals((await here.run(["request", "count", "3", "--many"])).stdout, "0\n1\n2\n");
  assertEquals((await here.run(["request", "count", "0", "--many"])).stdout, "");
});

const evaluate = (script: string) => ["--exec", DENO, "eval", script];

Deno.test("bus serve answers with what a program prints, and says how it failed", async () => {
  await using here = await place();
  const script = `
    const request = await new Response(Deno.stdin.readable).text();
    if (request === "fail") { console.error("first"); console.error("no paper"); Deno.exit(3); }
    const { KEYOP_SUBJECT, KEYOP_CORRELATION_ID, KEYOP_SERVICE } = Deno.env.toObject();
    console.log(request, KEYOP_SUBJECT, KEYOP_CORRELATION_ID, KEYOP_SERVICE);`;
  await using server = running(["serve", "r", ...evaluate(script)], here.url);
  await server.io.stdout.until("serving r\n");
  const words = ["request", "r", "1", "--correlation-id", "c-1", "--service", "s"];
  assertEquals((await here.run(words)).stdout, "1 r c-1 s\n");
  const failed = await here.run(["request", "r", "fail"]);
  assertEquals(failed.code, 1);
  assertMatch(failed.stderr, /ended with exit code 3: no paper\n$/);
  assertEquals((await here.run(["request", "r", "2"])).stdout, "2 r  \n");
});

Deno.test("bus serve --lines answers line by line, and ends after a count", async () => {
  await using here = await place();
  const words = ["serve", "r", "--lines", "--count", "2"];
  const script = `console.log("a\\nb"); await Deno.stdout.write(new TextEncoder().encode("c"))`;
  await using server = running([...words, ...evaluate(script)], here.url);
  await server.io.stdout.until("serving r\n");
  for (let n = 0; n < 2; n++) {
    const replies = await Array.fromAsync(here.bus.requestMany("r", ""));
    assertEquals(replies.map((reply) => decoder.decode(reply)), ["a", "b", "c"]);
  }
  assertEquals(await server.ended, { code: 0, stdout: "serving r\n", stderr: "" });
});

Deno.test("bus serve ends a program that nobody waits for", async () => {
  await using here = await place();
  const marks = await here.bus.stream("marks");
  const mark = marks[Symbol.asyncIterator]();
  const script = `
    import { openBus } from "@keyop/messenger/bus";
    const bus = await openBus(${JSON.stringify(here.url)});
    Deno.addSignalListener("SIGTERM", async () => {
      await bus.publish("marks", "terminated");
      Deno.exit(0);
    });
    await bus.publish("marks", "begun");
    setInterval(() => {}, 1_000);`;
  await using server = running(["serve", "r", ...evaluate(script)], here.url);
  await server.io.stdout.until("serving r\n");
  const controller = new AbortController();
  const request = here.bus.request("r", "", { signal: controller.signal }).catch(() => {});
  assertEquals(decoder.decode((await mark.next()).value), "begun");
  controller.abort();
  await request;
  assertEquals(decoder.decode((await mark.next()).value), "terminated");
});

Deno.test("bus serve ends when its program cannot be run", async () => {
  await using here = await place();
  await using server = running(["serve", "r", "--exec", "no-such-program"], here.url);
  await server.io.stdout.until("serving r\n");
  const failed = await here.run(["request", "r", "1"]);
  assertStringIncludes(failed.stderr, "there is no such program");
  const { code, stderr } = await server.ended;
  assertEquals(code, 1);
  assertStringIncludes(stderr, 'cannot run "no-such-program": there is no such program');
});

Deno.test("the bus may be named by the environment; wrong usage is told with exit code 2", async () => {
  await using here = await place();
  await served(here.bus, "r");
  const env = { KEYOP_MESSENGER_BUS: here.url };
  assertEquals((await runCli(["bus", "request", "r", "1"], memoryIo({ env }))).stdout, "got 1\n");
  for (
    const [words, why] of [
      [["request", "r"], "no bus is named"],
      [["request", "a b", "--url", here.url], 'Cannot use "a b" as a subject'],
      [["request", "r", "--url", "mqtt://me:secret@host"], 'there is no scheme "mqtt"'],
      [["request", "r", "?", "--base64", "--url", here.url], "is not base64"],
      [["publish", "s", "--url", here.url], "no data is given"],
      [["publish", "s", "1", "--file", "f", "--url", here.url], "given twice"],
      [["publish", "s", "1", "--header", "x", "--url", here.url], "NAME=VALUE"],
      [["serve", "s", "--url", here.url], "no program is given"],
      [["stream", "s", "--count", "0", "--url", here.url], "--count"],
    ] as const
  ) {
    const { code, stderr } = await runCli(["bus", ...words]);
    assertEquals(code, 2, `${words}: ${stderr}`);
    assertStringIncludes(stderr, why);
    assert(!stderr.includes("secret"));
  }
});

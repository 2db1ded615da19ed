import { assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { GatewayClient } from "../../client.ts";
import { openSse, serverSentEvents } from "../../src/client/sse_transport.ts";
import { once, QUICK } from "./setup.ts";

const STREAM = ": a comment\r\n" +
  `event: open\ndata: {"key":"k"}\n\n` +
  "data: first\r\ndata: second\r\n\r\n" +
  ": still here\n\n" +
  "data:no space\nid: 7\nretry: 10\n\n" +
  "event: nothing\n\n" +
  "data: grüße 😀\n\n" +
  "data: never ended\n";
const EVENTS = [
  { name: "open", data: `{"key":"k"}` },
  { name: "", data: "first\nsecond" },
  { name: "", data: "no space" },
  { name: "", data: "grüße 😀" },
];

Deno.test("events come whole however the bytes of the stream are cut", async () => {
  const bytes = new TextEncoder().encode(STREAM);
  await fc.assert(fc.asyncProperty(
    fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
    async (sizes) => {
      const stream = new ReadableStream<Uint8Array>({
        start(controller) {
          for (let at = 0, n = 0; at < bytes.length; n++) {
            const end = at + sizes[n % sizes.length]!;
            controller.enqueue(bytes.slice(at, end));
            at = end;
          }
          controller.close();
        },
      });
      assertEquals(await Array.fromAsync(serverSentEvents(stream)), EVENTS);
    },
  ));
});

Deno.test("an event that never ends is given up", async () => {
  const stream = new ReadableStream<Uint8Array>({
    pull(controller) {
      controller.enqueue(new Uint8Array(1024 * 1024).fill(0x78));
    },
  });
  await assertRejects(() => Array.fromAsync(serverSentEvents(stream)), RangeError, "too long");
});

Deno.test("what is sent goes out in order, one request at a time, gathered meanwhile", async () => {
  const bodies: unknown[][] = [];
  let underWay = 0;
  const finished = Promise.withResolvers<void>();
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    async (request) => {
      if (request.method === "GET") {
        return new Response(`event: open\ndata: {"key":"a&b"}\n\n`, {
          headers: { "content-type": "text/event-stream" },
        });
      }
      assertEquals(new URL(request.url).searchParams.get("key"), "a&b");
      assertEquals(++underWay, 1);
      const body = await request.json();
      bodies.push(Array.isArray(body) ? body : [body]);
      if (bodies.flat().length === 200) finished.resolve();
      underWay--;
      return new Response(null, { status: 204 });
    },
  );
  // The stream of this server ends at once: what it opened is still there for sending.
  const opened = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<[number, string]>();
  const stream: typeof fetch = (input, init) =>
    init?.method === "POST" ? fetch(input, init) : fetch(input, init).then((response) => {
      const open = new TransformStream<Uint8Array, Uint8Array>({ flush: () => finished.promise });
      return new Response(response.body!.pipeThrough(open), response);
    });
  const transport = openSse(stream, new URL(`http://127.0.0.1:${server.addr.port}/ws/?a=1`), {
    opened: opened.resolve,
    frame: () => {},
    closed: (...end) => ended.resolve(end),
  });
  await opened.promise;
  for (let n = 0; n < 200; n++) transport.send(String(n));
  await finished.promise;
  assertEquals(bodies.flat(), Array.from({ length: 200 }, (_, n) => n));
  assertEquals(bodies.every(({ length }) => length <= 64) && bodies.length < 200, true);
  assertEquals(await ended.promise, [1006, "the stream ended"]);
});

Deno.test("an answer that is no stream of events is a failed attempt, and says what it was", async () => {
  const answers = [
    new Response("gone", { status: 404 }),
    new Response("<p>Log in to this network", { headers: { "content-type": "text/html" } }),
  ];
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () => answers.shift()!,
  );
  const client = new GatewayClient(`ws://127.0.0.1:${server.addr.port}/ws`, {
    ...QUICK,
    transport: "sse",
  });
  const connecting = client.connect().catch(() => {});
  assertEquals((await once(client, "disconnected")).reason, "the gateway answered 404");
  assertEquals((await once(client, "disconnected")).reason, "the gateway answered 200");
  client.close();
  await connecting;
});

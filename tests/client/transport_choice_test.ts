import { assertEquals } from "@std/assert";
import { TransportChoice } from "../../src/client/transport.ts";

Deno.test("the fallback comes after the first failure, and the two take turns", () => {
  const choice = new TransportChoice(undefined);
  assertEquals(choice.next(), "websocket");
  assertEquals(choice.failed(), true);
  assertEquals(choice.next(), "sse");
  assertEquals(choice.failed(), false);
  assertEquals(choice.next(), "websocket");
  choice.failed();
  assertEquals(choice.next(), "sse");
  choice.worked("sse");
  assertEquals(choice.next(), "websocket");
});

Deno.test("where WebSockets have worked they get more patience", () => {
  const choice = new TransportChoice(undefined);
  choice.worked("websocket");
  const tried = Array.from({ length: 7 }, () => {
    const kind = choice.next();
    choice.failed();
    return kind;
  });
  assertEquals(tried.map((kind) => kind[0]).join(""), "wwwwsws");
});

Deno.test("a transport that was chosen is the only one", () => {
  const choice = new TransportChoice("websocket");
  for (let n = 0; n < 5; n++) assertEquals([choice.next(), choice.failed()], ["websocket", false]);
});

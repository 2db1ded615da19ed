import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { encodePem, parsePem } from "../../src/tls/pem.ts";

const block = encodePem("CERTIFICATE", new Uint8Array(100).fill(7));

Deno.test("parsePem() gives back what encodePem() wrote", () => {
  fc.assert(fc.property(fc.uint8Array({ minLength: 1, maxLength: 400 }), (bytes) => {
    const [parsed] = parsePem(encodePem("PRIVATE KEY", new Uint8Array(bytes)));
    assertEquals(parsed!.label, "PRIVATE KEY");
    assertEquals(
      Uint8Array.fromBase64(parsed!.pem.replace(/-----.*-----/g, "")),
      new Uint8Array(bytes),
    );
  }));
});

Deno.test("parsePem() skips text around blocks, carriage returns, a byte order mark and indents", () => {
  const text = `\ufeffSubject: CN=x\r\n  ${
    block.replaceAll("\n", "\r\n  ")
  }\r\nBag Attributes\r\n${block}`;
  assertEquals(parsePem(text).map(({ pem }) => pem), [block, block]);
});

Deno.test("parsePem() finds nothing in a text without blocks", () => {
  for (const text of ["", "hello", "-----BEGIN ", "-----BEGIN x-----", "----- BEGIN X -----"]) {
    assertEquals(parsePem(text), [], text);
  }
});

Deno.test("parsePem() refuses a block that is cut anywhere in its body", () => {
  const bodyStart = block.indexOf("\n") + 1;
  for (let cut = bodyStart; cut < block.trimEnd().length; cut++) {
    assertThrows(() => parsePem(block.slice(0, cut)), SyntaxError, "without an end");
  }
});

Deno.test("parsePem() refuses a block that is not base64", () => {
  for (const body of ["", "%%%%", "AAA", "A===", "AAAA AAAA"]) {
    const text = `-----BEGIN X-----\n${body}\n-----END X-----`;
    assertThrows(() => parsePem(text), SyntaxError, "not base64");
  }
});

Deno.test("parsePem() sees that a key is encrypted, by its label or by its header", () => {
  const header = "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES,00\n\n" +
    "AAAA\n-----END EC PRIVATE KEY-----\n";
  assertEquals(parsePem(header)[0]!.encrypted, true);
  assertEquals(parsePem(encodePem("ENCRYPTED PRIVATE KEY", new Uint8Array(3)))[0]!.encrypted, true);
  assertEquals(parsePem(block)[0]!.encrypted, false);
});

Deno.test("parsePem() refuses more than 1 MiB", () => {
  assertThrows(() => parsePem("x".repeat(1024 * 1024 + 1)), SyntaxError, "longer than 1 MiB");
});

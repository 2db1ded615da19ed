import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { formatFields, formatTable, printable, widthOf } from "../../src/cli/table.ts";

Deno.test("a table lines up its columns, numbers on the right", () => {
  const table = formatTable(
    [{ title: "CHANNEL" }, { title: "BYTES", align: "right" }, { title: "STATE" }],
    [["readings.kitchen", 12, "live"], ["a", 1_234_567, ""], ["東京", 3, "idle"]],
  );
  assertEquals(
    table,
    [
      "CHANNEL             BYTES  STATE",
      "readings.kitchen       12  live",
      "a                 1234567",
      "東京                    3  idle",
      "",
    ].join("\n"),
  );
});

Deno.test("a table without rows has its titles", () => {
  assertEquals(formatTable([{ title: "A" }, { title: "B" }], []), "A  B\n");
});

Deno.test("fields line up their values", () => {
  assertEquals(formatFields([["Subject", "CN=x"], ["Id", "7"]]), "Subject: CN=x\nId:      7\n");
});

Deno.test("nothing in a cell reaches the terminal as a command", () => {
  const evil = "a\x1b[31mb\nc\r\x07\x9bd\u202ee\u2028";
  assertEquals(printable(evil), "a\\u001b[31mb\\nc\\r\\u0007\\u009bd\\u202ee\\u2028");
  const lines = formatTable([{ title: "T" }], [[evil]]).split("\n");
  assertEquals(lines.length, 3);
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
    assertEquals(/[\p{Cc}\u2028\u202e]/u.test(printable(text)), false);
  }));
});

Deno.test("wide characters and emoji take two places, accents none", () => {
  assertEquals(["abc", "東京", "👍", "e\u0301", ""].map(widthOf), [3, 4, 2, 1, 0]);
});

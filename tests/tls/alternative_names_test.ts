import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { alternativeNames } from "../../src/tls/alternative_names.ts";

const show = (name: string, extra: string[] = []) =>
  alternativeNames(name, extra).map(({ type, value }) => `${type} ${value}`);

const cases: readonly [name: string, expected: string[]][] = [
  ["kitchen", ["dns kitchen"]],
  ["hub.example.com", ["dns hub.example.com"]],
  ["my_service-1", ["dns my_service-1"]],
  ["host:7741", ["dns host"]],
  ["192.168.1.5", ["ip 192.168.1.5"]],
  ["192.168.1.5:7741", ["ip 192.168.1.5"]],
  ["::1", ["ip 0:0:0:0:0:0:0:1"]],
  ["[2001:db8::7]:7741", ["ip 2001:db8:0:0:0:0:0:7"]],
  ["::ffff:1.2.3.4", ["ip 0:0:0:0:0:ffff:102:304"]],
  ["::", ["ip 0:0:0:0:0:0:0:0"]],
  ["1:2:3:4:5:6:7:8", ["ip 1:2:3:4:5:6:7:8"]],
  ["localhost", ["dns localhost", "ip 127.0.0.1", "ip 0:0:0:0:0:0:0:1"]],
  ["localhost:7741", ["dns localhost", "ip 127.0.0.1", "ip 0:0:0:0:0:0:0:1"]],
  ["bücher.example", ["dns xn--bcher-kva.example"]],
  ["BÜCHER.example:7741", ["dns xn--bcher-kva.example"]],
  ["ü@evil.example", []],
  ["evil.example/ü", []],
  ["evil.example?ü", []],
  ["①②⑦.0.0.1", []],
  ["kitchen pi", []],
  ["größe mit leer", []],
  ["a..b", []],
  ["-a", []],
  ["a.", []],
  ["7", []],
  ["host.42", []],
  ["1.2.3.256", []],
  ["01.2.3.4", []],
  ["*.example.com", []],
  ["host:port", []],
  ["https://host/", []],
  ["a/b", []],
  ["x".repeat(64), []],
  ["1::2::3", []],
  ["fe80::1%eth0", []],
];

for (const [name, expected] of cases) {
  Deno.test(`an instance named ${JSON.stringify(name)} can be dialled as ${expected.join(", ") || "nothing"}`, () => {
    assertEquals(show(name), expected);
  });
}

Deno.test("extra names are added once, wildcards among them", () => {
  assertEquals(show("kitchen", ["KITCHEN", "*.home.example", "10.0.0.7", "fe80::1", "FE80:0::1"]), [
    "dns KITCHEN",
    "dns *.home.example",
    "ip 10.0.0.7",
    "ip fe80:0:0:0:0:0:0:1",
  ]);
});

Deno.test("an extra name that is no host names itself in the error", () => {
  for (const entry of ["", "a b", "host:7741", "https://host", "*", "a.*.b", "10.0.0.0/8", "\0"]) {
    assertThrows(
      () => alternativeNames("kitchen", [entry]),
      RangeError,
      `Cannot use ${JSON.stringify(entry)} as an alternative name`,
    );
  }
});

Deno.test("whatever the instance is called, its alternative names are well formed", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 80 }), (name) => {
    for (const { type, value } of alternativeNames(name, [])) {
      if (type === "dns") assertEquals(/^[\w.-]{1,253}$/.test(value), true, value);
      else assertEquals(/^[\d.]+$|^([\da-f]+:){7}[\da-f]+$/.test(value), true, value);
    }
  }));
});

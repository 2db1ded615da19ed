import fc from "fast-check";

/** A member of a record's JSON object, as text. */
export interface Member {
  readonly key: string;
  readonly value: string;
}

/** A record as some implementation may have written it, with what it is made of. */
export interface WrittenRecord {
  readonly text: string;
  readonly members: readonly Member[];
}

/** JSON texts that a runtime would not write the same way again. */
const ODD_JSON = [
  "1e400",
  "-0",
  "1.0",
  "12345678901234567890",
  '"\\u003cb\\u003e \\u2028 \\/ \\ud83c\\udf89"',
  '{"a":1,"a":2}',
  '{"__proto__":{"v":2}}',
  '{"route":["x"],"payload":3}',
  '[1,{"payload":[]},"],\\"payload\\":1"]',
  '"\\\\"',
  "[ 1 ,\t2 ]",
  "{ }",
];

/** Any JSON text. */
export const anyJson: fc.Arbitrary<string> = fc.oneof(
  fc.jsonValue().map((value) => JSON.stringify(value)),
  fc.constantFrom(...ODD_JSON),
);

/** Any text, with those that are hard to find in JSON. */
export const anyText: fc.Arbitrary<string> = fc.oneof(
  fc.string({ unit: "binary", maxLength: 20 }),
  fc.constantFrom(
    "",
    '"',
    "\\",
    ',"payload":',
    "</script>&",
    "\u2028\u2029",
    "\ud800",
    "é🎉",
    "]",
    '","',
  ),
);

const uuid = fc.uuid();
const space = fc.constantFrom("", "", "", " ", "\t", "\r", "  ");

/** A JSON string in one of the ways to write it: plain, as Go does, or every character escaped. */
function written(text: string): fc.Arbitrary<string> {
  const plain = JSON.stringify(text);
  return fc.constantFrom(
    plain,
    plain.replace(/[<>&\u2028\u2029]/g, escaped),
    `"${Array.from({ length: text.length }, (_, n) => escaped(text[n]!)).join("")}"`,
  );
}

function escaped(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

function member(key: string, value: fc.Arbitrary<string>): fc.Arbitrary<Member> {
  return fc.record({
    key: fc.oneof({ arbitrary: fc.constant(JSON.stringify(key)), weight: 9 }, written(key)),
    value,
  });
}

function text(key: string, value: fc.Arbitrary<string> = anyText): fc.Arbitrary<Member> {
  return member(key, value.chain(written));
}

const routeValue = fc.oneof(
  fc.array(anyText, { maxLength: 4 }).map((names) => JSON.stringify(names)),
  fc.constantFrom("null", "[]", "[ ]", '[ "a" , "b" ]'),
);

const header = fc.tuple(
  member("v", fc.constantFrom("1", "1", "1.0", "1e0")),
  text("id", fc.oneof(uuid, anyText)),
  text("ts", fc.constantFrom("2026-01-02T03:04:05.123456789Z", "2026-01-02T03:04:05Z", "x")),
  text("channel"),
  text("origin"),
  text("payload_type"),
);

const optionals = fc.tuple(
  fc.option(text("correlation_id"), { nil: undefined }),
  fc.option(text("service_name"), { nil: undefined }),
  fc.option(member("route", routeValue), { nil: undefined }),
);

const unknown = fc.array(
  member("x-unknown", anyJson),
  { maxLength: 1 },
);

/** A record as one of the implementations writes it: keys in order, nothing between. */
export const canonicalRecord: fc.Arbitrary<WrittenRecord> = fc
  .tuple(header, optionals, member("payload", anyJson))
  .map(([head, more, payload]) => {
    const members = [...head, ...more.filter((m) => m !== undefined), payload];
    return { members, text: `{${members.map(({ key, value }) => `${key}:${value}`).join(",")}}` };
  });

/** A record as anybody may write it: keys in any order, with space, escapes and unknown keys. */
export const oddRecord: fc.Arbitrary<WrittenRecord> = fc
  .tuple(header, optionals, unknown, member("payload", anyJson))
  .chain(([head, more, others, payload]) => {
    const all = [...head, ...more.filter((m) => m !== undefined), ...others, payload];
    return fc.tuple(
      fc.shuffledSubarray(all, { minLength: all.length }),
      fc.array(space, { minLength: all.length * 4 + 2, maxLength: all.length * 4 + 2 }),
    );
  })
  .map(([members, spaces]) => {
    let at = 0;
    const next = () => spaces[at++]!;
    const inner = members.map(({ key, value }) =>
      `${next()}${key}${next()}:${next()}${value}${next()}`
    );
    return { members, text: `${next()}{${inner.join(",")}}${next()}` };
  });

/** Any record that can be decoded. */
export const anyRecord: fc.Arbitrary<WrittenRecord> = fc.oneof(canonicalRecord, oddRecord);

import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  decodeDataFrame,
  encodeAck,
  encodeDataFrame,
  encodeHandshake,
  type Handshake,
  parseAck,
  parseHandshake,
  WireError,
} from "../../src/federation/mod.ts";

const MAX = 1_000;
const anyRecord = fc.uint8Array({ minLength: 1, maxLength: 200 });
const anyRecords = fc.array(anyRecord, { minLength: 1, maxLength: 20 });

function codeOf(run: () => unknown): number | undefined {
  try {
    run();
  } catch (error) {
    if (error instanceof WireError) return error.closeCode;
    throw error;
  }
  return undefined;
}

Deno.test("any records survive a frame", () => {
  fc.assert(fc.property(anyRecords, (records) => {
    assertEquals(decodeDataFrame(encodeDataFrame(records), MAX).map((r) => r.slice()), records);
  }));
});

Deno.test("a frame is the records behind their lengths, and nothing else", () => {
  const frame = encodeDataFrame([new Uint8Array([7]), new Uint8Array(258).fill(1)]);
  assertEquals([...frame.subarray(0, 9)], [0, 0, 0, 1, 7, 0, 0, 1, 2]);
  assertEquals(frame.length, 4 + 1 + 4 + 258);
});

Deno.test("every frame that is cut short is refused with 4400", () => {
  fc.assert(
    fc.property(anyRecords, (records) => {
      const frame = encodeDataFrame(records);
      const borders = new Set<number>();
      let border = 0;
      for (const record of records) borders.add(border += 4 + record.length);
      for (let cut = 0; cut < frame.length; cut++) {
        if (borders.has(cut)) continue;
        assertEquals(
          codeOf(() => decodeDataFrame(frame.subarray(0, cut), MAX)),
          4400,
          `cut=${cut}`,
        );
      }
    }),
    { numRuns: 20 },
  );
});

Deno.test("arbitrary bytes are records or a WireError, never anything else", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
    const code = codeOf(() => decodeDataFrame(bytes, MAX));
    if (code === undefined) {
      const again = encodeDataFrame(decodeDataFrame(bytes, MAX));
      assertEquals(again, new Uint8Array(bytes));
    }
  }));
});

Deno.test("a record of the greatest length is taken, a longer one is refused with 1009", () => {
  const frame = encodeDataFrame([new Uint8Array(MAX)]);
  assertEquals(decodeDataFrame(frame, MAX).length, 1);
  assertEquals(codeOf(() => decodeDataFrame(frame, MAX - 1)), 1009);
});

Deno.test("a length of 4 GiB is refused as such, not taken for a negative one", () => {
  assertEquals(codeOf(() => decodeDataFrame(new Uint8Array(8).fill(0xff), MAX)), 1009);
});

Deno.test("a frame without a record, or with an empty one, is refused with 4400", () => {
  assertEquals(codeOf(() => decodeDataFrame(new Uint8Array(0), MAX)), 4400);
  assertEquals(codeOf(() => decodeDataFrame(new Uint8Array(4), MAX)), 4400);
  assertEquals(
    codeOf(() => decodeDataFrame(new Uint8Array([0, 0, 0, 1, 5, 0, 0, 0, 0]), MAX)),
    4400,
  );
});

Deno.test("handshakes survive their encoding", () => {
  const anyName = fc.string({ maxLength: 100 });
  const anyCount = fc.option(fc.integer({ min: 1 }), { nil: undefined });
  fc.assert(fc.property(
    fc.record({
      instanceName: anyName,
      role: fc.constantFrom("client" as const, "hub" as const),
      subscribe: fc.array(anyName, { maxLength: 20 }),
      ephemeral: fc.boolean(),
      window: anyCount,
      maxRecordBytes: anyCount,
    }),
    (handshake) => {
      assertEquals(parseHandshake(encodeHandshake(handshake), handshake.role), handshake);
    },
  ));
});

Deno.test("a handshake leaves out what the document says is left out", () => {
  const bare: Handshake = {
    instanceName: "kitchen",
    role: "client",
    subscribe: [],
    ephemeral: false,
    window: undefined,
    maxRecordBytes: undefined,
  };
  assertEquals(
    encodeHandshake(bare),
    '{"instance_name":"kitchen","role":"client","version":"1"}',
  );
  assertEquals(
    encodeHandshake({ ...bare, subscribe: ["a"], ephemeral: true, window: 8, maxRecordBytes: 9 }),
    '{"instance_name":"kitchen","role":"client","version":"1","subscribe":["a"],' +
      '"ephemeral":true,"window":8,"max_record_bytes":9}',
  );
});

Deno.test("a handshake of an original is understood, and what is unknown in it ignored", () => {
  assertEquals(
    parseHandshake(
      '{"instance_name":"go","role":"client","version":"1","last_id":"x","subscribe":null,"new":[]}',
      "client",
    ),
    {
      instanceName: "go",
      role: "client",
      subscribe: [],
      ephemeral: false,
      window: undefined,
      maxRecordBytes: undefined,
    },
  );
});

for (
  const [what, frame] of [
    ["binary", new Uint8Array([123, 125])],
    ["no JSON", "{"],
    ["a list", "[]"],
    ["null", "null"],
    ["another version", '{"instance_name":"a","role":"client","version":"2"}'],
    ["a version that is a number", '{"instance_name":"a","role":"client","version":1}'],
    ["no version", '{"instance_name":"a","role":"client"}'],
    ["another role", '{"instance_name":"a","role":"hub","version":"1"}'],
    ["no name", '{"role":"client","version":"1"}'],
    [
      "a name that is too long",
      `{"instance_name":"${"a".repeat(256)}","role":"client","version":"1"}`,
    ],
    [
      "channels that are no list",
      '{"instance_name":"a","role":"client","version":"1","subscribe":"a"}',
    ],
    [
      "channels that are no text",
      '{"instance_name":"a","role":"client","version":"1","subscribe":[1]}',
    ],
    ["a window of 0", '{"instance_name":"a","role":"client","version":"1","window":0}'],
    ["ephemeral as text", '{"instance_name":"a","role":"client","version":"1","ephemeral":"yes"}'],
    [
      "more than 64 KiB",
      `{"instance_name":"a","role":"client","version":"1","x":"${"ü".repeat(33_000)}"}`,
    ],
    ["JSON of great depth", "[".repeat(60_000)],
  ] as const
) {
  Deno.test(`a handshake that is ${what} is refused with 4400`, () => {
    assertEquals(codeOf(() => parseHandshake(frame, "client")), 4400);
  });
}

Deno.test("acknowledgements survive their encoding", () => {
  fc.assert(fc.property(fc.string(), (id) => assertEquals(parseAck(encodeAck(id)), id)));
});

Deno.test("an acknowledgement that is none is refused", () => {
  for (const frame of ["", "{}", "[]", '{"last_id":1}', '{"last_id":null}', "x".repeat(70_000)]) {
    assertThrows(() => parseAck(frame), WireError, "acknowledgement");
  }
});

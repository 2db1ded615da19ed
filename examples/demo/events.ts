import type { Reading } from "./readings.ts";

/** The channel that readings travel on. */
export const READINGS = "readings";
/** The channel on which a client says that it has arrived at the hub. */
export const ARRIVALS = "arrivals";
/** Payload type of an {@linkcode Arrival}. */
export const ARRIVAL_TYPE = "com.example.Arrival";
/** The line on standard input that ends the publishing. */
export const STOP_PUBLISHING = "stop publishing";

/** What a client publishes once it is up. */
export interface Arrival {
  /** The client's name. */
  readonly name: string;
}

/**
 * Checks that a value is an arrival.
 *
 * @throws {TypeError} When it is none.
 */
export function parseArrival(value: unknown): Arrival {
  const { name } = (value ?? {}) as Partial<Arrival>;
  if (typeof name !== "string") throw new TypeError("name: expected a string");
  return { name };
}

/** What a program of the demo tells the one that started it: one line of JSON on standard output. */
export type DemoEvent =
  | { readonly event: "ready" }
  | { readonly event: "arrived"; readonly name: string }
  | { readonly event: "published"; readonly id: string }
  | { readonly event: "publishing ended" }
  | {
    readonly event: "handled";
    readonly id: string;
    readonly reading: Reading;
    /** Milliseconds from publishing to handling. */
    readonly delayMs: number;
  };

/** Tells the program that started this one. The line has left this process when it returns. */
export function tell(event: DemoEvent): void {
  console.log(JSON.stringify(event));
}

/**
 * The lines on standard input. They end when the program that started this one wants it to end, and
 * also when that was killed: nothing that the demo starts outlives it.
 */
export async function* commands(): AsyncGenerator<string> {
  // A terminal sends Ctrl-C to every program of the demo; these end in order, when they are told to.
  Deno.addSignalListener("SIGINT", () => {});
  yield* lines(Deno.stdin.readable);
}

/** Splits a stream of bytes into lines. */
export async function* lines(bytes: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of bytes) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = parts.pop()!;
    yield* parts;
  }
}

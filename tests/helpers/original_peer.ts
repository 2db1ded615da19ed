import {
  decodeDataFrame,
  encodeDataFrame,
  type Frame,
  type Link,
} from "../../src/federation/mod.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const LIMIT_BYTES = 65_536;

/**
 * A peer that behaves as the document says of the original: it announces no window, ignores what it
 * does not know, sends one frame and waits for its acknowledgement, takes frames of 65,536 bytes at
 * most, and acknowledges with the last record that it has stored, or with nothing.
 */
export class OriginalPeer {
  readonly link: Link;
  readonly stored: Record<string, unknown>[] = [];
  /** What the other side said first. */
  hello: Record<string, unknown> | undefined;
  /** Acknowledgements that came in. */
  readonly acks: string[] = [];
  readonly #seen = new Set<string>();
  readonly #outgoing: string[][] = [];
  #isWaiting = false;
  readonly #answer: Record<string, unknown> | undefined;

  private constructor(link: Link, answer?: Record<string, unknown>) {
    this.link = link;
    this.#answer = answer;
    link.listen({ frame: (frame) => this.#frame(frame), writable() {} });
  }

  /** A client, which speaks first. */
  static client(link: Link, name: string, more: Record<string, unknown> = {}): OriginalPeer {
    const peer = new OriginalPeer(link);
    link.send(JSON.stringify({ instance_name: name, role: "client", version: "1", ...more }));
    return peer;
  }

  /** A hub, which answers. */
  static hub(link: Link, name: string): OriginalPeer {
    return new OriginalPeer(link, { instance_name: name, role: "hub", version: "1" });
  }

  /** Sends a batch once those before it are acknowledged. */
  publish(...records: readonly string[]): void {
    this.#outgoing.push([...records]);
    this.#sendNext();
  }

  #frame(frame: Frame): void {
    if (typeof frame !== "string") return this.#take(frame);
    const message = JSON.parse(frame);
    if (this.hello === undefined) {
      this.hello = message;
      if (this.#answer !== undefined) this.link.send(JSON.stringify(this.#answer));
      this.#sendNext();
      return;
    }
    this.acks.push(message.last_id);
    this.#isWaiting = false;
    this.#sendNext();
  }

  #take(frame: Uint8Array): void {
    if (frame.length > LIMIT_BYTES) return this.link.close(1009, "frame too large");
    let lastId = "";
    for (const bytes of decodeDataFrame(frame, LIMIT_BYTES)) {
      const record = JSON.parse(decoder.decode(bytes));
      if (this.#seen.has(record.id)) continue;
      this.#seen.add(record.id);
      this.stored.push(record);
      lastId = record.id;
    }
    this.link.send(JSON.stringify({ last_id: lastId }));
  }

  #sendNext(): void {
    if (this.#isWaiting || this.hello === undefined) return;
    const batch = this.#outgoing.shift();
    if (batch === undefined) return;
    this.#isWaiting = true;
    this.link.send(encodeDataFrame(batch.map((record) => encoder.encode(record))));
  }
}

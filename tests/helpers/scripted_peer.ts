import {
  decodeDataFrame,
  encodeDataFrame,
  type Frame,
  type Link,
  type LinkEnd,
} from "../../src/federation/mod.ts";
import { until } from "./until.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A peer whose every frame is written out in the test. */
export class ScriptedPeer {
  readonly link: Link;
  /** What came in and was not looked at. */
  readonly frames: Frame[] = [];
  end: LinkEnd | undefined;

  constructor(link: Link) {
    this.link = link;
    link.listen({ frame: (frame) => void this.frames.push(frame), writable() {} });
    link.closed.then((end) => this.end = end);
  }

  /** Sends a text frame. */
  say(value: unknown): void {
    this.link.send(typeof value === "string" ? value : JSON.stringify(value));
  }

  /** Sends records in one frame. */
  sendRecords(...records: readonly string[]): void {
    this.link.send(encodeDataFrame(records.map((record) => encoder.encode(record))));
  }

  /** The next frame. */
  async next(): Promise<Frame> {
    await until("a frame", () => this.frames.length > 0 || this.end !== undefined);
    const frame = this.frames.shift();
    if (frame === undefined) throw new Error(`The link ended: ${JSON.stringify(this.end)}`);
    return frame;
  }

  /** The next frame, which is text. */
  async nextText(): Promise<Record<string, unknown>> {
    const frame = await this.next();
    if (typeof frame !== "string") throw new Error("A data frame came in place of text");
    return JSON.parse(frame);
  }

  /** Records of the next frame, which is data. */
  async nextRecords(): Promise<Record<string, unknown>[]> {
    const frame = await this.next();
    if (typeof frame === "string") throw new Error(`Text came in place of data: ${frame}`);
    return decodeDataFrame(frame, 2 ** 24).map((record) => JSON.parse(decoder.decode(record)));
  }

  /** The next acknowledgement. */
  async nextAck(): Promise<string> {
    return String((await this.nextText()).last_id);
  }
}

/** What a client of our kind says first. */
export function clientHello(name: string, more: Record<string, unknown> = {}): unknown {
  return {
    instance_name: name,
    role: "client",
    version: "1",
    window: 64,
    max_record_bytes: 1_000_000,
    ...more,
  };
}

/** What an original client says first. */
export function originalHello(name: string, more: Record<string, unknown> = {}): unknown {
  return { instance_name: name, role: "client", version: "1", ...more };
}

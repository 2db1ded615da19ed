import { messageOf } from "../base/mod.ts";
import { ABNORMAL, type Transport, type TransportEvents } from "./transport.ts";

/** Longest event that is put together; the gateway's frames are far shorter. */
const MAX_EVENT_CHARS = 16 * 1024 * 1024;
/** Frames that one request brings. */
const MAX_FRAMES = 64;

/**
 * Opens a stream of server-sent events for what arrives, and posts what is sent: one request at a
 * time, so that frames keep their order, with all that has gathered meanwhile.
 */
export function openSse(fetcher: typeof fetch, url: URL, events: TransportEvents): Transport {
  const ending = new AbortController();
  const { signal } = ending;
  const stream = new URL(url);
  stream.pathname = stream.pathname.replace(/\/$/, "") + "/sse";
  const inbound = new URL(stream);
  const waiting: string[] = [];
  let posting = false;
  const end = (code: number, reason: string) => {
    if (signal.aborted) return;
    ending.abort();
    events.closed(code, reason);
  };
  const fail = (error: unknown) => end(ABNORMAL, messageOf(error));

  const post = async () => {
    posting = true;
    while (waiting.length > 0 && !signal.aborted) {
      const frames = waiting.splice(0, MAX_FRAMES);
      const response = await fetcher(inbound, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: frames.length === 1 ? frames[0]! : `[${frames.join()}]`,
        signal,
      });
      await response.body?.cancel();
      if (!response.ok) return end(ABNORMAL, `the gateway answered ${response.status}`);
    }
    posting = false;
  };

  const read = async () => {
    const response = await fetcher(stream, { headers: { accept: "text/event-stream" }, signal });
    if (!response.ok || !response.headers.get("content-type")?.includes("text/event-stream")) {
      await response.body?.cancel();
      return end(ABNORMAL, `the gateway answered ${response.status}`);
    }
    for await (const { name, data } of serverSentEvents(response.body!)) {
      if (signal.aborted) return;
      if (name === "open") {
        inbound.searchParams.set("key", JSON.parse(data).key);
        events.opened();
      } else if (name === "close") {
        const { code, reason } = JSON.parse(data);
        return end(Number(code) || ABNORMAL, String(reason));
      } else {
        events.frame(data);
      }
    }
    end(ABNORMAL, "the stream ended");
  };

  read().catch(fail);
  return {
    send(frame) {
      waiting.push(frame as string);
      if (!posting) post().catch(fail);
    },
    // The gateway sees that the stream is gone.
    close: () => ending.abort(),
  };
}

/** One event of a stream. */
export interface ServerSentEvent {
  /** Its name; empty when it has none. */
  readonly name: string;
  readonly data: string;
}

/**
 * Reads the events of a stream.
 *
 * @throws {RangeError} When one is too long.
 */
export async function* serverSentEvents(
  stream: ReadableStream<Uint8Array>,
): AsyncGenerator<ServerSentEvent> {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  let name = "";
  let data: string[] = [];
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const lines = (rest + decoder.decode(value, { stream: true })).split(/\r?\n/);
      rest = lines.pop()!;
      if (rest.length > MAX_EVENT_CHARS) throw new RangeError("an event is too long");
      for (const line of lines) {
        if (line === "") {
          if (data.length > 0) yield { name, data: data.join("\n") };
          [name, data] = ["", []];
        } else {
          const [, field, content = ""] = /^([^:]*):? ?(.*)$/s.exec(line)!;
          if (field === "event") name = content;
          else if (field === "data") data.push(content);
        }
      }
    }
  } finally {
    // Not awaited: a stream that hangs must not hold up its end.
    reader.cancel().catch(() => {});
  }
}

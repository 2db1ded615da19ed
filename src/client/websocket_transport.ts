import { ABNORMAL, type Transport, type TransportEvents } from "./transport.ts";

/** The part of a WebSocket that is used; the one of browsers, Deno and Node 22, and that of `ws`. */
export interface WebSocketLike {
  /** How binary messages arrive. */
  binaryType: string;
  /** Called when it opens. */
  onopen: ((event: never) => void) | null;
  /** Called for each message. */
  onmessage: ((event: never) => void) | null;
  /** Called when it is over. */
  onclose: ((event: never) => void) | null;
  /** Called when it fails; a close follows. */
  onerror: ((event: never) => void) | null;
  /** Sends a message. */
  send(data: string | Uint8Array<ArrayBuffer>): void;
  /** Ends it. */
  close(code?: number, reason?: string): void;
}

/** Makes a WebSocket. */
export type WebSocketConstructor = new (url: string, protocols: string[]) => WebSocketLike;

/** Opens a WebSocket. */
export function openWebSocket(
  constructor: WebSocketConstructor,
  url: string,
  subprotocol: string,
  events: TransportEvents,
): Transport {
  const socket = new constructor(url, [subprotocol]);
  socket.binaryType = "arraybuffer";
  let problem = "";
  socket.onopen = () => events.opened();
  socket.onmessage = ({ data }: { data: string | ArrayBuffer }) =>
    events.frame(typeof data === "string" ? data : new Uint8Array(data));
  // Browsers tell nothing here, other runtimes do.
  socket.onerror = ({ message }: { message?: string }) => problem = message ?? "";
  socket.onclose = ({ code, reason }: { code?: number; reason?: string }) =>
    events.closed(code || ABNORMAL, reason || problem);
  return {
    send: (frame) => socket.send(frame),
    close(code, reason) {
      socket.onopen = socket.onmessage = socket.onclose = null;
      // Some runtimes report the end of a socket that never opened as an error.
      socket.onerror = () => {};
      socket.close(code, reason);
    },
  };
}

import { type Clock, formatAddress } from "../base/mod.ts";
import { chooseEncoding, type EncodingName } from "./encoding.ts";
import type { MessageSocket } from "./message_socket.ts";
import { NativeSocket } from "./native_socket.ts";
import { FULL, noEncoding, type Refusal } from "./refusals.ts";

/** What an upgrade asks of its broker. */
export interface UpgradeContext {
  readonly clock: Clock;
  readonly encodings: readonly EncodingName[];
  /** Takes the place of a connection; undefined when there is none. @returns Gives it back. */
  readonly reserve: () => (() => void) | undefined;
  /** Takes a connection. */
  readonly accept: (socket: MessageSocket, encoding: EncodingName) => void;
}

/** Answers a request to an existing `Deno.serve`: with an upgrade, or with why there is none. */
export function upgrade(
  request: Request,
  remote: Deno.Addr | undefined,
  { accept, clock, encodings, reserve }: UpgradeContext,
): Response {
  if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
    return new Response(null, { status: 426, headers: { upgrade: "websocket" } });
  }
  const choice = chooseEncoding(request.headers.get("sec-websocket-protocol"), encodings);
  if (choice === undefined) return refusal(noEncoding(encodings));
  const release = reserve();
  if (release === undefined) return refusal(FULL);
  try {
    // The broker's own heartbeat finds out who is gone.
    const { socket, response } = Deno.upgradeWebSocket(request, { idleTimeout: 0 });
    // Its own `protocol` option finds nothing in a list of offers without spaces.
    response.headers.set("sec-websocket-protocol", choice.protocol);
    socket.binaryType = "arraybuffer";
    // One that never opens gives its place back.
    socket.onclose = release;
    socket.onerror = release;
    socket.onopen = () => {
      release();
      const peer = { name: undefined, address: addressOf(remote) };
      accept(new NativeSocket(socket, peer, clock), choice.encoding);
    };
    return response;
  } catch {
    release();
    return refusal({ status: 400, reason: "This is no request for a WebSocket" });
  }
}

function refusal({ status, reason }: Refusal): Response {
  return new Response(`${reason}\n`, { status });
}

function addressOf(remote: Deno.Addr | undefined): string {
  if (remote === undefined || !("hostname" in remote)) return "";
  return formatAddress({ host: remote.hostname, port: remote.port });
}

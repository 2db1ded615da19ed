/**
 * The limit of a client: a WebSocket with mutual TLS that acknowledges each frame.
 *
 * `bare_receiver.ts CERTIFICATES SENDER`
 */
// @ts-types="@types/ws"
import { WebSocket } from "ws";
import { readCertificates } from "./certificates.ts";
import { serveReceiver } from "./roles.ts";

const ACK = JSON.stringify({ last_id: crypto.randomUUID() });
const STAMP_BYTES = 8;

const [certificates, addr] = Deno.args;
await serveReceiver((stopwatch) => {
  const socket = new WebSocket(`wss://${addr}/`, {
    ...readCertificates(certificates!, "client"),
    perMessageDeflate: false,
    minVersion: "TLSv1.3",
  });
  socket.on("message", (data: Uint8Array) => {
    const isStamp = data.length === STAMP_BYTES;
    stopwatch.receive(
      isStamp ? new DataView(data.buffer, data.byteOffset).getFloat64(0, true) : undefined,
    );
    socket.send(ACK);
  });
  return new Promise((resolve, reject) => {
    socket.on("open", () => resolve(() => Promise.resolve(socket.terminate())));
    socket.on("error", reject);
  });
});

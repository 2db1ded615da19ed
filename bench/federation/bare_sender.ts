/**
 * The limit of a hub: a WebSocket server with mutual TLS that sends bytes, with as many frames
 * unacknowledged as a hub has.
 *
 * `bare_sender.ts CERTIFICATES FRAME_BYTES WINDOW`
 */
// @ts-types="@types/ws"
import { type WebSocket, WebSocketServer } from "ws";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { readCertificates } from "./certificates.ts";
import { serveSender } from "./roles.ts";
import { preciseNow } from "./stopwatch.ts";

const [certificates, frameBytes, window] = Deno.args;
const connected = Promise.withResolvers<WebSocket>();
const server = createServer({
  ...readCertificates(certificates!, "hub"),
  requestCert: true,
  rejectUnauthorized: true,
  minVersion: "TLSv1.3",
});
new WebSocketServer({ server, perMessageDeflate: false }).on("connection", connected.resolve);
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));

await serveSender(`127.0.0.1:${(server.address() as AddressInfo).port}`, {
  async send(count) {
    const socket = await connected.promise;
    const frame = new Uint8Array(Number(frameBytes)).fill(0x20);
    const { promise, resolve } = Promise.withResolvers<void>();
    let sent = 0;
    let acknowledged = 0;
    const pump = (): void => {
      for (; sent < count && sent - acknowledged < Number(window); sent++) socket.send(frame);
    };
    const acknowledge = (): void => {
      if (++acknowledged === count) resolve();
      else pump();
    };
    socket.on("message", acknowledge);
    pump();
    await promise;
    socket.off("message", acknowledge);
    return count * frame.length;
  },
  async stamp() {
    (await connected.promise).send(new Float64Array([preciseNow()]));
  },
});
(await connected.promise).terminate();
server.close();

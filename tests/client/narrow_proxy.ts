import { createServer, request } from "node:http";
import type { Socket } from "node:net";

/** A proxy on the loopback interface. */
export interface NarrowProxy extends AsyncDisposable {
  readonly port: number;
}

/**
 * A proxy that passes requests on, but no WebSockets, as some networks do.
 *
 * @param target Port to pass requests on to.
 * @param how Whether upgrades are refused, or taken and never answered.
 */
export async function withoutWebSockets(
  target: number,
  how: "refused" | "silent",
): Promise<NarrowProxy> {
  const held = new Set<Socket>();
  const server = createServer((incoming, outgoing) => {
    const { method, url, headers } = incoming;
    const onward = request({
      host: "127.0.0.1",
      port: target,
      path: url,
      headers,
      ...(method === undefined ? {} : { method }),
    }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    onward.on("error", () => outgoing.destroy());
    outgoing.on("close", () => onward.destroy());
    incoming.pipe(onward);
  });
  server.on("upgrade", (_request, socket: Socket) => {
    held.add(socket);
    socket.on("error", () => {});
    if (how === "refused") socket.end("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as { port: number }).port,
    async [Symbol.asyncDispose]() {
      for (const socket of held) socket.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/**
 * A client that handles what its hub sends.
 *
 * `client.ts DIR CERTIFICATES HUB`
 */
import { CHANNEL, openMessenger } from "../lib/workload.ts";
import { certificateFiles } from "./certificates.ts";
import { serveReceiver } from "./roles.ts";

const POLL_MS = 5;

const [dir, certificates, addr] = Deno.args;
await serveReceiver(async (stopwatch) => {
  const messenger = await openMessenger(dir!, { offsetFlushIntervalMs: 200 }, {
    name: "client",
    // It has nothing to publish; an empty list would mean every channel.
    client: {
      enabled: true,
      hubs: [{ addr: addr!, subscribe: [CHANNEL], publish: ["nothing"] }],
    },
    tls: certificateFiles(certificates!, "client"),
  });
  await messenger.subscribe<{ sentAt?: number }>(CHANNEL, "bench", ({ payload }) => {
    stopwatch.receive(payload.sentAt);
  });
  while (messenger.stats().hubs?.[0]?.state !== "connected") {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  return () => messenger.close();
});

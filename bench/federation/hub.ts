/**
 * A hub that publishes what it is told to.
 *
 * `hub.ts DIR CERTIFICATES`
 */
import { CHANNEL, openMessenger, PAYLOAD, PAYLOAD_TYPE } from "../lib/workload.ts";
import { certificateFiles } from "./certificates.ts";
import { serveSender } from "./roles.ts";
import { preciseNow } from "./stopwatch.ts";

const TOGETHER = 256;
/** Makes the record 300 bytes long. */
const NOTE = "two panes, one open";

const [dir, certificates] = Deno.args;
await using messenger = await openMessenger(dir!, {}, {
  name: "hub",
  hub: { enabled: true, listenAddr: "127.0.0.1:0", allowedPeers: [{ name: "client" }] },
  tls: certificateFiles(certificates!, "hub"),
});
await serveSender(messenger.hubAddr, {
  async send(count) {
    const payload = { ...PAYLOAD, note: NOTE };
    const end = () => messenger.stats().channels.find(({ channel }) => channel === CHANNEL)?.end;
    const before = end() ?? 0;
    for (let sent = 0; sent < count;) {
      const pending: Promise<unknown>[] = [];
      for (; pending.length < TOGETHER && sent < count; sent++) {
        pending.push(messenger.publish(CHANNEL, PAYLOAD_TYPE, payload));
      }
      await Promise.all(pending);
    }
    return end()! - before;
  },
  stamp: () => messenger.publish(CHANNEL, PAYLOAD_TYPE, { ...PAYLOAD, sentAt: preciseNow() }),
});

// Publishes through the gateway's broker on a messenger until it is killed. Arguments: data directory,
// sync policy.
import { Messenger, silentLogger, type SyncPolicy } from "@keyop/messenger";
import { MessengerBroker } from "../../../src/gateway/broker/mod.ts";
import { makeJsonEvent } from "../../../src/gateway/event.ts";
import { say } from "./say.ts";

const [dataDir, syncPolicy] = Deno.args;
const messenger = await Messenger.open(
  { name: "pi", storage: { dataDir: dataDir!, syncPolicy: syncPolicy as SyncPolicy } },
  { logger: silentLogger },
);
const broker = new MessengerBroker(messenger);
await broker.start({ publication() {}, presence() {} });
say("ready");
const kept = await broker.history("a", { limit: 1, reverse: true });
const last = kept.publications[0];
let n = last === undefined ? 0 : JSON.parse(new TextDecoder().decode(last.event.data)) + 1;
for (;;) {
  await Promise.all(Array.from({ length: 5 }, async () => {
    const own = n++;
    const { position } = await broker.publish("a", makeJsonEvent(own, { type: "number" }));
    say(`ack ${own} ${position.offset} ${position.epoch}`);
  }));
}

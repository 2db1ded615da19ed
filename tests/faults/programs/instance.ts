// Opens a messenger from a configuration file, says where its hub listens, and, when a channel is
// given, publishes to it until it is killed: `ack N` is said once the publish of N has settled.
import { Messenger } from "../../../mod.ts";

const [config, channel, pauseMs] = Deno.args;
const messenger = await Messenger.open(config!);
console.log(`open ${messenger.hubAddr}`);

for (let n = 0; channel !== undefined;) {
  const published = [];
  for (let count = 1 + n % 7; count > 0; count--) {
    const number = n++;
    const publishing = messenger.publish(channel, "com.example.Number", number);
    published.push(publishing.then(() => console.log(`ack ${number}`)));
  }
  await Promise.all(published);
  await new Promise((resolve) => setTimeout(resolve, Number(pauseMs)));
}

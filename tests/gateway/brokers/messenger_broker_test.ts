import { Messenger, silentLogger } from "@keyop/messenger";
import { MessengerBroker } from "../../../src/gateway/broker/mod.ts";
import { tempDir } from "../../helpers/temp.ts";
import { testBroker } from "./suite.ts";

testBroker({
  name: "messenger",
  can: { dense: false, anyName: false, shared: false, durable: true },
  async bed() {
    const dir = await tempDir();
    const open = () =>
      Messenger.open({ name: "pi", storage: { dataDir: dir.path } }, { logger: silentLogger });
    let messenger = await open();
    let last: MessengerBroker | undefined;
    return {
      async make() {
        // After a broker was closed, the next one is of another life of the process.
        if (last?.ready === false) {
          await messenger.close();
          messenger = await open();
        }
        return last = new MessengerBroker(messenger);
      },
      async [Symbol.asyncDispose]() {
        await messenger.close();
        await dir[Symbol.asyncDispose]();
      },
    };
  },
});

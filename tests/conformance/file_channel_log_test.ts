import { FileChannelLogs, type SyncPolicy } from "../../src/storage/mod.ts";
import { tempDir } from "../helpers/temp.ts";
import { testChannelLog } from "./channel_log_suite.ts";

for (const syncPolicy of ["always", "periodic", "none"] satisfies SyncPolicy[]) {
  testChannelLog({
    name: `file log, sync ${syncPolicy}`,
    abilities: { durable: true, bytePositions: true },
    async place() {
      const dir = await tempDir();
      return {
        open: () => new FileChannelLogs(dir.path, { syncPolicy }),
        [Symbol.asyncDispose]: () => dir[Symbol.asyncDispose](),
      };
    },
  });
}

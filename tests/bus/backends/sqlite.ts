import { type BusOptions, SqliteBus } from "@keyop/messenger/bus";
import { tempDir } from "../../helpers/temp.ts";
import type { BusBackend } from "../suite.ts";

/** Buses with connections of their own to one file. */
export const sqliteBackend: BusBackend = {
  name: "sqlite",
  abilities: {
    knowsServers: false,
    keepsRequests: true,
    keepsMessages: true,
    dropsMessages: false,
    reachesProcesses: true,
  },
  notes: {
    knowsServers: "a request waits for a server until its time is up",
    dropsMessages:
      "a slow reader falls behind and loses nothing that is younger than the retention",
  },
  async place() {
    const dir = await tempDir();
    const path = `${dir.path}/bus.db`;
    return {
      open: (options?: BusOptions) => SqliteBus.open(path, options),
      processUrl: () => Promise.resolve(`sqlite:${path}`),
      [Symbol.asyncDispose]: () => dir[Symbol.asyncDispose](),
    };
  },
};

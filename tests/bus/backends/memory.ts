import { InMemoryBus } from "@keyop/messenger/bus";
import type { BusBackend } from "../suite.ts";

let places = 0;

/** Buses of one name, inside this process. */
export const memoryBackend: BusBackend = {
  name: "memory",
  abilities: {
    knowsServers: true,
    keepsRequests: false,
    keepsMessages: false,
    dropsMessages: true,
    reachesProcesses: false,
  },
  notes: {
    keepsRequests: "a request that nobody serves fails at once with NoResponderError",
    keepsMessages:
      "a reader is at most 1,024 messages behind; more are dropped, counted and logged",
    reachesProcesses: "a memory bus lives in one process",
  },
  place() {
    const name = `test-${++places}`;
    return Promise.resolve({
      open: (options) => Promise.resolve(new InMemoryBus({ ...options, name })),
      processUrl: () => Promise.reject(new Error("a memory bus has no URL for other processes")),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    });
  },
};

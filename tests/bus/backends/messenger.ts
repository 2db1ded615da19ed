import { MessengerBus } from "@keyop/messenger/bus";
import { TestMessenger } from "../../helpers/test_messenger.ts";
import type { BusBackend } from "../suite.ts";

/** Buses over one messenger. */
export const messengerBackend: BusBackend = {
  name: "messenger",
  abilities: {
    knowsServers: false,
    keepsRequests: true,
    keepsMessages: true,
    dropsMessages: false,
    reachesProcesses: false,
  },
  notes: {
    knowsServers: "a request that nobody serves waits for a server until its time is up",
    dropsMessages: "a slow reader falls behind and loses nothing",
    reachesProcesses:
      "a data directory belongs to one process; others take part as instances that exchange the channels",
  },
  async place() {
    const opened = await TestMessenger.open();
    return {
      open: (options) => Promise.resolve(new MessengerBus(opened.messenger, options)),
      processUrl: () => Promise.reject(new Error("a data directory belongs to one process")),
      [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
    };
  },
};

import { NatsBus } from "@keyop/messenger/bus";
import { NatsServer } from "../../helpers/nats_server.ts";
import { SharedServer } from "../../helpers/shared_server.ts";
import type { BusBackend } from "../suite.ts";

const servers = new SharedServer(() => NatsServer.start());

/** Buses over a real NATS server. */
export const natsBackend: BusBackend = {
  name: "nats",
  abilities: {
    knowsServers: true,
    keepsRequests: false,
    keepsMessages: false,
    dropsMessages: true,
    reachesProcesses: true,
  },
  notes: {
    keepsRequests: "a request that nobody serves fails at once with NoResponderError",
    keepsMessages:
      "a reader is at most 1,024 messages behind; more are dropped, counted and logged",
  },
  async place() {
    const { server, release } = await servers.take();
    return {
      open: (options) => NatsBus.connect({ ...options, servers: server.url }),
      processUrl: () => Promise.resolve(server.url),
      [Symbol.asyncDispose]: release,
    };
  },
};

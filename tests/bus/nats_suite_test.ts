import { hasNatsServer } from "../helpers/nats_server.ts";
import { natsBackend } from "./backends/nats.ts";
import { testBus } from "./suite.ts";

if (hasNatsServer) testBus(natsBackend);

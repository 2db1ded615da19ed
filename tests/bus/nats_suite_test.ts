import { natsBackend } from "./backends/nats.ts";
import { testBus } from "./suite.ts";

testBus(natsBackend);

import { messengerBackend } from "./backends/messenger.ts";
import { testBus } from "./suite.ts";

testBus(messengerBackend);

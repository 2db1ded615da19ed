import { memoryBackend } from "./backends/memory.ts";
import { testBus } from "./suite.ts";

testBus(memoryBackend);

import { sqliteBackend } from "./backends/sqlite.ts";
import { testBus } from "./suite.ts";

testBus(sqliteBackend);

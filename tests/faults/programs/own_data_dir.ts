// Opens a data directory, says so, and owns it until its standard input ends.
import { FileChannelLogs } from "../../../src/storage/mod.ts";

const logs = new FileChannelLogs(Deno.args[0]!);
console.log("open");
await Deno.stdin.readable.pipeTo(new WritableStream());
await logs.close();

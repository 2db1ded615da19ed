import { assertEquals } from "@std/assert";
import manifest from "../../deno.json" with { type: "json" };
import { main } from "../../src/cli/main.ts";
import { memoryIo } from "./helpers.ts";

for (const words of [["version"], ["--version"], ["-V"]]) {
  Deno.test(`"${words}" prints the version of the module`, async () => {
    const io = memoryIo();
    assertEquals(await main(words, io), 0);
    assertEquals(io.stdout.text.split("\n")[0], `version: ${manifest.version}`);
  });
}

Deno.test("version prints JSON when asked to", async () => {
  const io = memoryIo();
  await main(["version", "--json"], io);
  assertEquals(JSON.parse(io.stdout.text), {
    version: manifest.version,
    deno: Deno.version.deno,
    system: `${Deno.build.os} ${Deno.build.arch}`,
  });
});

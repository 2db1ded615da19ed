import { assertEquals, assertStringIncludes } from "@std/assert";
import { TestMessenger } from "../helpers/test_messenger.ts";
import { runCli } from "./helpers.ts";

async function filled(): Promise<TestMessenger> {
  const pi = await TestMessenger.open();
  for (const channel of ["readings", "settings"]) {
    for (let n = 0; n < 3; n++) await pi.messenger.publish(channel, "com.example.Number", n);
  }
  return pi;
}

Deno.test("verify says that all is well, also while another process owns the directory", async () => {
  await using pi = await filled();
  const { code, stdout, stderr } = await runCli(["verify", "--data-dir", pi.dataDir]);
  assertEquals([code, stderr], [0, ""]);
  const [titles, readings, settings] = stdout.split("\n").map((line) => line.split(/ {2,}/));
  assertEquals(titles, ["CHANNEL", "SEGMENTS", "SIZE", "RECORDS", "CURSORS", "DAMAGED"]);
  assertEquals([readings![0], readings![3], readings![6]], ["readings", "3", "ok"]);
  assertEquals([settings![0], settings![3], settings![6]], ["settings", "3", "ok"]);
});

Deno.test("verify names what is damaged and ends with 1", async () => {
  await using pi = await filled();
  await pi.messenger.close();
  const path = `${pi.dataDir}/channels/readings/00000000000000000000.jsonl`;
  const text = await Deno.readTextFile(path);
  const second = text.indexOf("\n") + 1;
  const third = text.indexOf("\n", second) + 1;
  await Deno.writeTextFile(path, text.slice(0, second) + "#" + text.slice(second + 1));
  const found = await runCli(["verify", "--data-dir", pi.dataDir]);
  assertEquals([found.code, found.stderr], [1, ""]);
  assertStringIncludes(
    found.stdout,
    `damage: ${path} at position ${second} (${third - second} bytes) is no record: it is not JSON`,
  );
  const json = await runCli(["verify", "readings", "--json", "--data-dir", pi.dataDir]);
  assertEquals(json.code, 1);
  const { channels: [readings, ...others] } = JSON.parse(json.stdout);
  assertEquals(others, []);
  assertEquals(
    [readings.channel, readings.records, readings.damaged_bytes, readings.more_findings],
    [
      "readings",
      2,
      third - second,
      0,
    ],
  );
  assertEquals(readings.findings[0].position, second);
  const { code } = await runCli(["verify", "settings", "--data-dir", pi.dataDir]);
  assertEquals(code, 0);
});

Deno.test("verify of a channel that is not there names the nearest one", async () => {
  await using pi = await filled();
  const { code, stderr } = await runCli(["verify", "reading", "--data-dir", pi.dataDir]);
  assertEquals(code, 1);
  assertStringIncludes(stderr, 'there is no channel "reading"');
  assertStringIncludes(stderr, '"readings"');
});

import { assert, assertEquals } from "@std/assert";
import { lines } from "../../examples/demo/events.ts";

Deno.test("the dashboard's program says where the page is, serves it, and ends in order", async () => {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "examples/dashboard/main.ts", "0"],
    stdout: "piped",
    stderr: "inherit",
    env: { NO_COLOR: "1" },
  }).spawn();
  const told = lines(child.stdout);
  let url: string | undefined;
  let gateway = 0;
  while (url === undefined || gateway === 0) {
    const { value, done } = await told.next();
    if (done) throw new Error("the program ended");
    url = /http:\/\/127\.0\.0\.1:\d+/.exec(value)?.[0] ?? url;
    gateway = Number(/kill -9 (\d+)/.exec(value)?.[1] ?? gateway);
  }
  const page = await fetch(url);
  const html = await page.text();
  assert(html.includes(`data-gateway="ws://127.0.0.1:`), html);
  const policy = page.headers.get("content-security-policy")!;
  // Nothing is taken from other hosts.
  for (const host of policy.match(/\w+:\/\/[^/\s;]+/g)!) assert(host.includes("//127.0.0.1:"));
  for (const [path, type] of [["/page.js", "text/javascript"], ["/page.css", "text/css"]]) {
    const asset = await fetch(url + path);
    assert(asset.headers.get("content-type")!.startsWith(type!));
    assert((await asset.text()).length > 1_000);
  }
  const missing = await fetch(`${url}/secret`);
  assertEquals([missing.status, await missing.text()], [404, "There is no such page."]);
  child.kill("SIGTERM");
  await told.return(undefined);
  assertEquals((await child.status).code, 0);
  // Nothing that it started outlives it.
  let isAlive = true;
  try {
    Deno.kill(gateway, "SIGCONT");
  } catch {
    isAlive = false;
  }
  assertEquals(isAlive, false);
});

Deno.test("the dashboard's program refuses what is no port", async () => {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "examples/dashboard/main.ts", "80480"],
  }).output();
  assertEquals(code, 2);
  assert(new TextDecoder().decode(stderr).includes("80480 is no port"));
});

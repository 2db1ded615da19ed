import { join } from "node:path";
import { testGateway } from "../gateway/helpers/gateway.ts";
import { tempDir } from "../helpers/temp.ts";
import { bundle } from "./bundle.ts";
import { assertEverywhere } from "./expected.ts";

const version = await nodeVersion();
if (version === undefined) {
  console.log("skipped: the client in Node, because node is not installed");
}

const SCRIPT = `
import { everywhere } from "./everywhere.mjs";
const [url, options] = process.argv.slice(2);
const result = await everywhere({ url, ...JSON.parse(options) }, async (session) => {
  await fetch(process.env.BREAK + "?session=" + session);
});
console.log(JSON.stringify(result));
`;

const WAYS = [
  { flags: ["--experimental-websocket"], options: {}, transport: "websocket" },
  { flags: ["--experimental-websocket"], options: { protobuf: true }, transport: "websocket" },
  // Up to Node 21 there is no WebSocket without the flag.
  { flags: ["--no-experimental-websocket"], options: {}, transport: "sse" },
];

for (const { flags, options, transport } of WAYS) {
  const what = `${transport} and ${"protobuf" in options ? "protobuf" : "JSON"}`;
  Deno.test({
    name: `in Node, over ${what}, the client loses nothing`,
    ignore: version === undefined,
    async fn() {
      await using running = await testGateway();
      await using dir = await tempDir();
      await using breaker = Deno.serve(
        { hostname: "127.0.0.1", port: 0, onListen() {} },
        (request) => {
          const session = new URL(request.url).searchParams.get("session")!;
          running.hub.admin.disconnect([session], 3511, "");
          return new Response("done");
        },
      );
      const script = await bundle("tests/client/everywhere.ts");
      await Deno.writeTextFile(join(dir.path, "everywhere.mjs"), script);
      await Deno.writeTextFile(join(dir.path, "main.mjs"), SCRIPT);
      const { success, stdout, stderr } = await new Deno.Command("node", {
        args: [...flags, "main.mjs", running.url, JSON.stringify(options)],
        cwd: dir.path,
        env: { BREAK: `http://127.0.0.1:${breaker.addr.port}/` },
        stdout: "piped",
        stderr: "piped",
      }).output();
      if (!success) throw new Error(new TextDecoder().decode(stderr));
      assertEverywhere(JSON.parse(new TextDecoder().decode(stdout)), transport);
    },
  });
}

async function nodeVersion(): Promise<string | undefined> {
  try {
    const { stdout } = await new Deno.Command("node", { args: ["--version"] }).output();
    return new TextDecoder().decode(stdout).trim();
  } catch {
    return undefined;
  }
}

// The gateway as a user runs it: a configuration file, the command line, clients, signals.
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { TestClient } from "../gateway/helpers/client.ts";
import { GrpcTestClient } from "../gateway/helpers/grpc_client.ts";
import { tempDir } from "../helpers/temp.ts";
import { RunningProgram } from "./running_program.ts";

const CLI = join(import.meta.dirname!, "..", "..", "cli.ts");
// What `keyop-messenger gateway --help` names.
const PERMISSIONS = ["--allow-net", "--allow-read", "--allow-env", "--allow-sys"];

const CONFIG = `
server:
  http: {addr: "127.0.0.1:0"}
transport:
  websocket: {addr: "127.0.0.1:0"}
  grpc: {addr: "127.0.0.1:0"}
admin:
  addr: "127.0.0.1:0"
  auth_token: a token of the admin's
security:
  tokens:
    - {token: alice's token, user: alice}
  rules:
    - {channels: ["room.*"], allow: [subscribe, publish]}
`;

function start(cwd: string, words: readonly string[]): RunningProgram {
  return new RunningProgram(["run", "--no-prompt", ...PERMISSIONS, CLI, "gateway", ...words], {
    cwd,
  });
}

async function addressOf(program: RunningProgram, server: string): Promise<string> {
  const line = await program.line(new RegExp(`^${server} listens on `));
  return line.split(" ").at(-1)!;
}

for (const signal of ["SIGTERM", "SIGINT", "SIGQUIT"] as const) {
  Deno.test({
    name: `a gateway starts, serves clients, and ends cleanly at ${signal}`,
    ignore: Deno.build.os === "windows",
    async fn() {
      await using dir = await tempDir();
      await Deno.writeTextFile(`${dir.path}/config.yaml`, CONFIG);
      await using program = start(dir.path, ["--log-level", "warn"]);
      await program.line(/^ready$/);
      const url = `ws://${await addressOf(program, "websocket")}/ws`;
      const connect = { client_id: "c", token: "alice's token" };
      await using client = await TestClient.connected(url, connect);
      await using stream = await GrpcTestClient.connected(
        await addressOf(program, "grpc"),
        connect,
      );
      await client.subscribe("room.a");
      await stream.ask({ id: "p", channel: "room.a", publish: { type: "t", text_data: "x" } });
      assertEquals((await client.next()).publication.messages[0].channel, "room.a");
      const refused = await stream.ask({ id: "q", channel: "b", publish: { type: "t" } });
      assertEquals(refused.error.code, "PERMISSION_DENIED");
      const http = await addressOf(program, "http");
      assertEquals((await (await fetch(`http://${http}/health`)).json()).status, "ok");

      program.signal(signal);
      assertEquals(await client.ended, { code: 3000, reason: "connection closed" });
      assertEquals((await stream.ended).code, 0);
      const { code } = await program.ended;
      assertEquals([code, program.errors], [0, []], program.output);
    },
  });
}

Deno.test("a bad configuration is one error that lists every problem with its path", async () => {
  await using dir = await tempDir();
  await Deno.writeTextFile(
    `${dir.path}/bad.yaml`,
    "transport:\n  websocket:\n    adr: ':1'\n  grpc: {addr: nowhere}\nbroker: {type: memroy}\n" +
      "server: {rpc_timeout: soon}\n",
  );
  await using program = start(dir.path, ["--config", "bad.yaml"]);
  const { code } = await program.ended;
  assertEquals(code, 1);
  assertEquals(program.lines, []);
  const text = program.errors.join("\n");
  assertStringIncludes(text, "keyop-messenger: bad.yaml has 5 problems:");
  for (
    const path of [
      "server.rpc_timeout",
      "server.require_auth",
      "transport.websocket.adr",
      "transport.grpc.addr",
      "broker.type",
    ]
  ) assertStringIncludes(text, `  ${path}: `);
  assert(!text.includes("at "), "no stack");
});

Deno.test("the file is config.yaml of the working directory, or of --config-dir", async () => {
  await using dir = await tempDir();
  await using missing = start(dir.path, []);
  assertEquals((await missing.ended).code, 1);
  assertStringIncludes(missing.errors.join("\n"), "config.yaml has 1 problem: cannot be read");
  await Deno.mkdir(`${dir.path}/etc`);
  await Deno.writeTextFile(`${dir.path}/etc/config.yaml`, CONFIG);
  await using program = start(dir.path, ["--config-dir", "etc", "--json"]);
  const line = JSON.parse(await program.line(/^\{/));
  for (const server of ["websocket", "grpc", "admin", "http"]) {
    assertMatch(line[server], /^127\.0\.0\.1:\d+$/);
  }
  program.signal("SIGTERM");
  assertEquals((await program.ended).code, 0);
});

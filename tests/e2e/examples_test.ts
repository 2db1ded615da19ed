import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { resolve } from "node:path";
import { freePort } from "../../examples/demo/free_port.ts";
import { hasNatsServer, NatsServer } from "../helpers/nats_server.ts";
import { tempDir } from "../helpers/temp.ts";
import { RunningProgram } from "./running_program.ts";

const REPOSITORY = resolve(import.meta.dirname!, "../..");
const EXAMPLES = `${REPOSITORY}/examples`;

Deno.test("the example in one process runs with the permissions in its comment", async () => {
  await using dir = await tempDir();
  const [command] = await commandsOf("one_process.ts");
  const first = await run(command!, dir.path);
  assertEquals(first.lines, ["pi says 21.5 °C, at position 0"]);
  const second = await run(command!, dir.path);
  assertMatch(second.lines[0] ?? "", /^pi says 21.5 °C, at position [1-9]\d*$/);
});

Deno.test("the example in one process needs each of the permissions in its comment", async () => {
  await using dir = await tempDir();
  const [command] = await commandsOf("one_process.ts");
  const flags = command!.filter((word) => word.startsWith("--allow-"));
  assertEquals(flags.length, 2);
  for (const flag of flags) {
    await using program = start(command!.filter((word) => word !== flag), dir.path);
    const { code } = await program.ended;
    assertNotEquals(code, 0, `without ${flag}`);
    const [, kind] = /^--allow-(\w+)=/.exec(flag)!;
    assertMatch(program.output, new RegExp(`Requires ${kind} access to "data`));
  }
});

Deno.test({
  name: "the examples of two hosts and a sensor run with the commands in their comments",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using dir = await tempDir();
    const port = String(freePort());
    await copyConfig(dir.path, port);
    const hubCommands = await commandsOf("hub.ts", port);
    const hubCommand = hubCommands.pop()!;
    for (const keygen of hubCommands) await run(keygen, dir.path);
    const sensorKeygen = hubCommands.at(-1)!.map((word) => word === "client" ? "sensor" : word);
    await run(sensorKeygen, dir.path);
    const [clientCommand] = await commandsOf("client.ts", port);
    const [sensorCommand] = await commandsOf("sensor.ts", port);

    await using hub = start(hubCommand, dir.path);
    await hub.line(new RegExp(`^listening on 127\\.0\\.0\\.1:${port}$`));
    await using client = start(clientCommand!, dir.path);
    await hub.line(/^client has a load of \d/);
    await client.line(/^measuring every 500 ms$/);
    await run(sensorCommand!, dir.path);
    await hub.line(/^sensor has a load of \d/);
    await interrupt(hub);

    await using restarted = start(hubCommand, dir.path);
    await restarted.line(/^client has a load of \d/);
    await interrupt(client);
    await interrupt(restarted);
  },
});

Deno.test("no example asks for every permission", async () => {
  for (const name of ["one_process.ts", "hub.ts", "client.ts", "sensor.ts", "rpc.ts"]) {
    const command = (await commandsOf(name)).at(-1)!;
    assert(command.includes(`${EXAMPLES}/${name}`), command.join(" "));
    for (const word of command) {
      assert(word !== "-A" && word !== "--allow-all", command.join(" "));
      assert(!/^--allow-\w+$/.test(word), `${word} of ${name} names nothing`);
    }
  }
});

Deno.test({
  name: "the example of a request runs over a file and, with one line changed, over NATS",
  ignore: Deno.build.os === "windows" || !hasNatsServer,
  async fn() {
    await using dir = await tempDir();
    const commands = await commandsOf("rpc.ts");
    await askThermostat(commands, dir.path);

    await using server = await NatsServer.start();
    const source = await Deno.readTextFile(`${EXAMPLES}/rpc.ts`);
    const overNats = source.replace(
      /^const BUS = .*$/m,
      `const BUS = ${JSON.stringify(server.url)};`,
    );
    const changed = overNats.split("\n").filter((line) => !source.split("\n").includes(line));
    assertEquals(changed.length, 1);
    await Deno.writeTextFile(`${dir.path}/rpc.ts`, overNats);
    const net = `--allow-net=127.0.0.1:${server.port}`;
    const permissions = [net, "--allow-env"];
    await askThermostat(
      commands.map(([run, ...words]) => [
        run!,
        ...permissions,
        ...words.filter((word) => !word.startsWith("--allow-"))
          .map((word) => word === `${EXAMPLES}/rpc.ts` ? `${dir.path}/rpc.ts` : word),
      ]),
      dir.path,
    );
  },
});

async function askThermostat(
  [serve, ask]: readonly (readonly string[])[],
  cwd: string,
): Promise<void> {
  await using server = start(serve!, cwd);
  await server.line(/^serving thermostat$/);
  const cold = await run(ask!, cwd);
  assertEquals(cold.lines, ["at 19.5 °C the heating is on"]);
  const warm = await run([...ask!.slice(0, -1), "20.5"], cwd);
  assertEquals(warm.lines, ["at 20.5 °C the heating is off"]);
  await interrupt(server);
}

/** The commands in an example's comment, as arguments of Deno, for this checkout and another port. */
async function commandsOf(name: string, port = "7740"): Promise<string[][]> {
  const source = await Deno.readTextFile(`${EXAMPLES}/${name}`);
  const commands = Array.from(source.matchAll(/^ \* deno (run .*)$/gm), ([, words]) => words!);
  assert(commands.length > 0, `${name} has no command in its comment`);
  return commands.map((command) =>
    command.replaceAll("7740", port).split(" ").map((word) => {
      if (word === "jsr:@keyop/messenger/cli") return `${REPOSITORY}/cli.ts`;
      return word === name ? `${EXAMPLES}/${name}` : word;
    })
  );
}

async function copyConfig(path: string, port: string): Promise<void> {
  for (const name of ["hub.yaml", "client.yaml"]) {
    const text = await Deno.readTextFile(`${EXAMPLES}/${name}`);
    await Deno.writeTextFile(`${path}/${name}`, text.replaceAll("7740", port));
  }
}

function start([run, ...words]: readonly string[], cwd: string): RunningProgram {
  return new RunningProgram([run!, "--no-prompt", "--quiet", ...words], { cwd });
}

async function run(command: readonly string[], cwd: string): Promise<RunningProgram> {
  await using program = start(command, cwd);
  const { code } = await program.ended;
  assertEquals(code, 0, `${command.join(" ")}\n${program.output}`);
  return program;
}

async function interrupt(program: RunningProgram): Promise<void> {
  program.signal("SIGINT");
  assertEquals((await program.ended).code, 0, program.output);
}

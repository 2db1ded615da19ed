// The command line as a user has it: processes with exactly the permissions that help names.
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { tempDir } from "../helpers/temp.ts";

const CLI = join(import.meta.dirname!, "..", "..", "cli.ts");
const ENV = "--allow-env=WS_NO_BUFFER_UTIL,WS_NO_UTF_8_VALIDATE";
const OWN = ["--allow-read=data", "--allow-write=data"];
const LOOK = ["--allow-read=data"];
const RUN = ["--allow-read=data,pi.yaml", "--allow-write=data"];
const WINDOWS = Deno.build.os === "windows";

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function command(
  cwd: string,
  permissions: readonly string[],
  words: readonly string[],
): Deno.CommandOptions {
  return {
    args: ["run", "--no-prompt", ...permissions, CLI, ...words],
    cwd,
    stdout: "piped",
    stderr: "piped",
  };
}

/** Runs the command line in a folder until it ends. */
async function cli(
  cwd: string,
  permissions: readonly string[],
  words: readonly string[],
  input = "",
): Promise<Outcome> {
  const child = new Deno.Command(Deno.execPath(), {
    ...command(cwd, permissions, words),
    stdin: "piped",
  }).spawn();
  const fed = new Blob([input]).stream().pipeTo(child.stdin).catch(() => {});
  const { code, stdout, stderr } = await child.output();
  await fed;
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** A command that goes on until it is told to end. Disposal kills it. */
class Running implements AsyncDisposable {
  readonly child: Deno.ChildProcess;
  readonly stderr: Promise<string>;
  readonly #reader: ReadableStreamDefaultReader<string>;
  #text = "";

  constructor(cwd: string, permissions: readonly string[], words: readonly string[]) {
    this.child = new Deno.Command(Deno.execPath(), {
      ...command(cwd, permissions, words),
      stdin: "null",
    }).spawn();
    this.stderr = new Response(this.child.stderr).text();
    this.#reader = this.child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** Settles with all that was printed, once it holds a text. */
  async until(text: string): Promise<string> {
    while (!this.#text.includes(text)) {
      const { done, value } = await this.#reader.read();
      if (done) {
        throw new Error(`ended before it printed ${text}: ${this.#text}${await this.stderr}`);
      }
      this.#text += value;
    }
    return this.#text;
  }

  /** Sends a signal. @returns The exit code. */
  async end(signal: Deno.Signal): Promise<number> {
    this.child.kill(signal);
    return (await this.child.status).code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.child.status;
    await this.#reader.cancel();
    await this.stderr;
  }
}

const at = ["--data-dir", "data"];
const named = [...at, "--name", "pi"];

async function writeConfig(dir: string, more = ""): Promise<void> {
  await Deno.writeTextFile(
    join(dir, "pi.yaml"),
    `name: pi\nstorage:\n  data_dir: data\n${more}`,
  );
}

/** Payloads of what `tail` printed. */
const payloadsOf = (stdout: string) =>
  stdout.trimEnd().split("\n").map((line) => JSON.parse(line).payload);

Deno.test("a user publishes from a pipe and looks while an instance owns the directory", async () => {
  await using dir = await tempDir();
  await writeConfig(dir.path);
  const lines = Array.from({ length: 100 }, (_, n) => `${JSON.stringify({ n })}\n`).join("");
  const published = await cli(dir.path, OWN, ["publish", "readings", "-", ...named], lines);
  assertEquals(published, { code: 0, stdout: "published 100 messages\n", stderr: "" });
  await using instance = new Running(dir.path, RUN, ["run", "--config", "pi.yaml"]);
  assertEquals(await instance.until("ready"), "ready as pi\n");
  const tail = await cli(dir.path, LOOK, ["tail", "readings", "--json", "-n", "3", ...at]);
  assertEquals([tail.code, tail.stderr], [0, ""]);
  assertEquals(payloadsOf(tail.stdout), [{ n: 97 }, { n: 98 }, { n: 99 }]);
  const status = await cli(dir.path, LOOK, ["status", "--json", ...at]);
  const report = JSON.parse(status.stdout);
  assertEquals([report.owner_pid, report.channels.length], [instance.child.pid, 1]);
  assertEquals(await instance.end("SIGTERM"), 0);
  assertEquals(await instance.stderr, "");
});

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.test({
    name: `${signal} ends a hub and a subscriber cleanly with exit code 0`,
    ignore: WINDOWS,
    async fn() {
      await using dir = await tempDir();
      await writeConfig(dir.path, 'hub:\n  enabled: true\n  listen_addr: "127.0.0.1:0"\n');
      const net = ["--allow-net=127.0.0.1:0", ENV];
      await using hub = new Running(dir.path, [...RUN, ...net], ["run", "-c", "pi.yaml"]);
      assertMatch(await hub.until("ready"), /^listening on 127\.0\.0\.1:\d+\nready as pi\n$/);
      assertEquals(await hub.end(signal), 0);
      await cli(dir.path, OWN, ["publish", "c", "1", ...named]);
      const words = ["subscribe", "c", "--id", "a", "--from", "start", ...named];
      await using subscriber = new Running(dir.path, OWN, words);
      await subscriber.until(" 1\n");
      assertEquals(await subscriber.end(signal), 0);
      assertEquals(await subscriber.stderr, "");
    },
  });
}

Deno.test("a second owner is refused with the first one's process id", async () => {
  await using dir = await tempDir();
  await writeConfig(dir.path);
  await using instance = new Running(dir.path, RUN, ["run", "-c", "pi.yaml"]);
  await instance.until("ready");
  for (
    const [permissions, words] of [
      [RUN, ["run", "-c", "pi.yaml"]],
      [OWN, ["publish", "c", "1", ...named]],
      [OWN, ["subscribe", "c", "--id", "a", ...named]],
    ] as const
  ) {
    const { code, stdout, stderr } = await cli(dir.path, permissions, words);
    assertEquals([code, stdout], [1, ""]);
    const expected = `keyop-messenger: data directory "data" is owned by process ` +
      `${instance.child.pid}: `;
    assertEquals(stderr.slice(0, expected.length), expected);
    assertEquals(stderr.split("\n").length, 2);
  }
});

Deno.test("a configuration with three mistakes lists three and ends with 1", async () => {
  await using dir = await tempDir();
  await writeConfig(
    dir.path,
    "  sync_policy: sometimes\nhub:\n  enabled: true\nsubscriber:\n  max_retries: 3\n",
  );
  const { code, stdout, stderr } = await cli(dir.path, RUN, ["run", "-c", "pi.yaml"]);
  assertEquals([code, stdout], [1, ""]);
  assertStringIncludes(stderr, "pi.yaml has 3 problems:\n");
  for (const key of ["storage.sync_policy: ", "hub.listen_addr: ", "subscriber: unknown key"]) {
    assertStringIncludes(stderr, `\n  ${key}`);
  }
  assertEquals(stderr.split("\n").length, 5);
});

Deno.test({
  name: "a message whose program keeps failing ends in the dead-letter channel",
  ignore: WINDOWS,
  async fn() {
    await using dir = await tempDir();
    await cli(dir.path, OWN, ["publish", "orders", "-", ...named], '{"id":1}\n{"id":2}\n');
    const options = ["--id", "mailer", "--from", "start", "--count", "1", "--max-retries", "1"];
    const script = 'grep -q \'"id":2\' || { echo "$KEYOP_ATTEMPT" >> attempts; exit 9; }';
    const run = await cli(
      dir.path,
      [...OWN, "--allow-run=sh"],
      ["subscribe", "orders", ...options, ...named, "--exec", "sh", "-c", script],
    );
    assertEquals([run.code, run.stdout], [0, ""]);
    assertEquals(await Deno.readTextFile(join(dir.path, "attempts")), "1\n2\n");
    const tail = await cli(dir.path, LOOK, ["tail", "orders.dead-letter", "--json", ...at]);
    const [{ original, retries, last_error }] = payloadsOf(tail.stdout);
    assertEquals(
      [original.payload, retries, last_error],
      [{ id: 1 }, 1, "sh ended with exit code 9"],
    );
  },
});

Deno.test("after kill -9 nothing is lost, and what was not noted comes again", async () => {
  await using dir = await tempDir();
  const first = Array.from({ length: 20 }, (_, n) => `${n}\n`).join("");
  await cli(dir.path, OWN, ["publish", "c", "-", ...named], first);
  const words = ["subscribe", "c", "--id", "a", "--from", "start", "--json", ...named];
  let seen: number[];
  {
    await using subscriber = new Running(dir.path, OWN, words);
    const text = await subscriber.until('"payload":19');
    await subscriber.end("SIGKILL");
    seen = payloadsOf(text);
  }
  assertEquals(seen, Array.from({ length: 20 }, (_, n) => n));
  // A write that the kill cut short.
  const folder = join(dir.path, "data", "channels", "c");
  const [segment] = [...Deno.readDirSync(folder)];
  await Deno.writeTextFile(join(folder, segment!.name), '{"v":1,"id":"', { append: true });
  const status = await cli(dir.path, LOOK, ["status", ...at]);
  assertStringIncludes(status.stdout, "has 13 B after its last whole record");
  const published = await cli(dir.path, OWN, ["publish", "c", "20", ...named]);
  assertEquals(published.code, 0);
  await using again = new Running(dir.path, OWN, words);
  const text = await again.until('"payload":20');
  const repeated = payloadsOf(text);
  assert(repeated.length <= 2, `at most one message comes again: ${repeated}`);
  assertEquals(repeated.at(-1), 20);
});

Deno.test({
  name: "tail -f ends quietly when its reader has seen enough",
  ignore: WINDOWS,
  async fn() {
    await using dir = await tempDir();
    await cli(dir.path, OWN, ["publish", "c", "-", ...named], "1\n2\n3\n");
    const tail = `"$DENO" run --no-prompt --allow-read=data "$CLI" tail -f c --data-dir data`;
    const pipe = new Deno.Command("sh", {
      args: ["-c", `{ ${tail}; echo "tail ended with $?" >&2; } | head -n 2`],
      cwd: dir.path,
      env: { CLI, DENO: Deno.execPath() },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    let ended = false;
    const outcome = pipe.output().finally(() => ended = true);
    // Nothing tells a program that its reader is gone but the next write.
    while (!ended) await cli(dir.path, OWN, ["publish", "c", "4", ...named]);
    const { stdout, stderr } = await outcome;
    assertMatch(new TextDecoder().decode(stdout), /^[^\n]+ 1\n[^\n]+ 2\n$/);
    assertEquals(new TextDecoder().decode(stderr), "tail ended with 0\n");
  },
});

Deno.test("a user publishes straight to a hub, and the instance there has it", async () => {
  await using dir = await tempDir();
  const keys = ["--allow-read=.", "--allow-write=."];
  await cli(dir.path, keys, ["keygen", "ca"]);
  for (const name of ["localhost", "pi"]) {
    const signer = ["--ca", "ca.crt", "--ca-key", "ca.key"];
    await cli(dir.path, keys, ["keygen", "instance", ...signer, "--name", name]);
  }
  await Deno.writeTextFile(
    join(dir.path, "hub.yaml"),
    `storage: { data_dir: data }
tls: { cert: localhost.crt, key: localhost.key, ca: ca.crt }
hub: { enabled: true, listen_addr: "127.0.0.1:0", allowed_peers: [{ name: pi, publish: [c] }] }
`,
  );
  await using hub = new Running(
    dir.path,
    [
      "--allow-read=data,hub.yaml,localhost.crt,localhost.key,ca.crt",
      "--allow-write=data",
      "--allow-net=127.0.0.1:0",
      ENV,
    ],
    ["run", "-c", "hub.yaml"],
  );
  const [, port] = /listening on 127\.0\.0\.1:(\d+)\n/.exec(await hub.until("ready as localhost"))!;
  const addr = `localhost:${port}`;
  const dial = [`--allow-net=${addr}`, "--allow-read=pi.crt,pi.key,ca.crt", ENV];
  const files = ["--cert", "pi.crt", "--key", "pi.key", "--ca", "ca.crt"];
  const one = await cli(dir.path, dial, ["publish", "c", "1", "--hub", addr, ...files, "--json"]);
  assertEquals([one.code, one.stderr], [0, ""]);
  assertEquals(Object.keys(JSON.parse(one.stdout)), ["id"]);
  const many = Array.from({ length: 3_000 }, (_, n) => `${n}\n`).join("");
  const words = ["publish", "c", "-", "--hub", addr, ...files, "--correlation-id", "x"];
  const all = await cli(dir.path, dial, words, many);
  assertEquals(all, { code: 0, stdout: "published 3000 messages\n", stderr: "" });
  const tail = await cli(dir.path, LOOK, ["tail", "c", "--json", "-n", "3001", ...at]);
  assertEquals(payloadsOf(tail.stdout), [1, ...Array.from({ length: 3_000 }, (_, n) => n)]);
  assertEquals(JSON.parse(tail.stdout.split("\n")[1]!).origin, "pi");
  await hub.end("SIGTERM");
  const gone = await cli(dir.path, dial, ["publish", "c", "1", "--hub", addr, ...files]);
  assertEquals([gone.code, gone.stdout], [1, ""]);
  assertMatch(gone.stderr, /^keyop-messenger: Cannot connect to hub localhost:\d+: [^\n]+\n$/);
});

Deno.test("a missing permission is one line that names its flag", async () => {
  await using dir = await tempDir();
  await writeConfig(dir.path);
  await cli(dir.path, OWN, ["publish", "c", "1", ...named]);
  const none: readonly string[] = [];
  for (
    const [permissions, words, flag] of [
      [none, ["publish", "c", "1", ...named], "--allow-(read|write)"],
      [LOOK, ["publish", "c", "1", ...named], "--allow-write"],
      [OWN, ["publish", "c", "1", ...at], "--allow-sys=hostname"],
      [OWN, ["publish", "c", "1", "--hub", "localhost:1", "--name", "pi"], "--allow-env"],
      [none, ["tail", "c", ...at], "--allow-read"],
      [none, ["status", ...at], "--allow-read"],
      [none, ["run", "-c", "pi.yaml"], "--allow-read"],
      [
        OWN,
        ["subscribe", "c", "--id", "a", "--from", "start", ...named, "--exec", "cat"],
        "--allow-run=cat",
      ],
    ] as const
  ) {
    const { code, stdout, stderr } = await cli(dir.path, permissions, words);
    assertEquals([code, stdout], [1, ""], words.join(" "));
    assertMatch(stderr, new RegExp(`^keyop-messenger: [^\n]*${flag}[^\n]*\n$`), words.join(" "));
  }
});

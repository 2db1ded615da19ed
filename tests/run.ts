/**
 * Runs the tests, each room's under exactly the permission that the room may have, and ends with one
 * line that says how many passed and failed.
 *
 * `deno run -A tests/run.ts [--faults] [suite ...]`
 */
interface Suite {
  readonly name: string;
  /** Files and folders below the repository. */
  readonly paths: readonly string[];
  /** A permission set of deno.json, or flags. */
  readonly permissions: string | readonly string[];
  /** Whether the examples in doc comments run as well. */
  readonly doc?: boolean;
  /** How long it may take. @default {SUITE_LIMIT_MS} */
  readonly limitMs?: number;
}

/** What a broker needs: loopback, and what the WebSocket library reads. */
const BROKER = [
  "--allow-net=127.0.0.1,localhost",
  "--allow-env=WS_NO_BUFFER_UTIL,WS_NO_UTF_8_VALIDATE",
];

const SUITES: readonly Suite[] = [
  { name: "house", paths: ["tests/house"], permissions: ["--allow-read=src"] },
  { name: "envelope", paths: ["tests/envelope"], permissions: "nothing" },
  { name: "registry", paths: ["tests/registry"], permissions: "nothing" },
  { name: "dedup", paths: ["tests/dedup"], permissions: "nothing" },
  { name: "config", paths: ["tests/config"], permissions: "data" },
  { name: "broker", paths: ["tests/broker"], permissions: BROKER },
  { name: "pipes", paths: ["tests/pipes"], permissions: "nothing" },
  { name: "storage", paths: ["tests/storage"], permissions: "storage" },
  { name: "audit", paths: ["tests/audit"], permissions: "data" },
  { name: "tls", paths: ["tests/tls"], permissions: ["-A"] },
  { name: "federation", paths: ["tests/federation"], permissions: ["-A"] },
  { name: "messenger", paths: ["tests/messenger"], permissions: ["-A"] },
  { name: "gateway", paths: ["tests/gateway"], permissions: ["-A"], limitMs: 600_000 },
  { name: "client", paths: ["tests/client"], permissions: ["-A"] },
  { name: "bus", paths: ["tests/bus"], permissions: ["-A"], limitMs: 600_000 },
  { name: "cli", paths: ["tests/cli"], permissions: ["-A"] },
  { name: "conformance", paths: ["tests/conformance"], permissions: ["-A"] },
  { name: "bench", paths: ["tests/bench"], permissions: ["-A"] },
  { name: "interop", paths: ["tests/interop"], permissions: ["-A"] },
  { name: "faults", paths: ["tests/faults"], permissions: ["-A"] },
  { name: "e2e", paths: ["tests/e2e"], permissions: ["-A"] },
  { name: "browser", paths: ["tests/browser"], permissions: ["-A"] },
  {
    name: "examples in docs",
    paths: ["README.md", "mod.ts", "pipes.ts", "bus.ts", "gateway.ts", "src"],
    permissions: ["-A"],
    doc: true,
  },
];

const SUITE_LIMIT_MS = 300_000;

interface Result {
  readonly passed: number;
  readonly failed: number;
  readonly ignored: number;
}

const SUMMARY =
  /(\d+) passed(?: \(\d+ steps?\))? \| (\d+) failed(?: \(\d+ steps?\))?(?: \| (\d+) ignored)?/;
// deno-lint-ignore no-control-regex -- colours begin with it
const COLOUR = /\x1b\[[0-9;]*m/g;

const wanted = Deno.args.filter((arg) => !arg.startsWith("-"));
const unknown = wanted.filter((name) => !SUITES.some((suite) => suite.name === name));
if (unknown.length > 0) {
  console.error(
    `no suite ${unknown.join(", ")}; there are ${SUITES.map(({ name }) => name).join(", ")}`,
  );
  Deno.exit(2);
}

let passed = 0;
let failed = 0;
let ignored = 0;
for (const suite of SUITES) {
  if (wanted.length > 0 && !wanted.includes(suite.name)) continue;
  const began = performance.now();
  const result = await run(suite);
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  passed += result.passed;
  failed += result.failed;
  ignored += result.ignored;
  console.log(
    `${suite.name.padEnd(18)} ${String(result.passed).padStart(5)} passed ` +
      `${String(result.failed).padStart(3)} failed ${
        String(result.ignored).padStart(3)
      } skipped  ${seconds} s`,
  );
}
console.log(`\n${passed} passed, ${failed} failed, ${ignored} skipped`);
Deno.exit(failed > 0 || passed === 0 ? 1 : 0);

/**
 * An assertion of the runtime's own HTTP/2 library that now and then ends the whole process while
 * connections close. No test has failed then, and none behind it has run: the suite runs once more.
 */
const RUNTIME_ABORT = "nghttp2_session.c";

async function run(suite: Suite, isSecond = false): Promise<Result> {
  const paths = suite.paths.filter(exists);
  if (paths.length === 0) return { passed: 0, failed: 0, ignored: 0 };
  const permissions = typeof suite.permissions === "string"
    ? [`-P=${suite.permissions}`]
    : suite.permissions;
  const command = new Deno.Command(Deno.execPath(), {
    args: [
      "test",
      "--quiet",
      "--no-prompt",
      ...(suite.doc ? ["--doc", "--permit-no-files"] : []),
      ...permissions,
      ...paths,
    ],
    env: { NO_COLOR: "1" },
    stdout: "piped",
    stderr: "piped",
  });
  const child = command.spawn();
  // A test that hangs must not hold up the others for ever.
  const limit = setTimeout(() => child.kill("SIGKILL"), suite.limitMs ?? SUITE_LIMIT_MS);
  const { code, stdout, stderr } = await child.output();
  clearTimeout(limit);
  const output = new TextDecoder().decode(stdout).replace(COLOUR, "");
  const summary = SUMMARY.exec(output);
  const result = {
    passed: Number(summary?.[1] ?? 0),
    failed: Number(summary?.[2] ?? 0),
    ignored: Number(summary?.[3] ?? 0),
  };
  const complaints = new TextDecoder().decode(stderr);
  if (summary === null && !isSecond && (complaints + output).includes(RUNTIME_ABORT)) {
    console.log(`${suite.name}: the runtime aborted in its HTTP/2 library; running it once more`);
    return await run(suite, true);
  }
  if (code !== 0) {
    console.log(output.slice(-20_000));
    console.log(complaints.slice(-10_000));
  }
  for (const line of output.split("\n")) if (line.includes("skipped:")) console.log(line.trim());
  // A run that ended before its summary, such as one that does not compile, is a failure as well.
  return code !== 0 && result.failed === 0 ? { ...result, failed: 1 } : result;
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

import { assertEquals, assertThrows } from "@std/assert";
import { loadCredentials, watchCredentials } from "../../src/tls/mod.ts";
import { filesOf, issue, makePki, ManualClock, PATHS } from "./helpers.ts";

const clock0 = new ManualClock();
const pki = await makePki("kitchen", { clock: clock0 });
const renewed = await issue(pki.ca, "kitchen", { days: 50, clock: clock0 });

/** A watch over files in memory, and what it has reported. */
async function startWatch(options: { pollMs?: number; onChange?: () => void } = {}) {
  const files = filesOf(pki);
  const clock = new ManualClock();
  const stop = new AbortController();
  const changes: string[] = [];
  const problems: string[] = [];
  let readings = 0;
  const watch = watchCredentials(PATHS, {
    current: await loadCredentials(PATHS, { ...files, clock }),
    onChange(credentials) {
      changes.push(credentials.cert);
      options.onChange?.();
    },
    onError: ({ message }) => void problems.push(message),
    signal: stop.signal,
    clock,
    readFile(path) {
      readings++;
      return files.readFile(path);
    },
    ...(options.pollMs === undefined ? {} : { pollMs: options.pollMs }),
  });
  await watch.check();
  await settled();
  return {
    ...{ watch, files, clock, stop, changes, problems, readings: () => readings },
    /** Lets one poll come due and waits for what it reports. */
    async poll() {
      clock.advance(options.pollMs ?? 10_000);
      await watch.check();
      await settled();
    },
  };
}

/** Lets everything run that waits for nothing but its turn. */
const settled = () => new Promise((resolve) => setTimeout(resolve, 0));

Deno.test("the watch reports new certificates, and says nothing while files stay as they are", async () => {
  const { files, changes, problems, poll, stop } = await startWatch();
  await poll();
  assertEquals(changes, []);
  files.contents.set(PATHS.cert, renewed.certPem);
  files.contents.set(PATHS.key, renewed.keyPem);
  await poll();
  await poll();
  assertEquals(changes, [renewed.certPem]);
  assertEquals(problems, []);
  stop.abort();
});

Deno.test("a half-written set changes nothing, is reported once, and is taken when it is whole", async () => {
  const { files, changes, problems, poll, stop } = await startWatch();
  files.contents.set(PATHS.cert, renewed.certPem);
  await poll();
  await poll();
  assertEquals(changes, []);
  assertEquals(problems, [
    "pki/i.key: does not belong to the certificate in pki/i.crt; give the key that was made with it",
  ]);
  files.contents.set(PATHS.key, renewed.keyPem);
  await poll();
  assertEquals(changes, [renewed.certPem]);
  assertEquals(problems.length, 1);
  stop.abort();
});

Deno.test("a file that is written bit by bit is reported once", async () => {
  const { files, changes, problems, poll, stop } = await startWatch();
  files.contents.set(PATHS.key, renewed.keyPem);
  for (const length of [100, 200, 300]) {
    files.contents.set(PATHS.cert, renewed.certPem.slice(0, length));
    await poll();
  }
  assertEquals(problems.length, 1);
  files.contents.set(PATHS.cert, renewed.certPem);
  await poll();
  assertEquals(changes, [renewed.certPem]);
  stop.abort();
});

Deno.test("files that go and come back are reported once and change nothing", async () => {
  const { files, changes, problems, poll, stop } = await startWatch();
  files.contents.delete(PATHS.ca);
  await poll();
  await poll();
  files.contents.set(PATHS.ca, pki.ca.certPem);
  await poll();
  assertEquals(changes, []);
  assertEquals(problems.map((problem) => problem.split(";")[0]), [
    "pki/ca.crt: there is no such file",
  ]);
  files.contents.delete(PATHS.ca);
  await poll();
  assertEquals(problems.length, 2);
  stop.abort();
});

Deno.test("text around the certificates is no change", async () => {
  const { files, changes, problems, poll, stop } = await startWatch();
  files.contents.set(PATHS.cert, `renewed by hand\n${pki.instance.certPem}`);
  await poll();
  assertEquals([changes, problems], [[], []]);
  stop.abort();
});

Deno.test("a certificate that is not valid yet is taken when its time comes", async () => {
  const { files, clock, changes, problems, poll, stop } = await startWatch({ pollMs: 60_000 });
  const early = new ManualClock(clock.now() + 8 * 60_000);
  const next = await issue(pki.ca, "kitchen", { days: 5, clock: early });
  files.contents.set(PATHS.cert, next.certPem);
  files.contents.set(PATHS.key, next.keyPem);
  await poll();
  assertEquals(problems.length, 1);
  await poll();
  await poll();
  assertEquals(problems.length, 1);
  assertEquals(changes, [next.certPem]);
  stop.abort();
});

Deno.test("the watch looks every ten seconds, on a timer that keeps no process alive", async () => {
  const { clock, readings, stop } = await startWatch();
  assertEquals(clock.timers, [{ at: clock.now() + 10_000, unref: true }]);
  const before = readings();
  clock.advance(9_999);
  await settled();
  assertEquals(readings(), before);
  clock.advance(1);
  await settled();
  assertEquals(readings(), before + 3);
  assertEquals(clock.timers.length, 1);
  stop.abort();
});

Deno.test("an abort ends the watch, also in the middle of a check", async () => {
  const { files, clock, changes, watch, readings, stop } = await startWatch();
  files.contents.set(PATHS.cert, renewed.certPem);
  files.contents.set(PATHS.key, renewed.keyPem);
  const check = watch.check();
  stop.abort();
  await check;
  assertEquals(changes, []);
  assertEquals(clock.timers, []);
  const before = readings();
  await watch.check();
  assertEquals(readings(), before);
});

Deno.test("an error of onChange goes to onError and the watch goes on", async () => {
  const { files, problems, poll, clock, stop } = await startWatch({
    onChange() {
      throw new Error("cannot listen");
    },
  });
  files.contents.set(PATHS.cert, renewed.certPem);
  files.contents.set(PATHS.key, renewed.keyPem);
  await poll();
  await poll();
  assertEquals(problems, ["cannot listen"]);
  assertEquals(clock.timers.length, 1);
  stop.abort();
});

Deno.test("without current credentials the first check that loads reports them", async () => {
  const files = filesOf(pki);
  const stop = new AbortController();
  const names: string[] = [];
  const watch = watchCredentials(PATHS, {
    onChange: ({ commonName }) => void names.push(commonName),
    onError() {},
    signal: stop.signal,
    clock: new ManualClock(),
    readFile: files.readFile,
  });
  await watch.check();
  await watch.check();
  assertEquals(names, ["kitchen"]);
  stop.abort();
});

Deno.test("watchCredentials() refuses an interval that is no positive integer", () => {
  for (const pollMs of [0, -1, 0.5, Number.NaN]) {
    const options = { onChange() {}, onError() {}, signal: AbortSignal.abort(), pollMs };
    assertThrows(() => watchCredentials(PATHS, options), RangeError, `every ${pollMs} ms`);
  }
});

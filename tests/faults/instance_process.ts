import type { TestCertificate } from "../helpers/pki.ts";
import type { Site } from "../helpers/site.ts";

const PROGRAM = new URL("./programs/instance.ts", import.meta.url).pathname;

/** What an instance in a process of its own is made of. */
export interface InstanceSetup {
  readonly name: string;
  readonly dataDir: string;
  readonly configFile: string;
  readonly certificate: TestCertificate;
}

/** Writes what an instance needs into the site's folder. */
export async function setUp(
  site: Site,
  name: string,
  config: Record<string, unknown>,
): Promise<InstanceSetup> {
  const certificate = await site.certificate(name);
  const dataDir = `${site.path}/${name}`;
  await Deno.mkdir(dataDir, { recursive: true });
  const configFile = `${site.path}/${name}.yaml`;
  const { cert, key, ca } = certificate;
  await Deno.writeTextFile(
    configFile,
    JSON.stringify({
      name,
      storage: { data_dir: dataDir },
      tls: { cert, key, ca },
      federation: { reconnect_base_ms: 5, reconnect_max_ms: 50, reconnect_jitter: 0 },
      ...config,
    }),
  );
  return { name, dataDir, configFile, certificate };
}

/** An instance in a process of its own, with the permissions that the product asks for and no more. */
export class InstanceProcess implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #output: Promise<void>;
  readonly #errors: Promise<string>;
  readonly #lines: string[] = [];
  #watchers: (() => void)[] = [];
  #hasEnded = false;

  private constructor(setup: InstanceSetup, args: readonly string[]) {
    const { dataDir, configFile, certificate: { cert, key, ca } } = setup;
    this.#process = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--no-prompt",
        `--allow-read=${[dataDir, configFile, cert, key, ca].join()}`,
        `--allow-write=${dataDir}`,
        "--allow-net=127.0.0.1",
        "--allow-env=WS_NO_BUFFER_UTIL,WS_NO_UTF_8_VALIDATE",
        PROGRAM,
        configFile,
        ...args,
      ],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#output = this.#read();
    this.#errors = new Response(this.#process.stderr).text();
  }

  /**
   * Starts it and waits until it is open.
   *
   * @param setup What it is made of.
   * @param publish The channel that it publishes to, with so many milliseconds between its groups.
   */
  static async start(
    setup: InstanceSetup,
    publish?: { readonly channel: string; readonly pauseMs: number },
  ): Promise<InstanceProcess> {
    const args = publish === undefined ? [] : [publish.channel, String(publish.pauseMs)];
    const instance = new InstanceProcess(setup, args);
    await instance.#until(() => instance.#lines.length > 0);
    return instance;
  }

  /** Where its hub listens. */
  get hubAddr(): string {
    return this.#lines[0]!.slice("open ".length);
  }

  /** How many messages were acknowledged to it. They are the first ones: order is kept. */
  get acknowledged(): number {
    return this.#lines.length - 1;
  }

  /** Settles when so many messages were acknowledged to it. */
  async untilAcknowledged(count: number): Promise<void> {
    await this.#until(() => this.acknowledged >= count);
  }

  /** Kills it without any warning, and settles when it is gone and all that it said is read. */
  async kill(): Promise<void> {
    if (!this.#hasEnded) this.#process.kill("SIGKILL");
    await this.#process.status;
    await this.#output;
    await this.#errors;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  async #until(holds: () => boolean): Promise<void> {
    while (!holds()) {
      if (this.#hasEnded) throw new Error(`The instance ended by itself: ${await this.#errors}`);
      await new Promise<void>((resolve) => this.#watchers.push(resolve));
    }
  }

  async #read(): Promise<void> {
    let rest = "";
    for await (const text of this.#process.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      this.#lines.push(...lines);
      for (const wake of this.#watchers.splice(0)) wake();
    }
    this.#hasEnded = true;
    for (const wake of this.#watchers.splice(0)) wake();
  }
}

import { freePort, hasProgram, ServerProcess } from "./server_process.ts";
import { tempDir } from "./temp.ts";

/** Options of {@linkcode RedisServer.start}. */
export interface RedisServerOptions {
  /** Asks for this password. */
  readonly password?: string;
  /** Whether what is stored survives a restart. @default {false} */
  readonly durable?: boolean;
  /** Further arguments, such as `--client-output-buffer-limit`. */
  readonly args?: readonly string[];
}

/** Whether tests with a Redis server can run. */
export const hasRedisServer = hasProgram("redis-server");

/** A real Redis server on a free port of loopback, which can be stopped and started again. */
export class RedisServer implements AsyncDisposable {
  /** Its port, the same after a restart. */
  readonly port = freePort();
  readonly #dir: { path: string } & AsyncDisposable;
  readonly #options: RedisServerOptions;
  #process: ServerProcess | undefined;

  private constructor(dir: { path: string } & AsyncDisposable, options: RedisServerOptions) {
    this.#dir = dir;
    this.#options = options;
  }

  /** Starts one and waits until it is ready. */
  static async start(options: RedisServerOptions = {}): Promise<RedisServer> {
    const server = new RedisServer(await tempDir(), options);
    try {
      await server.restart();
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
    return server;
  }

  /** `host:port` of it. */
  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Its URL, with the password. */
  get url(): string {
    const { password } = this.#options;
    return `redis://${password === undefined ? "" : `:${password}@`}${this.address}`;
  }

  /** Starts it, at the port that it had, after ending it if it runs. */
  async restart(): Promise<void> {
    await this.stop();
    const { password, durable = false, args = [] } = this.#options;
    this.#process = await ServerProcess.start({
      program: "redis-server",
      // deno-fmt-ignore
      args: [
        "--bind", "127.0.0.1", "--port", String(this.port), "--dir", this.#dir.path,
        "--save", "", "--appendonly", durable ? "yes" : "no", "--appendfsync", "always",
        ...(password === undefined ? [] : ["--requirepass", password]),
        ...args,
      ],
      ready: /Ready to accept connections/,
    });
  }

  /** Ends it in order. */
  async stop(): Promise<void> {
    await this.#end("SIGTERM");
  }

  /** Ends it without any warning. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** Makes it silent, without closing anything, until it is resumed. */
  pause(): void {
    this.#process?.signal("SIGSTOP");
  }

  /** Ends what {@linkcode pause} began. */
  resume(): void {
    this.#process?.signal("SIGCONT");
  }

  /** Ends it and removes its folder. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await this.#dir[Symbol.asyncDispose]();
  }

  async #end(signal: Deno.Signal): Promise<void> {
    const process = this.#process;
    this.#process = undefined;
    await process?.end(signal);
  }
}

import type { TestCertificate } from "./pki.ts";
import { freePort, hasProgram, ServerProcess } from "./server_process.ts";
import { tempDir } from "./temp.ts";

/** Options of {@linkcode NatsServer.start}. */
export interface NatsServerOptions {
  /** Asks for this token. */
  readonly token?: string;
  /** Asks for this user. */
  readonly user?: { readonly name: string; readonly password: string };
  /** Serves TLS with this certificate. */
  readonly tls?: TestCertificate;
  /** Whether a client has to show a certificate of the same authority. @default {false} */
  readonly verify?: boolean;
  /** Longest payload, in bytes. @default {1_048_576} */
  readonly maxPayload?: number;
  /** Further lines of its configuration. */
  readonly config?: readonly string[];
}

/** Whether tests with a NATS server can run. */
export const hasNatsServer = hasProgram("nats-server");

/** A real NATS server on a free port of loopback, which can be stopped and started again. */
export class NatsServer implements AsyncDisposable {
  /** Its port, the same after a restart. */
  readonly port = freePort();
  readonly #dir: { path: string } & AsyncDisposable;
  #process: ServerProcess | undefined;

  private constructor(dir: { path: string } & AsyncDisposable) {
    this.#dir = dir;
  }

  /** Starts one and waits until it is ready. */
  static async start(options: NatsServerOptions = {}): Promise<NatsServer> {
    const server = new NatsServer(await tempDir());
    const { token, user, tls, verify = false, maxPayload, config = [] } = options;
    const lines = [`listen: "127.0.0.1:${server.port}"`, ...config];
    if (maxPayload !== undefined) lines.push(`max_payload: ${maxPayload}`);
    if (token !== undefined) lines.push(`authorization { token: "${token}" }`);
    if (user !== undefined) {
      lines.push(`authorization { user: "${user.name}", password: "${user.password}" }`);
    }
    if (tls !== undefined) {
      const { cert, key, ca } = tls;
      lines.push(
        `tls { cert_file: "${cert}", key_file: "${key}", ca_file: "${ca}", verify: ${verify} }`,
      );
    }
    await Deno.writeTextFile(server.#configPath, lines.join("\n"));
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

  /** Its URL, without a user. */
  get url(): string {
    return `nats://${this.address}`;
  }

  /** Starts it, at the port that it had, after ending it if it runs. */
  async restart(): Promise<void> {
    await this.stop();
    this.#process = await ServerProcess.start({
      program: "nats-server",
      args: ["--config", this.#configPath],
      ready: /Server is ready/,
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

  get #configPath(): string {
    return `${this.#dir.path}/nats.conf`;
  }

  async #end(signal: Deno.Signal): Promise<void> {
    const process = this.#process;
    this.#process = undefined;
    await process?.end(signal);
  }
}

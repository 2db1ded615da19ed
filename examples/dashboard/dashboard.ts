import { fileURLToPath } from "node:url";
import { cast } from "../demo/cast.ts";
import type { DemoEvent } from "../demo/events.ts";
import { Folder } from "../demo/folder.ts";
import { freePort } from "../demo/free_port.ts";
import { permissions } from "../demo/permissions.ts";
import { Program } from "../demo/program.ts";
import { PageServer } from "./page_server.ts";

const RESTART_MS = 1_000;

/** Options of {@linkcode Dashboard.start}. */
export interface DashboardOptions {
  /** Where the page is served; 0 is any free port. @default {0} */
  readonly port?: number;
  /** Gets told what happens. */
  readonly onStep?: (text: string) => void;
  /** Gets the id of each reading that was published. */
  readonly onPublished?: (id: string) => void;
}

/**
 * A sensor and a gateway in processes of their own, and the page that shows what one sends through
 * the other. A gateway that dies is started again; the sensor goes on meanwhile.
 */
export class Dashboard implements AsyncDisposable {
  readonly #folder: Folder;
  readonly #options: DashboardOptions;
  readonly #hubAddr = `127.0.0.1:${freePort()}`;
  readonly #gatewayPort = freePort();
  readonly #failed = Promise.withResolvers<never>();
  #page: PageServer | undefined;
  #sensor: Program | undefined;
  #gateway: Program | undefined;
  #restart: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;

  private constructor(folder: Folder, options: DashboardOptions) {
    this.#folder = folder;
    this.#options = options;
    this.#failed.promise.catch(() => {});
  }

  /**
   * Starts everything, and settles once readings flow. Requires `--allow-all`.
   *
   * @param options The port, and who is told.
   */
  static async start(options: DashboardOptions = {}): Promise<Dashboard> {
    const dashboard = new Dashboard(await Folder.make(), options);
    try {
      await dashboard.#start();
      return dashboard;
    } catch (error) {
      await dashboard[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Where the page is. */
  get url(): string {
    return this.#page!.url;
  }

  /** The gateway's process. */
  get gatewayPid(): number {
    return this.#gateway!.pid;
  }

  /** Rejects when a program cannot go on. */
  get failed(): Promise<never> {
    return this.#failed.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#restart);
    await Promise.all([this.#sensor?.stop(), this.#gateway?.stop()]);
    await this.#page?.[Symbol.asyncDispose]();
    await this.#folder.remove();
  }

  async #start(): Promise<void> {
    const { port = 0 } = this.#options;
    const { signal } = new AbortController();
    await this.#folder.fill(this.#hubAddr, signal);
    const gatewayUrl = `ws://127.0.0.1:${this.#gatewayPort}/ws`;
    this.#page = await PageServer.start(port, gatewayUrl, signal);
    await this.#startGateway();
    const { one } = cast(this.#folder, this.#hubAddr);
    const published = Promise.withResolvers<void>();
    this.#sensor = this.#run("one", one.module, one.permissions, one.args, (event) => {
      if (event.event !== "published") return;
      published.resolve();
      this.#options.onPublished?.(event.id);
    }, (error) => this.#failed.reject(error));
    await Promise.race([published.promise, this.failed]);
  }

  async #startGateway(): Promise<void> {
    const ready = Promise.withResolvers<void>();
    const address = `127.0.0.1:${this.#gatewayPort}`;
    let isReady = false;
    this.#gateway = this.#run(
      "hub",
      fileURLToPath(import.meta.resolve("./gateway.ts")),
      [
        ...permissions(this.#folder, "hub", `${this.#hubAddr},${address}`)
          .filter((flag) => !flag.startsWith("--allow-env")),
        // Libraries that the gateway can use look at many variables.
        "--allow-env",
      ],
      [this.#folder.config("hub"), String(this.#gatewayPort), this.#page!.url],
      () => {
        isReady = true;
        ready.resolve();
      },
      async (error) => {
        if (isReady) return this.#restartGateway(error);
        const log = await Deno.readTextFile(this.#folder.log("hub")).catch(() => "");
        this.#failed.reject(new Error(`${error.message}\n${log.trim()}`));
      },
    );
    await Promise.race([ready.promise, this.failed]);
    this.#options.onStep?.(`the gateway is process ${this.gatewayPid}`);
  }

  #restartGateway(error: Error): void {
    if (this.#isClosed) return;
    this.#options.onStep?.(`${error.message}; it comes back in ${RESTART_MS} ms`);
    this.#restart = setTimeout(() => {
      this.#startGateway().catch((error) => this.#failed.reject(error));
    }, RESTART_MS);
  }

  #run(
    role: "hub" | "one",
    module: string,
    permissions: readonly string[],
    args: readonly string[],
    onEvent: (event: DemoEvent) => void,
    onFailure: (error: Error) => void,
  ): Program {
    const name = role === "hub" ? "the gateway" : "the sensor";
    const logPath = this.#folder.log(role);
    return new Program({ name, module, permissions, args, logPath, onEvent, onFailure });
  }
}

import { type Clock, ConfigError, type Logger, messageOf } from "../../base/mod.ts";
import type { HookName, ResolvedGatewayConfig, ResolvedProxy } from "../config/mod.ts";
import type { Backend, Backends, Hook } from "../session/ports.ts";
import { Glob } from "./glob.ts";
import { GrpcLink } from "./grpc_link.ts";
import { HttpLink } from "./http_link.ts";
import { httpSender } from "./http_senders.ts";
import type { BackendLink } from "./link.ts";
import { RemoteBackend, type RemoteBackendOptions } from "./remote_backend.ts";

/** What {@linkcode ConfiguredBackends.open} needs. */
export interface BackendsOptions {
  /** Time. */
  readonly clock: Clock;
  /** Told about calls that fail. */
  readonly logger: Logger;
  /** Told how each call ended. */
  readonly observe?: (
    backend: string,
    hook: HookName,
    outcome: "ok" | "error" | "timeout",
    elapsedMs: number,
  ) => void;
}

interface Route {
  readonly channel: Glob;
  readonly method: Glob;
  readonly hooks: ReadonlySet<Hook>;
  readonly backend: Backend;
}

/** The backends of a configuration, and which of them gets what: the first route that matches wins. */
export class ConfiguredBackends implements Backends, Disposable {
  #routes: readonly Route[];
  readonly #backends: readonly RemoteBackend[];

  private constructor(routes: readonly Route[], backends: readonly RemoteBackend[]) {
    this.#routes = routes;
    this.#backends = backends;
  }

  /**
   * Makes the backends; they are connected to when they are first used. Needs `--allow-read` for files of
   * authorities.
   *
   * @param config The backends, and what holds for their calls.
   * @param options Time, and where to log.
   * @throws {ConfigError} When a file cannot be read.
   */
  static async open(
    { proxy, server, delivery }: Pick<ResolvedGatewayConfig, "proxy" | "server" | "delivery">,
    options: BackendsOptions,
  ): Promise<ConfiguredBackends> {
    const { clock, logger, observe } = options;
    const routes: Route[] = [];
    const backends: RemoteBackend[] = [];
    for (const [index, entry] of proxy.entries()) {
      const { name, timeoutMs } = entry;
      const remote: RemoteBackendOptions = {
        name,
        timeoutMs,
        rpcTimeoutMs: server.rpcTimeoutMs,
        dataForm: delivery.dataForm,
        clock,
        logger,
        ...(observe === undefined ? {} : { observe: (...call) => observe(name, ...call) }),
      };
      const backend = new RemoteBackend(await linkTo(entry, index), remote);
      backends.push(backend);
      const hooks = new Set<Hook>(entry.hooks);
      for (const { channel, method } of entry.routes) {
        routes.push({ channel: new Glob(channel), method: new Glob(method), hooks, backend });
      }
    }
    return new ConfiguredBackends(routes, backends);
  }

  /** Whether there is any. */
  get configured(): boolean {
    return this.#backends.length > 0;
  }

  /** The first backend with a matching route that takes this call. */
  find(channel: string, method: string, hook: Hook): Backend | undefined {
    return this.#routes.find((route) =>
      route.hooks.has(hook) && route.channel.matches(channel) && route.method.matches(method)
    )?.backend;
  }

  /** Settles once no call is under way. */
  async idle(): Promise<void> {
    await Promise.all(this.#backends.map((backend) => backend.idle()));
  }

  /** Closes all connections; nothing matches any more. */
  [Symbol.dispose](): void {
    this.#routes = [];
    for (const backend of this.#backends) backend.close();
  }
}

async function linkTo(proxy: ResolvedProxy, index: number): Promise<BackendLink> {
  const { tls } = proxy[proxy.kind];
  const ca = await readCa(tls.caFile, `proxy[${index}].${proxy.kind}.tls.ca_file`);
  return proxy.kind === "grpc"
    ? new GrpcLink(proxy, ca)
    : new HttpLink(httpSender(proxy.endpoint, tls, ca), proxy.http.headers);
}

async function readCa(file: string, path: string): Promise<string | undefined> {
  if (file === "") return undefined;
  try {
    return await Deno.readTextFile(file);
  } catch (error) {
    const message = `cannot be read: ${messageOf(error)}`;
    throw new ConfigError("configuration", [{ path, message }], { cause: error });
  }
}

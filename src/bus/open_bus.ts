import { messageOf, quote } from "../base/mod.ts";
import type { Bus } from "./bus.ts";
import { InvalidBusUrlError } from "./errors.ts";
import type { NatsTls } from "./nats_tls.ts";
import type { BusOptions } from "./transport_bus.ts";

/** A way to open a bus, loaded when it is used: nobody loads a client of a server to use a file. */
interface Scheme {
  /** What a URL looks like, for errors. */
  readonly form: string;
  /** Opens; `rest` is what follows the colon. */
  readonly open: (url: string, rest: string, options: BusOptions) => Promise<Bus>;
}

const SCHEMES: Readonly<Record<string, Scheme>> = {
  memory: {
    form: "memory: or memory:NAME",
    async open(_url, rest, options) {
      const { InMemoryBus } = await import("./in_memory_bus.ts");
      return new InMemoryBus({ ...options, ...(rest === "" ? {} : { name: rest }) });
    },
  },
  sqlite: {
    form: "sqlite:PATH",
    async open(url, rest, options) {
      const path = rest.replace(/^\/\//, "");
      if (path === "") throw new InvalidBusUrlError(url, "it names no file; give sqlite:PATH");
      const { SqliteBus } = await import("./sqlite_bus.ts");
      return await SqliteBus.open(path, options);
    },
  },
  nats: { form: "nats://HOST:PORT", open: openNats },
  tls: { form: "tls://HOST:PORT", open: openNats },
  redis: { form: "redis://HOST:PORT", open: openRedis },
  rediss: { form: "rediss://HOST:PORT", open: openRedis },
  messenger: {
    form: "messenger:CONFIG.yaml",
    async open(url, rest, options) {
      if (rest === "") throw new InvalidBusUrlError(url, "name the messenger's configuration");
      const { MessengerBus } = await import("./messenger_bus.ts");
      return await MessengerBus.open(rest, options);
    },
  },
};

/**
 * Opens the bus that a URL names, so that a program changes its transport by configuration. The transport's
 * own code is loaded only here.
 *
 * @param url `memory:`, `memory:NAME`, `sqlite:PATH`, `nats://host:port` (`tls://` insists on TLS; parameters `ca`, `cert`
 *   and `key` are paths of PEM files), `redis://host:port/database` (`rediss://` for TLS, with the same
 *   parameters), `messenger:config.yaml`. Users, passwords and tokens stand before an `@`.
 * @param options Logging, and how long closing may take.
 * @throws {InvalidBusUrlError} When the URL names no bus.
 *
 * @example
 * ```ts
 * import { openBus } from "@keyop/messenger/bus";
 *
 * await using bus = await openBus("memory:");
 * await bus.publish("readings", "21.5");
 * ```
 */
export async function openBus(url: string, options: BusOptions = {}): Promise<Bus> {
  const colon = typeof url === "string" ? url.indexOf(":") : -1;
  const name = colon < 0 ? "" : url.slice(0, colon).toLowerCase();
  const scheme = Object.hasOwn(SCHEMES, name) ? SCHEMES[name] : undefined;
  if (scheme === undefined) {
    const why = name === "" ? "it has no scheme" : `there is no scheme ${quote(name)}`;
    const forms = Object.values(SCHEMES).map(({ form }) => form).join(", ");
    throw new InvalidBusUrlError(String(url), `${why}; give ${forms}`);
  }
  return await scheme.open(url, url.slice(colon + 1), options);
}

async function openNats(url: string, _rest: string, options: BusOptions): Promise<Bus> {
  const { server, tls } = await certificatesOf(url);
  const { NatsBus } = await import("./nats_bus.ts");
  return await NatsBus.connect({
    ...options,
    servers: server,
    ...(tls !== undefined && { tls }),
  });
}

async function openRedis(url: string, _rest: string, options: BusOptions): Promise<Bus> {
  const { server, tls } = await certificatesOf(url);
  const { RedisBus } = await import("./redis_bus.ts");
  return await RedisBus.connect(server, { ...options, ...(tls !== undefined && { tls }) });
}

const FILES = ["ca", "cert", "key"] as const;

/** Reads the certificates that the parameters of a URL name. */
async function certificatesOf(url: string): Promise<{ server: string; tls?: NatsTls }> {
  const [server = "", query] = url.split("?", 2);
  if (query === undefined) return { server };
  const tls: { ca?: string; cert?: string; key?: string } = {};
  for (const [name, path] of new URLSearchParams(query)) {
    const file = FILES.find((known) => known === name);
    if (file === undefined) {
      throw new InvalidBusUrlError(url, `it has no parameter ${quote(name)}; give ca, cert, key`);
    }
    try {
      tls[file] = await Deno.readTextFile(path);
    } catch (error) {
      const why = `cannot read ${name} from ${quote(path)}: ${messageOf(error)}`;
      throw new InvalidBusUrlError(url, why, { cause: error });
    }
  }
  return { server, tls };
}

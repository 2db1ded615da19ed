import { quote } from "../base/mod.ts";
import type { Bus } from "./bus.ts";
import { InvalidBusUrlError } from "./errors.ts";
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
};

/**
 * Opens the bus that a URL names, so that a program changes its transport by configuration. The transport's
 * own code is loaded only here.
 *
 * @param url `memory:`, `memory:NAME`, `sqlite:PATH`.
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

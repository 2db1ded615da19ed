import { cpus } from "node:os";
import { KINDS, type Reading, type ReadingKind } from "./readings.ts";

/**
 * Takes the measurements of this machine in turn. Deno itself is asked, because files below `/proc`
 * can be read only by a program that may do everything.
 *
 * Requires `--allow-sys=cpus,loadavg,systemMemoryInfo,networkInterfaces`.
 */
export class Meter {
  #number = 0;
  #before = cpuTimes();

  /** Takes the next measurement. */
  read(): Reading {
    const kind = KINDS[this.#number % KINDS.length]!;
    return { number: ++this.#number, kind, ...this.#measure(kind) };
  }

  #measure(kind: ReadingKind): Pick<Reading, "text" | "values"> {
    switch (kind) {
      case "cpu":
        return this.#cpu();
      case "load": {
        const values = Deno.loadavg();
        return { text: values.map((value) => value.toFixed(2)).join("  "), values };
      }
      case "memory": {
        const { available, total } = Deno.systemMemoryInfo();
        const gigabytes = (bytes: number) => (bytes / 1e9).toFixed(2);
        return {
          text: `${gigabytes(available)} of ${gigabytes(total)} GB available`,
          values: [available, total],
        };
      }
      case "network": {
        const addresses = Deno.networkInterfaces().filter(({ family }) => family === "IPv4");
        return {
          text: addresses.map(({ name, address }) => `${name} ${address}`).join("  "),
          values: [],
        };
      }
    }
  }

  #cpu(): Pick<Reading, "text" | "values"> {
    const now = cpuTimes();
    const total = now.total - this.#before.total;
    const share = total === 0 ? 0 : (now.busy - this.#before.busy) / total;
    this.#before = now;
    return { text: `${Math.round(100 * share)} % busy`, values: [share] };
  }
}

/** Milliseconds that all processors together have spent since the machine was started. */
function cpuTimes(): { readonly busy: number; readonly total: number } {
  let busy = 0;
  let idle = 0;
  for (const { times } of cpus()) {
    busy += times.user + times.nice + times.sys + times.irq;
    idle += times.idle;
  }
  return { busy, total: busy + idle };
}

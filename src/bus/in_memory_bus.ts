import { MemorySubjects, MemoryTransport } from "./memory_transport.ts";
import { type BusOptions, TransportBus } from "./transport_bus.ts";

/** Options of {@linkcode InMemoryBus}. */
export interface InMemoryBusOptions extends BusOptions {
  /**
   * Buses of one process with the same name are one: what is published on one is read on the others.
   * Without a name a bus is alone.
   */
  readonly name?: string;
}

interface Shared {
  readonly subjects: MemorySubjects;
  buses: number;
}

const shared = new Map<string, Shared>();

/**
 * A bus inside one process. Needs no permission.
 *
 * A request that nobody serves fails at once with `NoResponderError`. A reader may be 1,024 messages
 * behind; what comes then is dropped, counted and logged. Payloads have up to 64 MiB.
 *
 * @example
 * ```ts
 * import { InMemoryBus } from "@keyop/messenger/bus";
 * import { assertEquals } from "@std/assert";
 *
 * await using bus = new InMemoryBus();
 * await bus.serve("greet", (data) => `hello ${new TextDecoder().decode(data)}`);
 * const answer = await bus.request("greet", "world");
 * assertEquals(new TextDecoder().decode(answer), "hello world");
 * ```
 */
export class InMemoryBus extends TransportBus {
  readonly #name: string | undefined;
  #left = false;

  /**
   * Makes a bus.
   *
   * @param options Its name, logging, and how long closing may take.
   * @throws {RangeError} When an option is out of its range.
   */
  constructor(options: InMemoryBusOptions = {}) {
    super(new MemoryTransport(subjectsOf(options.name)), options);
    this.#name = options.name;
    if (options.name !== undefined) shared.get(options.name)!.buses++;
  }

  /** Closes; see {@linkcode Bus.close}. */
  override close(): Promise<void> {
    const closing = super.close();
    if (!this.#left && this.#name !== undefined) {
      this.#left = true;
      const name = this.#name;
      // The last one to leave takes the name along.
      closing.finally(() => {
        const group = shared.get(name);
        if (group !== undefined && --group.buses === 0) shared.delete(name);
      }).catch(() => {});
    }
    return closing;
  }
}

function subjectsOf(name: string | undefined): MemorySubjects {
  if (name === undefined) return new MemorySubjects();
  let group = shared.get(name);
  if (group === undefined) shared.set(name, group = { subjects: new MemorySubjects(), buses: 0 });
  return group.subjects;
}

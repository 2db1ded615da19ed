/** Which way bytes go: `up` from whoever dials to the target, `down` back. */
export type Direction = "up" | "down";

const DIRECTIONS: readonly Direction[] = ["up", "down"];

/** How a connection broke because of {@linkcode LinkProxy.cutAfter}. */
interface Cut {
  /** Bytes of that direction that still pass. */
  left: number;
  readonly done: () => void;
}

/** A TCP connection in between, on loopback: it can be cut at any byte, stalled one way, and healed. */
export class LinkProxy implements AsyncDisposable {
  /** `host:port` to pass on to. */
  target: string;
  /** Bytes that have passed so far. */
  readonly passed: Record<Direction, number> = { up: 0, down: 0 };
  /** Connections that were passed on so far. */
  accepted = 0;
  readonly #listener: Deno.TcpListener;
  readonly #open = new Set<Deno.Conn>();
  readonly #work = new Set<Promise<void>>();
  readonly #stalled = new Map<Direction, PromiseWithResolvers<void>>();
  readonly #cuts = new Map<Direction, Cut>();
  #isDown = false;

  private constructor(target: string) {
    this.target = target;
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.#follow(this.#accept());
  }

  /** Begins to listen on a free port. */
  static start(target: string): LinkProxy {
    return new LinkProxy(target);
  }

  /** `127.0.0.1:port`, to be dialled in place of the target. */
  get address(): string {
    return `127.0.0.1:${this.#listener.addr.port}`;
  }

  /** Connections that pass through now. */
  get connections(): number {
    return this.#open.size / 2;
  }

  /** Breaks every connection; new ones are let through. */
  cut(): void {
    for (const connection of [...this.#open]) this.#drop(connection);
  }

  /** Breaks every connection and lets none through until {@linkcode heal}. */
  down(): void {
    this.#isDown = true;
    this.cut();
  }

  /** Breaks every connection once so many more bytes have gone one way. @returns When that was. */
  cutAfter(bytes: number, direction: Direction): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#cuts.set(direction, { left: bytes, done: resolve });
    return promise;
  }

  /** Holds one direction back, the other goes on; no connection is closed. */
  stall(direction: Direction): void {
    if (!this.#stalled.has(direction)) {
      this.#stalled.set(direction, Promise.withResolvers<void>());
    }
  }

  /** Lets everything through again; what was held back goes first. */
  heal(): void {
    this.#isDown = false;
    this.#cuts.clear();
    for (const { resolve } of this.#stalled.values()) resolve();
    this.#stalled.clear();
  }

  /** Breaks everything and stops listening. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    this.down();
    for (const direction of DIRECTIONS) this.#stalled.get(direction)?.resolve();
    await Promise.all(this.#work);
  }

  async #accept(): Promise<void> {
    for await (const incoming of this.#listener) {
      if (this.#isDown) incoming.close();
      else this.#follow(this.#pass(incoming));
    }
  }

  async #pass(incoming: Deno.Conn): Promise<void> {
    const [hostname, port] = this.target.split(":");
    let outgoing: Deno.Conn;
    try {
      outgoing = await Deno.connect({ hostname: hostname!, port: Number(port) });
    } catch {
      return incoming.close();
    }
    this.accepted++;
    this.#open.add(incoming).add(outgoing);
    if (this.#isDown) this.cut();
    await Promise.all([
      this.#pump(incoming, outgoing, "up"),
      this.#pump(outgoing, incoming, "down"),
    ]);
  }

  async #pump(from: Deno.Conn, to: Deno.Conn, direction: Direction): Promise<void> {
    const buffer = new Uint8Array(64 * 1024);
    try {
      for (;;) {
        const count = await from.read(buffer);
        if (count === null) break;
        await this.#stalled.get(direction)?.promise;
        const cut = this.#cuts.get(direction);
        const passing = Math.min(count, cut?.left ?? count);
        for (let at = 0; at < passing;) at += await to.write(buffer.subarray(at, passing));
        this.passed[direction] += passing;
        if (cut === undefined || (cut.left -= passing) > 0) continue;
        this.#cuts.delete(direction);
        this.cut();
        cut.done();
      }
    } catch {
      // Cut, or closed by an end.
    }
    this.#drop(from);
    this.#drop(to);
  }

  #drop(connection: Deno.Conn): void {
    if (this.#open.delete(connection)) connection.close();
  }

  #follow(work: Promise<void>): void {
    this.#work.add(work);
    work.finally(() => this.#work.delete(work));
  }
}

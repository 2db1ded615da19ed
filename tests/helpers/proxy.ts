/** A TCP connection in between, which can be cut. */
export interface Proxy {
  /** `127.0.0.1:port` to dial in place of the target. */
  readonly address: string;
  /** Breaks every connection that goes through. */
  cut(): void;
  /** Holds everything back, without closing anything, until it is cut. */
  freeze(): void;
  close(): Promise<void>;
}

/** Listens on loopback and passes on to the target. */
export function startProxy(target: string): Proxy {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const connections = new Set<Deno.Conn>();
  const pumps = new Set<Promise<void>>();
  let frozen = false;
  let thaw = () => {};
  let thawed = Promise.resolve();

  async function pump(from: Deno.Conn, to: Deno.Conn): Promise<void> {
    const buffer = new Uint8Array(64 * 1024);
    try {
      for (let count = await from.read(buffer); count !== null; count = await from.read(buffer)) {
        if (frozen) await thawed;
        for (let at = 0; at < count;) at += await to.write(buffer.subarray(at, count));
      }
    } catch {
      // Cut, or closed by an end.
    }
    drop(from);
    drop(to);
  }

  function drop(connection: Deno.Conn): void {
    if (connections.delete(connection)) connection.close();
  }

  async function accept(): Promise<void> {
    for await (const incoming of listener) {
      const [hostname, port] = target.split(":");
      const outgoing = await Deno.connect({ hostname: hostname!, port: Number(port) });
      connections.add(incoming).add(outgoing);
      for (const running of [pump(incoming, outgoing), pump(outgoing, incoming)]) {
        pumps.add(running);
        running.finally(() => pumps.delete(running));
      }
    }
  }

  const accepting = accept();
  const { hostname, port } = listener.addr as Deno.NetAddr;
  const cut = () => {
    for (const connection of [...connections]) drop(connection);
    frozen = false;
    thaw();
  };
  return {
    address: `${hostname}:${port}`,
    cut,
    freeze() {
      frozen = true;
      thawed = new Promise((resolve) => thaw = resolve);
    },
    async close() {
      listener.close();
      cut();
      await accepting;
      await Promise.all(pumps);
    },
  };
}

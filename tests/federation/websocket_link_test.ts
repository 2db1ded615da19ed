import { silentLogger, systemClock } from "../../src/base/mod.ts";
import { dialWebSocket, type Link, listenWebSocket } from "../../src/federation/mod.ts";
import { type MakeLinkPair, testLinks } from "../conformance/link_suite.ts";
import { makeCa, type TestCredentials } from "../helpers/certs.ts";
import { startProxy } from "../helpers/proxy.ts";

interface Both {
  readonly hub: TestCredentials;
  readonly client: TestCredentials;
}

let made: Promise<Both> | undefined;

/** Certificates for the whole file: making them takes longer than a test. */
function certificates(): Promise<Both> {
  return made ??= makeCa().then(async (ca) => ({
    hub: await ca.issue("hub"),
    client: await ca.issue("client"),
  }));
}

function pairMaker(encrypted: boolean, serverIsFirst: boolean): MakeLinkPair {
  return async () => {
    const both = encrypted ? await certificates() : undefined;
    let take!: (link: Link) => void;
    const accepted = new Promise<Link>((resolve) => take = resolve);
    const shared = { minVersion: "1.3", maxFrameBytes: 1024 * 1024, clock: systemClock } as const;
    const server = await listenWebSocket({
      ...shared,
      address: { host: "127.0.0.1", port: 0 },
      credentials: both?.hub,
      maxConnections: 10,
      upgradeTimeoutMs: 10_000,
      logger: silentLogger,
      onLink: (link) => take(link),
    });
    const proxy = startProxy(server.address);
    const dialled = await dialWebSocket({
      ...shared,
      addr: proxy.address,
      name: undefined,
      credentials: both?.client,
      timeoutMs: 10_000,
      signal: new AbortController().signal,
    });
    const links = serverIsFirst ? [await accepted, dialled] : [dialled, await accepted];
    return {
      first: links[0]!,
      second: links[1]!,
      cut: () => proxy.cut(),
      async [Symbol.asyncDispose]() {
        for (const link of links) link.close(1000, "");
        await Promise.all(links.map((link) => link.closed));
        await proxy.close();
        await server.close();
      },
    };
  };
}

testLinks("websocket link from client to server", pairMaker(false, false));
testLinks("websocket link from server to client", pairMaker(false, true));
testLinks("encrypted websocket link from client to server", pairMaker(true, false));
testLinks("encrypted websocket link from server to client", pairMaker(true, true));

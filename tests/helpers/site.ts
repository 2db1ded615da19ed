import type { MessengerOptions } from "@keyop/messenger";
import { LinkProxy } from "./link_proxy.ts";
import { type TestCertificate, TestPki } from "./pki.ts";
import { tempDir } from "./temp.ts";
import { type TestConfig, TestMessenger } from "./test_messenger.ts";

/** Waits between reconnections that suit a test. */
export const QUICK = { reconnectBaseMs: 5, reconnectMaxMs: 50, reconnectJitter: 0 } as const;

/** Several instances of one authority in one folder, which disposal closes and removes. */
export class Site implements AsyncDisposable {
  readonly path: string;
  readonly pki: TestPki;
  readonly #dir: AsyncDisposable;
  readonly #certificates = new Map<string, Promise<TestCertificate>>();
  readonly #closing: AsyncDisposable[] = [];

  private constructor(dir: { path: string } & AsyncDisposable, pki: TestPki) {
    this.path = dir.path;
    this.pki = pki;
    this.#dir = dir;
  }

  /** Makes the folder and the authority. */
  static async make(): Promise<Site> {
    const dir = await tempDir();
    return new Site(dir, await TestPki.make(dir.path));
  }

  /** The certificate of an instance, made when first asked for. */
  certificate(name: string): Promise<TestCertificate> {
    let certificate = this.#certificates.get(name);
    if (certificate === undefined) {
      this.#certificates.set(name, certificate = this.pki.issue(name));
    }
    return certificate;
  }

  /** Opens an instance with a certificate of its name. */
  async open(
    name: string,
    config: TestConfig = {},
    options: MessengerOptions = {},
  ): Promise<TestMessenger> {
    const tls = await this.certificate(name);
    return this.adopt(
      await TestMessenger.openAt(`${this.path}/${name}`, {
        tls,
        federation: QUICK,
        storage: { offsetFlushIntervalMs: 20 },
        ...config,
        name,
      }, options),
    );
  }

  /** Opens a hub on a free port that takes the named peers. */
  openHub(name: string, peers: readonly string[], config: TestConfig = {}): Promise<TestMessenger> {
    const allowedPeers = peers.map((peer) => ({ name: peer }));
    const hub = { enabled: true, listenAddr: "127.0.0.1:0", allowedPeers };
    return this.open(name, { hub, ...config });
  }

  /** A proxy before an address. */
  proxy(target: string): LinkProxy {
    return this.adopt(LinkProxy.start(target));
  }

  /** Ends something together with the site, before what came earlier. */
  adopt<T extends AsyncDisposable>(thing: T): T {
    this.#closing.push(thing);
    return thing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const thing of this.#closing.reverse()) await thing[Symbol.asyncDispose]();
    await this.#dir[Symbol.asyncDispose]();
  }
}

import { generateCa, type GeneratedCertificate, generateInstance } from "../../src/tls/mod.ts";
import type { Clock } from "../../src/base/mod.ts";

/** The three files of an instance, as the configuration takes them. */
export interface TestCertificate {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

/** What a certificate may be made with. */
export interface IssueOptions {
  /** Names of hosts, beside the instance's own. @default `["127.0.0.1", "localhost"]` */
  readonly san?: readonly string[];
  /** Days that it is valid. @default {30} */
  readonly days?: number;
  /** When it is made. */
  readonly clock?: Clock;
  /** Begins the names of its files. @default the instance's name */
  readonly file?: string;
}

/** A certificate authority whose files, and those of its instances, lie in a folder. */
export class TestPki {
  readonly #dir: string;
  readonly #ca: GeneratedCertificate;
  readonly #caPath: string;

  private constructor(dir: string, ca: GeneratedCertificate, caPath: string) {
    this.#dir = dir;
    this.#ca = ca;
    this.#caPath = caPath;
  }

  /**
   * Makes an authority.
   *
   * @param dir A folder that exists.
   * @param name Begins its files' names.
   */
  static async make(
    dir: string,
    name = "ca",
    options: { readonly days?: number; readonly clock?: Clock } = {},
  ): Promise<TestPki> {
    const ca = await generateCa({ days: 60, ...options });
    await Deno.writeTextFile(`${dir}/${name}.crt`, ca.certPem);
    return new TestPki(dir, ca, `${dir}/${name}.crt`);
  }

  /** The authority's certificate, PEM. */
  get caPem(): string {
    return this.#ca.certPem;
  }

  /** Makes a certificate and writes it, replacing one of that name. */
  async issue(name: string, options: IssueOptions = {}): Promise<TestCertificate> {
    const { san = ["127.0.0.1", "localhost"], days = 30, clock, file = name } = options;
    const made = await generateInstance({
      caCertPem: this.#ca.certPem,
      caKeyPem: this.#ca.keyPem,
      name,
      days,
      san: [...san],
      ...(clock === undefined ? {} : { clock }),
    });
    const cert = `${this.#dir}/${file}.crt`;
    const key = `${this.#dir}/${file}.key`;
    await Deno.writeTextFile(cert, made.certPem);
    await Deno.writeTextFile(key, made.keyPem);
    return { cert, key, ca: this.#caPath };
  }
}

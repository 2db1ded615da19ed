import { Readable } from "node:stream";
import { Agent, request as httpsRequest } from "node:https";
import type { ResolvedClientTls } from "../config/mod.ts";
import type { HttpAnswer, HttpSender } from "./http_link.ts";

/** Connections to one backend. */
const SOCKETS_MAX = 256;

/**
 * The way to an HTTP endpoint.
 *
 * @param endpoint Its URL.
 * @param tls How its certificate is checked.
 * @param ca PEM of the authorities; undefined is those of the system.
 */
export function httpSender(
  endpoint: string,
  tls: ResolvedClientTls,
  ca: string | undefined,
): HttpSender {
  const url = new URL(endpoint);
  // `fetch` can neither expect another name than the host's nor take any certificate.
  const special = tls.insecureSkipVerify || tls.serverName !== "";
  return url.protocol === "https:" && special
    ? new TlsSender(url, tls, ca)
    : new FetchSender(url, ca);
}

/** By `fetch`, which keeps its connections and knows which of them are stale. */
class FetchSender implements HttpSender {
  readonly #url: URL;
  readonly #client: Deno.HttpClient;

  constructor(url: URL, ca: string | undefined) {
    this.#url = url;
    this.#client = Deno.createHttpClient({
      ...(ca === undefined ? {} : { caCerts: [ca] }),
      poolMaxIdlePerHost: SOCKETS_MAX,
    });
  }

  async post(
    body: string,
    headers: readonly (readonly [string, string])[],
    signal: AbortSignal,
  ): Promise<HttpAnswer> {
    return await fetch(this.#url, {
      method: "POST",
      body,
      headers: headers.map(([name, value]) => [name, value] as [string, string]),
      redirect: "manual",
      signal,
      client: this.#client,
    });
  }

  close(): void {
    this.#client.close();
  }
}

/** By `node:https`, where the certificate is checked in another way. */
class TlsSender implements HttpSender {
  readonly #url: URL;
  readonly #agent: Agent;

  constructor(url: URL, { serverName, insecureSkipVerify }: ResolvedClientTls, ca?: string) {
    this.#url = url;
    this.#agent = new Agent({
      // A kept connection may be closed by its other end just as it is used again.
      keepAlive: false,
      maxSockets: SOCKETS_MAX,
      rejectUnauthorized: !insecureSkipVerify,
      ...(serverName === "" ? {} : { servername: serverName }),
      ...(ca === undefined ? {} : { ca }),
    });
  }

  post(
    body: string,
    headers: readonly (readonly [string, string])[],
    signal: AbortSignal,
  ): Promise<HttpAnswer> {
    const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
    const sent: Record<string, string | string[]> = {};
    for (const [name, value] of headers) {
      const earlier = sent[name];
      sent[name] = earlier === undefined ? value : [earlier, value].flat();
    }
    const request = httpsRequest(
      this.#url,
      { method: "POST", agent: this.#agent, headers: sent, signal },
      (response) => {
        resolve({
          status: response.statusCode ?? 0,
          body: Readable.toWeb(response) as unknown as ReadableStream<Uint8Array>,
        });
      },
    );
    request.on("error", reject);
    request.end(body);
    return promise;
  }

  close(): void {
    this.#agent.destroy();
  }
}

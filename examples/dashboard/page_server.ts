import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { quietly } from "../demo/quietly.ts";

const PAGE = fileURLToPath(import.meta.resolve("./page/"));
const GATEWAY = "{{gateway}}";

/** A file as browsers get it. */
interface Asset {
  readonly type: string;
  readonly content: string;
}

/** Serves the page: everything comes from here, nothing from other hosts. */
export class PageServer implements AsyncDisposable {
  /** Where the page is. */
  readonly url: string;
  readonly #server: Deno.HttpServer;

  private constructor(server: Deno.HttpServer<Deno.NetAddr>) {
    this.#server = server;
    this.url = `http://127.0.0.1:${server.addr.port}`;
  }

  /**
   * Bundles the page and serves it. Requires `--allow-run=deno`, read of this folder, write of the
   * folder for temporary files, and `--allow-net=127.0.0.1`.
   *
   * @param port Where to listen; 0 is any free port.
   * @param gatewayUrl Where the page finds the gateway.
   * @param signal Ends the bundling, with its reason.
   */
  static async start(port: number, gatewayUrl: string, signal: AbortSignal): Promise<PageServer> {
    const assets = await bundle(gatewayUrl, signal);
    return new PageServer(Deno.serve({ hostname: "127.0.0.1", port, onListen() {} }, (request) => {
      const asset = assets.get(new URL(request.url).pathname);
      if (asset === undefined) return new Response("There is no such page.", { status: 404 });
      return new Response(asset.content, {
        headers: {
          "content-type": asset.type,
          "cache-control": "no-store",
          "content-security-policy":
            `default-src 'self'; img-src data:; style-src 'self' 'unsafe-inline'; connect-src 'self' ` +
            `${gatewayUrl} ${gatewayUrl.replace("ws:", "http:")}/sse`,
        },
      });
    }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

async function bundle(gatewayUrl: string, signal: AbortSignal): Promise<Map<string, Asset>> {
  const folder = await Deno.makeTempDir({ prefix: "keyop-dashboard-" });
  try {
    const options = ["--quiet", "--platform", "browser", "--minify", "--outdir", folder];
    await quietly(["bundle", ...options, join(PAGE, "page.ts")], { cwd: PAGE, signal });
    const html = await Deno.readTextFile(join(PAGE, "index.html"));
    const own = await Deno.readTextFile(join(PAGE, "page.css"));
    const library = await Deno.readTextFile(join(folder, "page.css"));
    const script = await Deno.readTextFile(join(folder, "page.js"));
    return new Map([
      ["/", { type: "text/html; charset=utf-8", content: html.replace(GATEWAY, gatewayUrl) }],
      ["/page.css", { type: "text/css; charset=utf-8", content: library + own }],
      ["/page.js", { type: "text/javascript; charset=utf-8", content: script }],
    ]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

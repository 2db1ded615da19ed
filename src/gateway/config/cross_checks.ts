import { quote } from "../../base/mod.ts";
import { type Findings, parseHostPort } from "../../config/mod.ts";
import { Glob } from "../backend/glob.ts";
import type {
  ResolvedGatewayConfig,
  ResolvedJwt,
  ResolvedProxy,
  ResolvedServerTls,
} from "./resolved.ts";

/** What the source has at a path of the table; entries of lists by their numbers: `proxy.0.grpc`. */
export type Given = (path: string) => unknown;

/**
 * Notes what is wrong between keys that are each right by themselves. A check is left out when one of its keys
 * already has a problem.
 *
 * @param config The configuration, read and filled in.
 * @param given What the source has.
 * @param findings Has the problems of single keys, takes those between them.
 * @param hasMessenger Whether the program brings the messenger instance itself.
 */
export function checkAcross(
  config: ResolvedGatewayConfig,
  given: Given,
  findings: Findings,
  hasMessenger: boolean,
): void {
  const check = new CrossChecks(findings, given);
  check.pair("transport.websocket.tls", config.transport.websocket.tls);
  check.pair("transport.grpc.tls", config.transport.grpc.tls);
  check.pair("admin.tls", config.admin.tls);
  check.addresses(config);
  check.admin(config);
  check.broker(config, hasMessenger);
  config.proxy.forEach((proxy, index) => check.proxy(proxy, index));
  check.unique(
    "is the name of",
    config.proxy.map(({ name }, index) => [`proxy[${index}].name`, name]),
  );
  check.tokens(config);
  check.jwt(config.security.jwt);
  check.rules(config);
  check.admission(config);
}

/** Whether clients' tokens are shown to the backend. */
function authenticates({ hooks, routes }: ResolvedProxy): boolean {
  return hooks.includes("Authenticate") && routes.some(({ channel, method }) => {
    try {
      return new Glob(channel).matches("") && new Glob(method).matches("$authenticate");
    } catch {
      return true; // Told with the route.
    }
  });
}

class CrossChecks {
  constructor(readonly findings: Findings, readonly given: Given) {}

  pair(path: string, tls: ResolvedServerTls): void {
    const [cert, key] = [`${path}.cert_file`, `${path}.key_file`];
    if (this.#faulty(cert, key)) return;
    if (tls.certFile !== "" && tls.keyFile === "") this.#require(key, cert);
    if (tls.keyFile !== "" && tls.certFile === "") this.#require(cert, key);
  }

  addresses({ server, transport, admin }: ResolvedGatewayConfig): void {
    const listening: (readonly [string, string])[] = [];
    if (transport.websocket.enabled) {
      listening.push(["transport.websocket.addr", transport.websocket.addr]);
    }
    if (transport.grpc.enabled) listening.push(["transport.grpc.addr", transport.grpc.addr]);
    if (server.http.enabled) listening.push(["server.http.addr", server.http.addr]);
    if (admin.enabled) listening.push(["admin.addr", admin.addr]);
    const free = listening.filter(([path, addr]) =>
      this.findings.has(path) || parseHostPort(addr).port === 0
    );
    this.unique("is taken by", listening.filter((entry) => !free.includes(entry)));
    if (!transport.websocket.enabled && !transport.grpc.enabled) {
      this.findings.add(
        "transport.websocket.enabled",
        `is false, as ${this.#spell("transport.grpc.enabled")} is: nobody could connect`,
      );
    }
  }

  admin({ admin, transport }: ResolvedGatewayConfig): void {
    if (!admin.enabled || this.#faulty("admin.auth_token", "admin.auth_token_file")) return;
    if (admin.authToken !== "" && admin.authTokenFile !== "") {
      this.#exclude("admin.auth_token_file", "admin.auth_token");
    } else if (admin.authToken === "" && admin.authTokenFile === "" && !admin.allowInsecure) {
      this.findings.add(
        "admin.auth_token",
        "is required, since who reaches the admin API may do everything: set it or " +
          `${this.#spell("admin.auth_token_file")}, or set ${
            this.#spell("admin.allow_insecure")
          } to true`,
      );
    }
    if (admin.shareClientPort && !transport.grpc.enabled) {
      this.findings.add(
        "admin.share_client_port",
        `needs ${this.#spell("transport.grpc.enabled")}`,
      );
    }
  }

  broker({ broker }: ResolvedGatewayConfig, hasMessenger: boolean): void {
    if (broker.type === "redis" && broker.redis.addr === "") {
      this.#require("broker.redis.addr", "broker.type: redis");
    }
    const { config, instance } = broker.messenger;
    const named = config !== "" || instance !== undefined;
    if (broker.type === "messenger" && !named && !hasMessenger) {
      this.#require("broker.messenger.config", "broker.type: messenger");
    }
    if (config !== "" && instance !== undefined) {
      this.#exclude("broker.messenger.instance", "broker.messenger.config");
    }
  }

  proxy({ kind, endpoint }: ResolvedProxy, index: number): void {
    const path = `proxy[${index}].endpoint`;
    if (this.findings.has(path)) return;
    if (kind === "http") {
      if (/^https?:\/\/./i.test(endpoint) && URL.canParse(endpoint)) return;
      this.findings.add(
        path,
        `${quote(endpoint)} is no URL of an HTTP backend, such as "http://127.0.0.1:8000/rpc"`,
      );
      return;
    }
    try {
      const { host, port } = parseHostPort(endpoint.replace(/^(?:dns:\/\/\/|grpc:\/\/)/, ""));
      if (host !== "" && port !== 0) return;
    } catch {
      // Told below.
    }
    this.findings.add(
      path,
      `${quote(endpoint)} is no address of a gRPC backend, such as "127.0.0.1:9000"`,
    );
  }

  tokens({ security }: ResolvedGatewayConfig): void {
    for (const [index, { token, sha256 }] of security.tokens.entries()) {
      const path = `security.tokens[${index}].token`;
      if (this.#faulty(path, `security.tokens[${index}].sha256`)) continue;
      if (token === "" && sha256 === "") {
        this.findings.add(path, "is required, or sha256 in its place");
      } else if (token !== "" && sha256 !== "") {
        this.findings.add(path, "excludes sha256: give one of them");
      }
    }
    this.unique(
      "is the same as",
      security.tokens.flatMap(({ token }, index) =>
        token === "" ? [] : [[`security.tokens[${index}].token`, token] as const]
      ),
      true,
    );
  }

  jwt(jwt: ResolvedJwt): void {
    const path = (name: string): string => `security.jwt.${name}`;
    const keys = {
      secret: jwt.secret,
      secret_file: jwt.secretFile,
      public_key_file: jwt.publicKeyFile,
      jwks_file: jwt.jwksFile,
    };
    const names = Object.keys(keys) as (keyof typeof keys)[];
    if (this.#faulty(path("algorithms"), ...names.map(path))) return;
    const set = names.filter((name) => keys[name] !== "");
    if (jwt.algorithms.length === 0) {
      if (set.length > 0) this.#require(path("algorithms"), path(set[0]!));
      return;
    }
    const symmetric = jwt.algorithms.includes("HS256");
    const asymmetric = jwt.algorithms.some((algorithm) => algorithm !== "HS256");
    if (symmetric && asymmetric) {
      // One kind of key would otherwise be offered to the other kind of check.
      this.findings.add(path("algorithms"), "mixes HS256 with algorithms of public keys");
      return;
    }
    if (set.length > 1) {
      this.#exclude(path(set[1]!), path(set[0]!));
      return;
    }
    const fitting = symmetric ? ["secret", "secret_file"] : ["public_key_file", "jwks_file"];
    if (set.length === 1 && fitting.includes(set[0]!)) return;
    this.findings.add(
      path(set[0] ?? fitting[0]!),
      set.length === 0
        ? `is required by ${jwt.algorithms[0]}, or ${fitting.slice(1).join(" or ")} in its place`
        : `does not fit ${jwt.algorithms[0]}, which needs ${fitting.join(" or ")}`,
    );
  }

  rules({ security }: ResolvedGatewayConfig): void {
    for (const [index, { channels, allow, anonymous, users }] of security.rules.entries()) {
      const path = (name: string): string => `security.rules[${index}].${name}`;
      for (const [name, list] of [["channels", channels], ["allow", allow]] as const) {
        if (list.length > 0 || this.findings.has(path(name))) continue;
        if (this.findings.problems.some(({ path: at }) => at.startsWith(path(name)))) continue;
        this.findings.add(path(name), "is empty, so the rule would do nothing");
      }
      if (anonymous && users.length > 0) {
        this.findings.add(path("anonymous"), `excludes ${this.#spell(path("users"))}`);
      }
    }
  }

  /** Nobody is admitted unknown unless the configuration says so. */
  admission({ server, security, proxy }: ResolvedGatewayConfig): void {
    const path = "server.require_auth";
    if (this.#faulty(path, "server.allow_anonymous", "proxy", "security")) return;
    // What was refused there may have been what checks clients.
    if (this.findings.problems.some(({ path }) => /^(?:proxy|security)\b/.test(path))) return;
    if (this.given(path) === true && server.allowAnonymous) {
      this.#exclude("server.allow_anonymous", path);
      return;
    }
    const checked = security.tokens.length > 0 || security.jwt.algorithms.length > 0 ||
      proxy.some(authenticates);
    if (checked || server.allowAnonymous || this.given(path) !== undefined) return;
    this.findings.add(
      path,
      "nothing checks who connects: set " +
        [
          "security.tokens",
          "security.jwt.algorithms",
          "proxy",
        ].map((name) => this.#spell(name)).join(", ") +
        ` with a route for $authenticate, or set ${
          this.#spell("server.allow_anonymous")
        } to true to admit everybody`,
    );
  }

  unique(relation: string, values: readonly (readonly [string, string])[], secret = false): void {
    const first = new Map<string, string>();
    for (const [path, value] of values) {
      if (this.findings.has(path)) continue;
      const earlier = first.get(value);
      if (earlier === undefined) first.set(value, path);
      else {
        this.findings.add(
          path,
          `${secret ? "" : `${quote(value)} `}${relation} ${this.#spell(earlier)}`,
        );
      }
    }
  }

  #faulty(...paths: readonly string[]): boolean {
    return paths.some((path) => this.findings.has(path));
  }

  #spell(path: string): string {
    return this.findings.spell(path);
  }

  #require(path: string, by: string): void {
    this.findings.add(path, `is required by ${this.#spell(by)}`);
  }

  #exclude(path: string, other: string): void {
    this.findings.add(path, `excludes ${this.#spell(other)}: give one of them`);
  }
}

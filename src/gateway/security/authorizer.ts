import { type Clock, type Logger, messageOf } from "../../base/mod.ts";
import type { ResolvedGatewayConfig } from "../config/mod.ts";
import { DISCONNECTS } from "../session/disconnect.ts";
import type {
  Authorizer,
  AuthResult,
  Backend,
  Backends,
  ChannelAction,
  ConnectInfo,
  User,
} from "../session/ports.ts";
import { type WireError, wireError } from "../session/wire_error.ts";
import { JwtVerifier, type JwtVerifierOptions } from "./jwt.ts";
import { Rules } from "./rules.ts";
import { StaticTokens } from "./static_tokens.ts";

/** Longest user id that a backend may give, in characters. */
const USER_ID_MAX = 255;
const ANONYMOUS: User = { id: "", claims: {} };

/** What {@linkcode openAuthorizer} needs. */
export interface AuthorizerOptions extends JwtVerifierOptions {
  /** Time. */
  readonly clock: Clock;
  /** Told about logins that could not be checked. */
  readonly logger: Logger;
  /** Has the one that is asked about tokens, if one is. */
  readonly backends: Backends;
}

/**
 * Makes the authorizer of a configuration. Needs `--allow-read` for the files of keys.
 *
 * @param config Tokens, keys and rules.
 * @param options Time, backends and where to log.
 * @throws {ConfigError} When a key cannot be read.
 */
export async function openConfiguredAuthorizer(
  config: Pick<ResolvedGatewayConfig, "server" | "security">,
  options: AuthorizerOptions,
): Promise<Authorizer> {
  const { jwt } = config.security;
  const verifier = jwt.algorithms.length === 0 ? undefined : await JwtVerifier.open(jwt, options);
  return new ConfiguredAuthorizer(config, verifier, options);
}

/** Tokens of a list, JSON Web Tokens and the backend, in this order; then the rules. */
class ConfiguredAuthorizer implements Authorizer {
  readonly #server: ResolvedGatewayConfig["server"];
  readonly #tokens: StaticTokens;
  readonly #jwt: JwtVerifier | undefined;
  readonly #rules: Rules;
  readonly #backends: Backends;
  readonly #logger: Logger;

  constructor(
    { server, security }: Pick<ResolvedGatewayConfig, "server" | "security">,
    jwt: JwtVerifier | undefined,
    { backends, logger }: AuthorizerOptions,
  ) {
    this.#server = server;
    this.#tokens = new StaticTokens(security.tokens);
    this.#jwt = jwt;
    this.#rules = new Rules(security.rules);
    this.#backends = backends;
    this.#logger = logger;
  }

  async authenticate(connect: ConnectInfo, signal: AbortSignal): Promise<AuthResult> {
    const backend = this.#backends.find("", "$authenticate", "Authenticate");
    const checked = this.#tokens.size > 0 || this.#jwt !== undefined || backend !== undefined;
    const { allowAnonymous, requireAuth } = this.#server;
    if (connect.token === "" || !checked) {
      const admitted = connect.token === "" && allowAnonymous ||
        !checked && (allowAnonymous || !requireAuth);
      if (admitted) return { ok: true, user: ANONYMOUS };
      return refused(wireError("AUTH_REQUIRED", "a token is required"));
    }
    const user = this.#tokens.find(connect.token) ?? await this.#fromJwt(connect.token);
    if (user !== undefined) return { ok: true, user };
    if (backend === undefined) {
      return refused(wireError("AUTH_ERROR", "the token is not valid"));
    }
    return await this.#ask(backend, connect, signal);
  }

  may(user: User, action: ChannelAction, channel: string): boolean {
    return this.#rules.may(user, action, channel);
  }

  async #fromJwt(token: string): Promise<User | undefined> {
    if (this.#jwt === undefined || !JwtVerifier.looksLikeOne(token)) return undefined;
    return await this.#jwt.verify(token);
  }

  async #ask(backend: Backend, connect: ConnectInfo, signal: AbortSignal): Promise<AuthResult> {
    const { clientId, clientType, token, sessionId } = connect;
    try {
      const outcome = await backend.authenticate(
        { username: clientId, password: token, clientType, clientId },
        { sessionId, clientId, userId: "" },
        signal,
      );
      if ("error" in outcome) return refused(outcome.error);
      const { user } = outcome;
      if (user.id.length > USER_ID_MAX) throw new RangeError("the user id is too long");
      const claims = Object.entries({
        username: user.username,
        client_type: user.clientType,
        client_id: user.clientId,
      }).filter(([, text]) => text !== "");
      return { ok: true, user: { id: user.id, claims: Object.fromEntries(claims) } };
    } catch (error) {
      if (!signal.aborted) {
        this.#logger.warn("a login could not be checked", {
          backend: backend.name,
          session: sessionId,
          reason: messageOf(error),
        });
      }
      return refused(wireError("AUTH_ERROR", "the token could not be checked"));
    }
  }
}

function refused(error: WireError): AuthResult {
  return { ok: false, error, disconnect: DISCONNECTS.invalidToken };
}

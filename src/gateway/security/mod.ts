/**
 * Who connects, and what they may do. Needs read permission on the files of keys.
 *
 * @module
 */
export { type AuthorizerOptions, openConfiguredAuthorizer } from "./authorizer.ts";
export { JwtVerifier, type JwtVerifierOptions } from "./jwt.ts";
export { Rules } from "./rules.ts";
export { StaticTokens } from "./static_tokens.ts";

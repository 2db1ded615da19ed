/** Which pages may connect. */
export interface OriginRules {
  /** `https://app.example`, or `https://*.app.example` for every name below it. */
  readonly allowedOrigins: readonly string[];
  readonly allowAllOrigins: boolean;
}

/**
 * Whether a request may come from where it says: from no page, from a page of the same host, or from
 * one that is allowed.
 *
 * @param origin The header `Origin`.
 * @param host The header `Host`.
 * @param rules What else is allowed.
 */
export function isOriginAllowed(
  origin: string | undefined,
  host: string | undefined,
  rules: OriginRules,
): boolean {
  if (origin === undefined || origin === "" || rules.allowAllOrigins) return true;
  const from = parse(origin);
  if (from === undefined) return false;
  if (host !== undefined && parse(`${from.protocol}//${host}`)?.host === from.host) return true;
  return rules.allowedOrigins.some((allowed) => matches(allowed, from));
}

const ANY_NAME_BELOW = "://*.";

function matches(allowed: string, { protocol, host, origin }: URL): boolean {
  const at = allowed.indexOf(ANY_NAME_BELOW);
  if (at < 0) return parse(allowed)?.origin === origin;
  const below = parse(`${allowed.slice(0, at)}://${allowed.slice(at + ANY_NAME_BELOW.length)}`);
  return below?.protocol === protocol && host.endsWith(`.${below.host}`);
}

function parse(text: string): URL | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url?.host ? url : undefined;
}

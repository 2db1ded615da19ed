import type { ResolvedRule } from "../config/mod.ts";
import { isCompanion, withoutCompanion } from "../pattern/mod.ts";
import type { ChannelAction, User } from "../session/ports.ts";

const USER_PLACEHOLDER = "{user}";

interface Segment {
  readonly text: string;
  /** Whether the user's id stands in it. */
  readonly personal: boolean;
}

interface Rule {
  readonly channels: readonly (readonly Segment[])[];
  readonly allow: ReadonlySet<string>;
  readonly users: ReadonlySet<string>;
  readonly claims: readonly (readonly [path: string, accepted: ReadonlySet<string>])[];
  readonly anonymous: boolean;
}

/**
 * Who may do what on which channels. Without rules everybody may do everything; with rules, what none of them
 * allows is refused. A pattern may only be subscribed to where a rule covers all that it could match.
 */
export class Rules {
  readonly #rules: readonly Rule[];

  /** @param rules As they are configured. */
  constructor(rules: readonly ResolvedRule[]) {
    this.#rules = rules.map(({ channels, allow, users, claims, anonymous }) => ({
      channels: channels.map((pattern) =>
        pattern.split(".").map((text) => ({ text, personal: text.includes(USER_PLACEHOLDER) }))
      ),
      allow: new Set<string>(allow),
      users: new Set(users),
      claims: Object.entries(claims).map(([path, texts]) => [path, new Set(texts)] as const),
      anonymous,
    }));
  }

  /** Whether a user may do this with a channel or, to subscribe, with a pattern. */
  may(user: User, action: ChannelAction, channel: string): boolean {
    if (this.#rules.length === 0) return true;
    // What a companion tells is who is present on its channel.
    const needed = action === "subscribe" && isCompanion(channel) ? "presence" : action;
    const segments = withoutCompanion(channel).split(".");
    return this.#rules.some((rule) =>
      rule.allow.has(needed) && holdsFor(rule, user) &&
      rule.channels.some((pattern) => covers(pattern, segments, user.id))
    );
  }
}

function holdsFor(rule: Rule, user: User): boolean {
  if (user.id === "") return rule.anonymous && hasClaims(rule, user);
  return (rule.users.size === 0 || rule.users.has(user.id)) && hasClaims(rule, user);
}

function hasClaims({ claims }: Rule, user: User): boolean {
  return claims.every(([path, accepted]) =>
    claimTexts(user.claims, path).some((text) => accepted.has(text))
  );
}

/** Whether a rule's pattern matches everything that what is asked for matches. */
function covers(pattern: readonly Segment[], asked: readonly string[], userId: string): boolean {
  for (const [index, segment] of pattern.entries()) {
    if (segment.text === "**") return true;
    const part = asked[index];
    if (part === undefined || part === "**") return false;
    if (segment.text === "*") continue;
    if (!segment.personal) {
      if (segment.text !== part) return false;
      continue;
    }
    // An id that looks like a pattern must not become one.
    if (userId === "" || part === "*") return false;
    if (segment.text.replaceAll(USER_PLACEHOLDER, () => userId) !== part) return false;
  }
  return asked.length === pattern.length;
}

/** The texts of a claim: its own, or those of its list. A scope is a list with spaces between. */
function claimTexts(claims: Readonly<Record<string, unknown>>, path: string): readonly string[] {
  const value = claimAt(claims, path);
  if (Array.isArray(value)) return value.flatMap(textOf);
  if (typeof value === "string" && (path === "scope" || path === "scp")) return value.split(" ");
  return textOf(value);
}

function textOf(value: unknown): string[] {
  const plain = typeof value === "string" || typeof value === "number" ||
    typeof value === "boolean";
  return plain ? [String(value)] : [];
}

function claimAt(claims: Readonly<Record<string, unknown>>, path: string): unknown {
  // Claims with dots or slashes in their names are common: the name itself comes first.
  if (Object.hasOwn(claims, path)) return claims[path];
  let at: unknown = claims;
  for (const name of path.split(".")) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, name)) return undefined;
    at = (at as Record<string, unknown>)[name];
  }
  return at;
}

import { messageOf, quote } from "../../base/mod.ts";
import { nearestName } from "../../config/mod.ts";
import { Glob } from "../backend/glob.ts";

/** The calls that a backend can get. */
export const HOOKS = [
  "RPC",
  "Authenticate",
  "SubscribeAcl",
  "OnConnected",
  "OnSubscribed",
  "OnUnsubscribed",
  "OnDisconnected",
] as const;

/** One of the calls that a backend can get. */
export type HookName = typeof HOOKS[number];

const ACTIONS = ["subscribe", "publish", "presence", "history"] as const;
const ALGORITHMS = ["HS256", "RS256", "EdDSA"] as const;
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const OWN_HEADERS = ["host", "content-type", "content-length", "connection", "transfer-encoding"];

/** A path of a URL: `/ws`. */
export function checkPath(text: string): string | undefined {
  if (/^\/[\w.~/-]*$/.test(text)) return undefined;
  return `${
    quote(text)
  } is no path: it begins with "/" and has letters, digits, ".", "_", "~", "-"`;
}

/** An origin, whose host may begin with `*.`. */
export function checkOrigin(text: string): string | undefined {
  const example = `write it as in "https://app.example" or "https://*.app.example:8443"`;
  const found = /^(https?:\/\/)(\*\.)?([^*/?#@\s]+)$/.exec(text);
  if (!found || !URL.canParse(`${found[1]}${found[3]}`)) {
    return `${quote(text)} is no origin: ${example}`;
  }
  return undefined;
}

/** A pattern of a route. */
export function checkRouteGlob(text: string): string | undefined {
  try {
    new Glob(text);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

/** A pattern of channels, as rules use them. */
export function checkPattern(text: string): string | undefined {
  if (text.endsWith("/__presence")) {
    return `${quote(text)} is not needed: to follow who is present takes "presence" on the channel`;
  }
  const segments = text.split(".");
  if (segments.some((segment) => segment === "")) return `${quote(text)} has an empty segment`;
  if (segments.slice(0, -1).includes("**")) {
    return `${quote(text)} has "**" before its end, where it has no meaning`;
  }
  return undefined;
}

/** A secret that cannot be guessed by trying a few. */
export function checkSecret(text: string): string | undefined {
  return text.length < 8
    ? `has ${text.length} characters; a secret needs at least 8, and better 32`
    : undefined;
}

/** The name of a hook. */
export function checkHook(text: string): string | undefined {
  return oneOf(HOOKS, text, "hook");
}

/** What a rule may allow. */
export function checkRuleAction(text: string): string | undefined {
  return oneOf(ACTIONS, text, "action");
}

/** A signature algorithm of JWTs. */
export function checkAlgorithm(text: string): string | undefined {
  return oneOf(ALGORITHMS, text, "algorithm");
}

/** A header that the configuration may add. */
export function checkHeader(name: string, texts: readonly string[]): string | undefined {
  if (!HEADER_NAME.test(name)) return "is no name of a header";
  const lower = name.toLowerCase();
  if (OWN_HEADERS.includes(lower) || lower.startsWith("x-messageloop-")) {
    return "is set by the gateway itself";
  }
  const plain = texts.every((text) => /^[\x20-\x7e]*$/.test(text));
  return plain ? undefined : "has a value with characters that no header can have";
}

function oneOf(known: readonly string[], text: string, what: string): string | undefined {
  if (known.includes(text)) return undefined;
  return `${quote(text)} is no ${what}; the nearest one is ${nearestName(text, known)}`;
}

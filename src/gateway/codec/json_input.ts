/**
 * Names that the schema overrides; their usual spelling is taken as well, as it is for all others.
 */
const ENVELOPE_NAMES = {
  rpcRequest: "rpc_request",
  subRefresh: "sub_refresh",
  surveyRequest: "survey_request",
  surveyResponse: "survey_response",
} as const;
const CONNECT_NAMES = { clientId: "client_id", clientType: "client_type" } as const;

/**
 * Gives the keys of an inbound frame the names that the schema knows. Changes what it is given.
 *
 * @returns What is wrong; undefined when nothing is.
 */
export function normalizeNames(frame: unknown): string | undefined {
  if (!isObject(frame)) return undefined;
  dropNulls(frame);
  for (const body of Object.values(frame)) {
    if (!isObject(body)) continue;
    dropNulls(body);
    dropNullsOfEvent(body);
    if (isObject(body["payload"])) dropNullsOfEvent(body["payload"]);
  }
  return rename(frame, ENVELOPE_NAMES) ??
    (isObject(frame["connect"]) ? rename(frame["connect"], CONNECT_NAMES) : undefined);
}

/** A null is no member of a oneof; only elsewhere does the library take it for nothing. */
function dropNulls(object: Record<string, unknown>): void {
  for (const key of Object.keys(object)) if (object[key] === null) delete object[key];
}

function dropNullsOfEvent(event: Record<string, unknown>): void {
  dropNulls(event);
  if (!isObject(event["attributes"])) return;
  for (const value of Object.values(event["attributes"])) if (isObject(value)) dropNulls(value);
}

function rename(
  object: Record<string, unknown>,
  names: Readonly<Record<string, string>>,
): string | undefined {
  for (const [camel, name] of Object.entries(names)) {
    if (!Object.hasOwn(object, camel)) continue;
    const value = object[camel];
    delete object[camel];
    if (object[name] !== undefined) return `"${name}" is given twice`;
    object[name] = value;
  }
  return undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** An escape of half a character, which no UTF-8 can say when the other half does not follow. */
const SURROGATE_ESCAPE = /\\u[dD][89a-fA-F]/;

/** Whether some text of the parsed JSON is half a character. */
export function hasHalfCharacter(source: string, parsed: unknown): boolean {
  if (!SURROGATE_ESCAPE.test(source)) return false;
  const open: unknown[] = [parsed];
  while (open.length > 0) {
    const at = open.pop();
    if (typeof at === "string") {
      if (!at.isWellFormed()) return true;
    } else if (Array.isArray(at)) {
      for (const item of at) open.push(item);
    } else if (isObject(at)) {
      for (const [key, value] of Object.entries(at)) open.push(key, value);
    }
  }
  return false;
}

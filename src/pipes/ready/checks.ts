import { InvalidConfigError } from "../errors.ts";

/** Which way messages go through a pipe that minds only one of them. */
export type Way = "send" | "handle" | "both";

/**
 * Refuses what is not a number of the range.
 *
 * @param pipe Name of the pipe.
 * @param name Name of the option.
 * @param value Its value.
 * @param least The smallest allowed.
 * @param most The largest allowed.
 * @throws {InvalidConfigError} When it is none.
 */
export function inRange(
  pipe: string,
  name: string,
  value: number,
  least: number,
  most = Number.MAX_SAFE_INTEGER,
): number {
  if (typeof value === "number" && value >= least && value <= most) return value;
  throw new InvalidConfigError(
    `Cannot make the ${pipe} pipe with ${name} ${value}: give a number from ${least} to ${most}`,
  );
}

/** {@linkcode inRange} of a whole number. */
export function wholeInRange(
  pipe: string,
  name: string,
  value: number,
  least: number,
  most = Number.MAX_SAFE_INTEGER,
): number {
  if (Number.isInteger(inRange(pipe, name, value, least, most))) return value;
  throw new InvalidConfigError(
    `Cannot make the ${pipe} pipe with ${name} ${value}: give a whole number`,
  );
}

/** Whether a pipe of this way minds messages that go that way. */
export function minds(way: Way, going: "send" | "handle"): boolean {
  return way === "both" || way === going;
}

/** Refuses what is no way. */
export function checkWay(pipe: string, way: Way): Way {
  if (way === "send" || way === "handle" || way === "both") return way;
  throw new InvalidConfigError(
    `Cannot make the ${pipe} pipe with way ${way}: give "send", "handle" or "both"`,
  );
}

import { type Random, systemRandom } from "../base/mod.ts";
import type { Connection } from "./connection.ts";
import { InvalidConfigError } from "./errors.ts";

/**
 * Chooses to which of the connections a message goes. The list is not empty; what it gives back may be.
 */
export type Pattern = (connections: readonly Connection[]) => readonly Connection[];

/**
 * To all of them.
 *
 * @param connections The connections.
 * @returns The same.
 */
export function publish(connections: readonly Connection[]): readonly Connection[] {
  return connections;
}

/**
 * To each in its turn.
 *
 * @returns The pattern, for one broker.
 */
export function roundRobin(): Pattern {
  // Remembering whose turn it was, rather than an index, skips nobody when others come or go.
  let last: Connection | undefined;
  let place = -1;
  return (connections) => {
    if (connections.length === 0) return [];
    const found = last === undefined ? -1 : connections.indexOf(last);
    // When it is gone, the one behind it has its place now.
    place = (found === -1 ? Math.max(place, 0) : found + 1) % connections.length;
    last = connections[place]!;
    return [last];
  };
}

/**
 * To any one of them, chosen anew for each message.
 *
 * @param options `random` replaces randomness, for tests.
 * @returns The pattern.
 */
export function random(options: { readonly random?: Random } = {}): Pattern {
  const { random: source = systemRandom } = options;
  return (connections) => {
    const chosen = connections[Math.floor(source.next() * connections.length)];
    return chosen === undefined ? [] : [chosen];
  };
}

/**
 * To those that have been connected the longest.
 *
 * @param count How many: a whole number from 1.
 * @returns The pattern.
 * @throws {InvalidConfigError} When it is no such number.
 */
export function firstOf(count: number): Pattern {
  if (!Number.isInteger(count) || count < 1) {
    throw new InvalidConfigError(
      `Cannot send to the first ${count} connections: give a whole number from 1`,
    );
  }
  return (connections) => connections.slice(0, count);
}

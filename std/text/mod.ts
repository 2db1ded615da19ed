// Stands in for jsr:@std/text so that a checkout builds from the npm registry alone.
import { closestString as untypedClosestString } from "deno-std/text/closest_string.js";
import { levenshteinDistance as untypedDistance } from "deno-std/text/levenshtein_distance.js";

/** The word with the fewest edits from the given one; the case of letters counts for nothing. */
export const closestString: (givenWord: string, possibleWords: readonly string[]) => string =
  untypedClosestString;

/** How many characters have to be added, removed or replaced. */
export const levenshteinDistance: (a: string, b: string) => number = untypedDistance;

// Stands in for jsr:@std/yaml so that a checkout builds from the npm registry alone.
import { parse as untypedParse, stringify as untypedStringify } from "deno-std/yaml/mod.js";

/** Parses one YAML document; throws `SyntaxError` with line and column. */
export const parse: (content: string) => unknown = untypedParse;

/** Writes a value as YAML. */
export const stringify: (data: unknown) => string = untypedStringify;

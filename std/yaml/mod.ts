// Stands in for jsr:@std/yaml so that a checkout builds from the npm registry alone.
import { parse as untypedParse, stringify as untypedStringify } from "deno-std/yaml/mod.js";

/** Options of {@linkcode parse}. */
export interface ParseOptions {
  /** Which plain scalars are more than text; "failsafe" leaves every one as written. @default {"default"} */
  readonly schema?: "core" | "default" | "failsafe" | "json" | "extended";
}

/** Parses one YAML document; throws `SyntaxError` with line and column. */
export const parse: (content: string, options?: ParseOptions) => unknown = untypedParse;

/** Writes a value as YAML. */
export const stringify: (data: unknown) => string = untypedStringify;

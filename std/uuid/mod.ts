// Stands in for jsr:@std/uuid so that a checkout builds from the npm registry alone.
import { validate as untypedValidate } from "deno-std/uuid/common.js";

/** Whether the text is a UUID of any version. */
export const validate: (uuid: string) => boolean = untypedValidate;

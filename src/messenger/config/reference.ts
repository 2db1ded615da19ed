import { referenceOf } from "../../config/mod.ts";
import { KEYS } from "./schema.ts";

/** Every key with what it takes, its default and its meaning, as a Markdown table. */
export function configReference(): string {
  return referenceOf(KEYS);
}

import { referenceOf } from "../../config/mod.ts";
import { KEYS } from "./schema.ts";

/** Every key with what it takes, its default and its meaning, as a Markdown table. */
export function gatewayConfigReference(): string {
  return referenceOf(KEYS);
}

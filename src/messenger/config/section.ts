import { nearestName } from "./nearest.ts";
import { type Key, KEYS } from "./schema.ts";

/** A part of the table: the keys that stand beside each other, and the sections below them. */
export interface Section {
  /** By name, as YAML spells it. */
  readonly keys: ReadonlyMap<string, Key>;
  /** By name; the entries of a list are the section `{name}[]`. */
  readonly sections: ReadonlyMap<string, Section>;
}

interface Growing extends Section {
  readonly keys: Map<string, Key>;
  readonly sections: Map<string, Growing>;
}

/** The whole table. */
export const ROOT: Section = grow(KEYS);

/**
 * The path of the known key or section that is nearest to an unknown one.
 *
 * @param name The unknown name.
 * @param section Where it stands.
 * @param at That section's path in the configuration; "" for the whole.
 * @param spell How the source spells names.
 */
export function nearestKey(
  name: string,
  section: Section,
  at: string,
  spell: (name: string) => string,
): string {
  // A name that is right but stands in the wrong place wins over a guess.
  const elsewhere = KEYS.find(({ path }) =>
    !path.includes("[]") && spell(path.split(".").at(-1)!) === name
  );
  if (elsewhere) return spell(elsewhere.path);
  const siblings = [...section.keys.keys(), ...section.sections.keys()]
    .filter((sibling) => !sibling.endsWith("[]")).map(spell);
  const nearest = nearestName(name, siblings)!;
  return at === "" ? nearest : `${spell(at)}.${nearest}`;
}

function grow(keys: readonly Key[]): Section {
  const root: Growing = { keys: new Map(), sections: new Map() };
  for (const key of keys) {
    const names = key.path.split(".");
    const last = names.pop()!;
    let section = root;
    for (const name of names) {
      let next = section.sections.get(name);
      if (!next) section.sections.set(name, next = { keys: new Map(), sections: new Map() });
      section = next;
    }
    section.keys.set(last, key);
  }
  return root;
}

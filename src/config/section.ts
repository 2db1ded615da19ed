import { nearestName } from "./nearest.ts";
import type { Key } from "./key.ts";

/** A part of the table: the keys that stand beside each other, and the sections below them. */
export interface Section {
  /** By name, as YAML spells it. */
  readonly keys: ReadonlyMap<string, Key>;
  /** By name; the entries of a list are the section `{name}[]`. */
  readonly sections: ReadonlyMap<string, Section>;
  /** The whole table. */
  readonly table: readonly Key[];
}

interface Growing extends Section {
  readonly keys: Map<string, Key>;
  readonly sections: Map<string, Growing>;
}

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
  // A name that is right but stands in the wrong place wins over a guess, the more so further below.
  const elsewhere = section.table.filter(({ path }) =>
    !path.includes("[]") && spell(path.split(".").at(-1)!) === name
  );
  const below = elsewhere.find(({ path }) => at !== "" && path.startsWith(`${at}.`));
  if (elsewhere.length > 0) return spell((below ?? elsewhere[0]!).path);
  const siblings = [...section.keys.keys(), ...section.sections.keys()]
    .filter((sibling) => !sibling.endsWith("[]")).map(spell);
  const nearest = nearestName(name, siblings)!;
  return at === "" ? nearest : `${spell(at)}.${nearest}`;
}

/** The sections of a table, by the paths of its keys. */
export function sectionsOf(keys: readonly Key[]): Section {
  const empty = (): Growing => ({ keys: new Map(), sections: new Map(), table: keys });
  const root = empty();
  for (const key of keys) {
    const names = key.path.split(".");
    const last = names.pop()!;
    let section = root;
    for (const name of names) {
      let next = section.sections.get(name);
      if (!next) section.sections.set(name, next = empty());
      section = next;
    }
    section.keys.set(last, key);
  }
  return root;
}

/** Different names out of several sources, in their order, up to a limit. */
export function firstNames(
  limit: number,
  ...sources: readonly Iterable<string>[]
): readonly string[] {
  const names = new Set<string>();
  for (const source of sources) {
    for (const name of source) {
      if (names.size >= limit) break;
      names.add(name);
    }
  }
  return [...names];
}

/** Whether a name has a segment that stands for others. */
export function isPattern(name: string): boolean {
  return name.split(".").some((segment) => segment === "*" || segment === "**");
}

/**
 * Whether a channel fits a pattern: a segment `*` stands for one of any text, a last segment `**` for
 * any number of them.
 */
export function matches(pattern: string, channel: string): boolean {
  const wanted = pattern.split(".");
  const given = channel.split(".");
  const open = wanted.at(-1) === "**";
  if (open) wanted.pop();
  if (open ? given.length < wanted.length : given.length !== wanted.length) return false;
  return wanted.every((segment, at) => segment === "*" || segment === given[at]);
}

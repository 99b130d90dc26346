/** Converts names in camelCase, as in the query of a URL, to keys of a configuration. */

/** The text of each key, including unknown keys. `forcePathStyle` and `force-path-style` are the same key. */
export function keysOfQuery(search: string): Record<string, unknown> {
  const entries = Array.from(
    new URLSearchParams(search),
    ([name, value]) => [keyOf(name), value] as const,
  );
  return Object.fromEntries(entries);
}

/** `force-path-style` for `forcePathStyle`. */
export function keyOf(name: string): string {
  return name.replaceAll(/[A-Z]+/g, (letters) => `-${letters.toLowerCase()}`);
}

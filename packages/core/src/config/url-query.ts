/** Converts the query of a URL to keys of a configuration. */

/** The text of each key, including unknown keys. `forcePathStyle` and `force-path-style` are the same key. */
export function keysOfQuery(search: string): Record<string, unknown> {
  const entries = Array.from(new URLSearchParams(search), ([name, value]) => {
    const key = name.replaceAll(/[A-Z]+/g, (letters) => `-${letters.toLowerCase()}`);
    return [key, value] as const;
  });
  return Object.fromEntries(entries);
}

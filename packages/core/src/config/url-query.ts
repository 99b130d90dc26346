/** The query of a URL as keys of a configuration. */

/** Text for each key, unknown ones too. `forcePathStyle` and `force-path-style` are the same key. */
export function keysOfQuery(search: string): Record<string, unknown> {
  const entries = Array.from(new URLSearchParams(search), ([name, value]) => {
    const key = name.replaceAll(/[A-Z]+/g, (letters) => `-${letters.toLowerCase()}`);
    return [key, value] as const;
  });
  return Object.fromEntries(entries);
}

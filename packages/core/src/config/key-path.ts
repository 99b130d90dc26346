/** `path` of a destination whose files lie under keys, in a bucket. */

/** The nearest root with plain keys; undefined where nothing is left of it. */
export function plainRoot(root: string): string | undefined {
  const parts: string[] = [];
  for (const part of root.replaceAll('\\', '/').split('/')) {
    if (part === '..') parts.pop();
    else if (isPlainPart(part)) parts.push(part);
  }
  return parts.length === 0 ? undefined : parts.join('/');
}

/** Whether every server keeps this part of a key as it is. */
export function isPlainPart(part: string): boolean {
  return part !== '' && part !== '.' && part !== '..' && !part.includes('\\');
}

/**
 * The problem with a path in a bucket, phrased to follow the name of its key; undefined if there is none.
 * Litestream allows slashes at the ends and two in a row. Some servers do not keep such keys; that is
 * checked before the first write (keyed-roots.ts).
 */
export function problemWithPath(path: string): string | undefined {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(path)?.[0];
  if (scheme !== undefined) return `is a URL (${scheme}): write it under url`;
  if (/[\p{Cc}]/u.test(path)) return 'holds a character that cannot be seen';
  const parts = path.split('/');
  const isOdd = path.includes('\\') || (path !== '.' && parts.some((part) => /^\.\.?$/.test(part)));
  if (!isOdd) return undefined;
  const meant = plainRoot(path);
  const next = meant === undefined ? '' : `: write ${meant}`;
  return `must have no backslashes, and no . or .. between slashes${next}`;
}

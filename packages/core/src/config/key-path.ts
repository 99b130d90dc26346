/** The key `path` of a destination that stores files under keys, in a bucket. */

/** The root without invalid parts; undefined if nothing is left. */
export function plainRoot(root: string): string | undefined {
  const parts: string[] = [];
  for (const part of root.replaceAll('\\', '/').split('/')) {
    if (part === '..') parts.pop();
    else if (isPlainPart(part)) parts.push(part);
  }
  return parts.length === 0 ? undefined : parts.join('/');
}

/** Whether every server keeps this part of a key unchanged. */
export function isPlainPart(part: string): boolean {
  return part !== '' && part !== '.' && part !== '..' && !part.includes('\\');
}

/**
 * The problem with a path in a bucket, phrased to follow the name of its key; undefined if there is none.
 * Litestream allows leading, trailing and double slashes. Some servers change such keys; this is checked
 * before the first write (key-proof.ts).
 */
export function problemWithPath(path: string): string | undefined {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(path)?.[0];
  if (scheme !== undefined) return `is a URL (${scheme}): write it under url`;
  if (/[\p{Cc}]/u.test(path)) return 'contains a control character';
  const parts = path.split('/');
  const isOdd = path.includes('\\') || (path !== '.' && parts.some((part) => /^\.\.?$/.test(part)));
  if (!isOdd) return undefined;
  const meant = plainRoot(path);
  const next = meant === undefined ? '' : `: write ${meant}`;
  return `must have no backslashes, and no . or .. between slashes${next}`;
}

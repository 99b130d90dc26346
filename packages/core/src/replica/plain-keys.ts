/**
 * Keys that every server keeps as they are. Some tidy others like paths of files: `db//0000/F` and
 * `/db/0000/F` become `db/0000/F`, and a listing of what was asked for is then empty. A key is plain if
 * and only if no part of it between slashes is empty, `.` or `..`, and no backslash is in it. Pure.
 */

import { allLevelsPrefix } from '../store/layout.ts';
import type { Layout } from '../store/client.ts';

/** Whether the keys of a root are plain. Those of Litestream in a bucket are not, without a path. */
export function hasPlainKeys(layout: Layout, root: string): boolean {
  const parts = allLevelsPrefix(layout, root).split('/').slice(0, -1);
  return parts.every(isPlainPart);
}

/** The nearest root with plain keys; undefined where nothing is left of it. */
export function plainRoot(root: string): string | undefined {
  const parts: string[] = [];
  for (const part of root.replaceAll('\\', '/').split('/')) {
    if (part === '..') parts.pop();
    else if (isPlainPart(part)) parts.push(part);
  }
  return parts.length === 0 ? undefined : parts.join('/');
}

function isPlainPart(part: string): boolean {
  return part !== '' && part !== '.' && part !== '..' && !part.includes('\\');
}

/**
 * What is wrong with a path in a bucket, for an issue of its configuration; undefined where nothing is.
 * Slashes at its ends, and two of them together, are Litestream's to have: servers that do not keep
 * them are found out before the first write (keyed-roots.ts).
 */
export function whatIsWrongWithPath(path: string): string | undefined {
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

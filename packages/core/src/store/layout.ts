/**
 * Layouts of keys: the only file that builds or parses keys. Both layouts are Litestream's.
 *
 *  layout     one LTX file               all levels       root joined by
 *  levels     <root>/000<L>/<F>          <root>/000       plain concatenation, nothing cleaned (S3, OSS)
 *  tree       <root>/ltx/<L>/<F>         <root>/ltx/      POSIX join (file, GCS, Azure, SFTP, ...)
 *
 * L is 0 to 9, F is `<min16hex>-<max16hex>.ltx`. An empty root gives `/0000/F` in the levels layout
 * and `ltx/0/F` in a tree. Named objects are POSIX-joined in both, as in Litestream 0.3. A key names an
 * LTX file if and only if it consists of the prefix of all levels, one digit, a slash and a valid name.
 * Hex is fixed-width, so keys sort by TXID.
 */

import { posix } from 'node:path';

import { assert, ReplicationError } from '../error.ts';
import { formatFilename, parseFilename } from '../ltx/filename.ts';
import { formatTXID, type TXID } from '../ltx/txid.ts';
import type { Layout } from './client.ts';

/** An LTX file: its level (0: as written, 1 to 8: merged, 9: snapshots) and its TXIDs. */
export interface LTXFileRef {
  readonly level: number;
  readonly minTXID: TXID;
  readonly maxTXID: TXID;
}

/** The highest level, which contains snapshots. */
const LEVEL_MAX = 9;

/** The key of one LTX file. */
export function keyOf(layout: Layout, root: string, file: LTXFileRef): string {
  return levelPrefix(layout, root, file.level) + formatFilename(file.minTXID, file.maxTXID);
}

/** The LTX file that a key names; undefined for any other key. */
export function parseKey(layout: Layout, root: string, key: string): LTXFileRef | undefined {
  const prefix = allLevelsPrefix(layout, root);
  if (!key.startsWith(prefix) || key[prefix.length + 1] !== '/') return undefined;
  const level = key.charCodeAt(prefix.length) - 0x30;
  if (level < 0 || level > LEVEL_MAX) return undefined;
  const txids = parseFilename(key.slice(prefix.length + 2));
  return txids === undefined ? undefined : { level, ...txids };
}

/** The prefix of all keys of one level. Ends with a slash. */
export function levelPrefix(layout: Layout, root: string, level: number): string {
  assert(Number.isInteger(level) && level >= 0 && level <= LEVEL_MAX, `level ${level} is 0 to 9`);
  return `${allLevelsPrefix(layout, root)}${level}/`;
}

/** The prefix of the keys of all levels. No key of Litestream 0.3 or of another replica begins with it. */
export function allLevelsPrefix(layout: Layout, root: string): string {
  return layout === 'levels' ? `${root}/000` : `${posix.join(root, 'ltx')}/`;
}

/** A key that sorts before every file of the level with minTXID >= from, and after all others. */
export function startAfterKey(layout: Layout, root: string, level: number, from: TXID): string {
  return levelPrefix(layout, root, level) + formatTXID(from);
}

/** The key of a named object. REPLICA_UNSUPPORTED for a name that the contract does not allow. */
export function objectKey(root: string, name: string): string {
  checkObjectName(name);
  return posix.join(root, name);
}

/** The prefix of the keys of all named objects whose names begin with `prefix`. */
export function objectPrefix(root: string, prefix: string): string {
  const base = posix.join(root, 'x');
  return base.slice(0, -1) + prefix;
}

/** The name of the object with this key; undefined for an LTX file or a foreign object. */
export function parseObjectKey(root: string, key: string): string | undefined {
  const base = objectPrefix(root, '');
  if (!key.startsWith(base)) return undefined;
  const name = key.slice(base.length);
  return isObjectName(name) ? name : undefined;
}

/** Throws REPLICA_UNSUPPORTED unless `name` is a valid name of a named object. */
function checkObjectName(name: string): void {
  if (isObjectName(name)) return;
  throw new ReplicationError(
    'REPLICA_UNSUPPORTED',
    `object name ${JSON.stringify(name)}: a name consists of up to ${OBJECT_NAME_MAX} characters ` +
      '[a-z0-9._/-], without empty or dot segments, and is not below a level of LTX files',
  );
}

/** S3 limits keys to 1024 bytes; this leaves half of them for the root. */
const OBJECT_NAME_MAX = 512;

/** No object may be below a level's prefix: Litestream reads only the last segment of a key. */
function isObjectName(name: string): boolean {
  if (name.length > OBJECT_NAME_MAX || !/^[a-z0-9._-]+(\/[a-z0-9._-]+)*$/.test(name)) return false;
  const segments = name.split('/');
  if (segments.some((segment) => segment === '.' || segment === '..')) return false;
  return segments.length === 1 || !/^(000[0-9]|ltx)$/.test(segments[0] ?? '');
}

/**
 * The root for the path of a URL, as in Litestream: percent-decoded, cleaned, without the leading
 * slash. `s3://b/db/` and `s3://b//db` give `db`, `s3://b/` gives ``, `s3://b` gives `.`.
 */
export function rootOfURLPath(pathname: string): string {
  const cleaned = posix.normalize(percentDecoded(pathname)).replace(/\/+$/, '');
  if (cleaned === '') return pathname === '' ? '.' : '';
  return cleaned.startsWith('/') ? cleaned.slice(1) : cleaned;
}

/** Decodes text of a URL. If an escape is invalid or is not UTF-8, returns the text unchanged. */
export function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Byte order of two keys in UTF-8. For ASCII this is the order of strings. */
export function compareKeys(a: string, b: string): number {
  if (a === b) return 0;
  if (SURROGATE.test(a) || SURROGATE.test(b)) {
    return Buffer.compare(Buffer.from(a), Buffer.from(b));
  }
  return a < b ? -1 : 1;
}

/** UTF-16 sorts surrogates before U+E000 and above; UTF-8 does not. */
const SURROGATE = /[\uD800-\uDFFF]/;

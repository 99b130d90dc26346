/**
 * Where things lie: the only file that builds or reads keys. Two layouts, both Litestream's.
 *
 *  layout     one LTX file               all levels       root joined by
 *  levels     <root>/000<L>/<F>          <root>/000       plain concatenation, nothing cleaned (S3, OSS)
 *  tree       <root>/ltx/<L>/<F>         <root>/ltx/      POSIX join (file, GCS, Azure, SFTP, ...)
 *
 * L is 0 to 9, F is `<min16hex>-<max16hex>.ltx`. So an empty root gives `/0000/F` in the levels
 * layout and `ltx/0/F` in a tree. Named objects are POSIX-joined in both, as Litestream 0.3 did.
 * A key is an LTX file's if and only if it is the prefix of all levels, one digit, a slash and a
 * valid name, with nothing before or after. Hex is fixed-width: order of keys is order of TXIDs.
 */

import { posix } from 'node:path';

import { assert, ReplicationError } from '../error.ts';
import { formatFilename, parseFilename } from '../ltx/filename.ts';
import { formatTXID, type TXID } from '../ltx/txid.ts';
import type { Layout } from './client.ts';

/** An LTX file: its level (0 as written, 1 to 8 merged, 9 snapshots) and its TXIDs. */
export interface LTXFileRef {
  readonly level: number;
  readonly minTXID: TXID;
  readonly maxTXID: TXID;
}

/** Level 9 holds snapshots; there is none above. */
const LEVEL_MAX = 9;

/** The key of one LTX file. */
export function keyOf(layout: Layout, root: string, file: LTXFileRef): string {
  return levelPrefix(layout, root, file.level) + formatFilename(file.minTXID, file.maxTXID);
}

/** The file that a key names, or undefined for whatever else lies there. */
export function parseKey(layout: Layout, root: string, key: string): LTXFileRef | undefined {
  const prefix = allLevelsPrefix(layout, root);
  if (!key.startsWith(prefix) || key[prefix.length + 1] !== '/') return undefined;
  const level = key.charCodeAt(prefix.length) - 0x30;
  if (level < 0 || level > LEVEL_MAX) return undefined;
  const txids = parseFilename(key.slice(prefix.length + 2));
  return txids === undefined ? undefined : { level, ...txids };
}

/** What all keys of one level begin with; ends in a slash. */
export function levelPrefix(layout: Layout, root: string, level: number): string {
  assert(Number.isInteger(level) && level >= 0 && level <= LEVEL_MAX, `level ${level} is 0 to 9`);
  return `${allLevelsPrefix(layout, root)}${level}/`;
}

/** What the keys of all levels begin with, and no key of Litestream 0.3 or of a neighbour does. */
export function allLevelsPrefix(layout: Layout, root: string): string {
  return layout === 'levels' ? `${root}/000` : `${posix.join(root, 'ltx')}/`;
}

/** A key before every file of the level with minTXID >= from, and not before any other. */
export function startAfterKey(layout: Layout, root: string, level: number, from: TXID): string {
  return levelPrefix(layout, root, level) + formatTXID(from);
}

/** The key of a named object. REPLICA_UNSUPPORTED for a name that the contract does not allow. */
export function objectKey(root: string, name: string): string {
  checkObjectName(name);
  return posix.join(root, name);
}

/** What the keys of all named objects whose names begin with `prefix` begin with. */
export function objectPrefix(root: string, prefix: string): string {
  const base = posix.join(root, 'x');
  return base.slice(0, -1) + prefix;
}

/** The name of the object with this key, or undefined for an LTX file and for what is not ours. */
export function parseObjectKey(root: string, key: string): string | undefined {
  const base = objectPrefix(root, '');
  if (!key.startsWith(base)) return undefined;
  const name = key.slice(base.length);
  return isObjectName(name) ? name : undefined;
}

/** REPLICA_UNSUPPORTED unless `name` may be a named object's. */
function checkObjectName(name: string): void {
  if (isObjectName(name)) return;
  throw new ReplicationError(
    'REPLICA_UNSUPPORTED',
    `object name ${JSON.stringify(name)}: names are [a-z0-9._/-], up to ${OBJECT_NAME_MAX} ` +
      'characters, without empty or dot segments, and not below a level of LTX files',
  );
}

/** S3 takes keys of 1024 bytes; this leaves half of them to the root. */
const OBJECT_NAME_MAX = 512;

/** Nothing may lie below a level's prefix: Litestream looks at the last segment of a key only. */
function isObjectName(name: string): boolean {
  if (name.length > OBJECT_NAME_MAX || !/^[a-z0-9._-]+(\/[a-z0-9._-]+)*$/.test(name)) return false;
  const segments = name.split('/');
  if (segments.some((segment) => segment === '.' || segment === '..')) return false;
  return segments.length === 1 || !/^(000[0-9]|ltx)$/.test(segments[0] ?? '');
}

/**
 * The root that a URL's path stands for, as Litestream reads it: percent-decoded, cleaned, without
 * its first slash. `s3://b/db/` and `s3://b//db` give `db`, `s3://b/` gives ``, `s3://b` gives `.`.
 */
export function rootOfURLPath(pathname: string): string {
  const cleaned = posix.normalize(percentDecoded(pathname)).replace(/\/+$/, '');
  if (cleaned === '') return pathname === '' ? '.' : '';
  return cleaned.startsWith('/') ? cleaned.slice(1) : cleaned;
}

/** Text of a URL. Where a percent sign encodes nothing, or no UTF-8, all of it stands for itself. */
export function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Byte order of two keys in UTF-8. Most keys are ASCII, where it is the order of strings. */
export function compareKeys(a: string, b: string): number {
  if (a === b) return 0;
  if (SURROGATE.test(a) || SURROGATE.test(b)) {
    return Buffer.compare(Buffer.from(a), Buffer.from(b));
  }
  return a < b ? -1 : 1;
}

/** UTF-16 orders these before U+E000 and above; UTF-8 does not. */
const SURROGATE = /[\uD800-\uDFFF]/;
